//! The account that is meant, what opens it, and the ids that are remembered of it. Each may have to be learned anew in the
//! course of a run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::transport::Access;
use crate::Error;
use crate::cache::{self, Account, Ids};
use crate::credentials::{self, Credential, Origin};

/// A session with one account.
#[derive(Debug)]
pub(super) struct Session {
    /// The address of the API.
    base: String,
    origin: Origin,
    /// The profile of wrangler's login.
    profile: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    credential: Credential,
    account: Account,
    /// Tells that the account was remembered, and not yet seen to be right.
    is_remembered: bool,
    /// The key of what is remembered, and that.
    key: String,
    ids: Ids,
}

impl Session {
    /// Begins one with the account of the id, or with the one that is remembered.
    pub(super) async fn begin(
        base: &str,
        account: Option<&str>,
        profile: Option<&str>,
    ) -> Result<Self, Error> {
        let (credential, origin) = credentials::read(profile).await?;
        let key = cache::key(base, &credential);
        let ids = cache::load(&key);
        let named = account.map(|id| Account {
            id: id.to_owned(),
            name: String::new(),
        });
        let state = State {
            credential,
            is_remembered: named.is_none() && ids.account.is_some(),
            account: named.or_else(|| ids.account.clone()).unwrap_or_default(),
            key,
            ids,
        };
        Ok(Self {
            base: base.to_owned(),
            origin,
            profile: profile.map(str::to_owned),
            state: Mutex::new(state),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what a call needs.
    pub(super) fn access(&self) -> Access {
        let state = self.lock();
        Access {
            account: state.account.id.clone(),
            credential: state.credential.clone(),
        }
    }

    /// Returns the account; its id is empty where none is known yet.
    pub(super) fn account(&self) -> Account {
        self.lock().account.clone()
    }

    /// Returns whether the account was remembered, and not yet seen to be right.
    pub(super) fn is_remembered(&self) -> bool {
        self.lock().is_remembered
    }

    /// Takes the account that was looked up, and remembers it.
    pub(super) fn set_account(&self, account: &Account) {
        let mut state = self.lock();
        state.account = account.clone();
        state.is_remembered = false;
        state.ids.account = Some(account.clone());
        cache::store(&state.key, &state.ids);
    }

    /// Returns the id that is remembered for a database of the account.
    pub(super) fn database(&self, name: &str) -> Option<String> {
        let state = self.lock();
        let key = format!("{}/{name}", state.account.id);
        state.ids.databases.get(&key).cloned()
    }

    /// Remembers the id of a database of the account, or forgets it.
    pub(super) fn set_database(&self, name: &str, id: Option<&str>) {
        let mut state = self.lock();
        let key = format!("{}/{name}", state.account.id);
        match id {
            Some(id) => state.ids.databases.insert(key, id.to_owned()),
            None => state.ids.databases.remove(&key),
        };
        cache::store(&state.key, &state.ids);
    }

    /// Asks wrangler for its token again, if the one that was refused came from there. Returns whether it is another one.
    pub(super) async fn renew_credential(&self) -> Result<bool, Error> {
        if self.origin != Origin::Wrangler {
            return Ok(false);
        }
        let credential = credentials::ask_wrangler(self.profile.as_deref()).await?;
        let mut state = self.lock();
        let is_new = credential != state.credential;
        state.key = cache::key(&self.base, &credential);
        state.credential = credential;
        Ok(is_new)
    }
}
