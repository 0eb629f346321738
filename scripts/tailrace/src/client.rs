//! The Cloudflare API, and the local runtime's explorer, which answers the same shapes without credentials.
//!
//! In reading order:
//! - `call`: one call;
//! - `transport`: requests, replies and failures of the network;
//! - `pace`: how fast the API may be asked;
//! - `refusal`: what a refusal means;
//! - `answer`: the frame around every result;
//! - `session`: the account, its credential, and remembered ids;
//! - [`Client`]: calls that are made again where that helps (see [`mod@crate::retry`]);
//! - [`d1`], [`kv`], [`queues`], [`queue_state`], [`r2`], [`workers`]: the endpoints.

mod answer;
mod call;
pub mod d1;
pub mod kv;
mod pace;
pub mod queue_state;
pub mod queues;
pub mod r2;
mod refusal;
mod session;
mod transport;
pub mod workers;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::cache::Account;
use crate::credentials::variable;
use crate::retry::{Policy, retry};

use answer::{Answer, null_is_default, read_answer, whole};
use call::{Call, encode};
use session::Session;
use transport::Transport;

/// The address of the API unless `CLOUDFLARE_API_BASE_URL` names another, as for wrangler.
const API: &str = "https://api.cloudflare.com/client/v4";

/// A connection to one account, or to the local runtime.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    policy: Policy,
    /// `None` for the local runtime, which wants no credential.
    session: Option<Session>,
}

impl Client {
    /// Connects to `account`; where none is named, to the only one that the credential sees. `profile` is that of
    /// wrangler's login (see [`crate::credentials`]).
    ///
    /// # Errors
    /// No usable credential, no account, or no network.
    pub async fn remote(
        policy: Policy,
        account: Option<&str>,
        profile: Option<&str>,
    ) -> Result<Self, Error> {
        let base = variable("CLOUDFLARE_API_BASE_URL").unwrap_or_else(|| API.to_owned());
        let base = base.trim_end_matches('/');
        let client = Self {
            transport: Transport::to_api(base)?,
            policy,
            session: Some(Session::begin(base, account, profile).await?),
        };
        if client
            .account()
            .is_some_and(|account| account.id.is_empty())
        {
            client.find_account().await?;
        }
        Ok(client)
    }

    /// Connects to the local runtime on `port`.
    ///
    /// # Errors
    /// None in practice.
    pub fn local(port: u16, policy: Policy) -> Result<Self, Error> {
        Ok(Self {
            transport: Transport::to_local(port)?,
            policy,
            session: None,
        })
    }

    /// Lets one statement at a time wait for D1, and no more.
    #[must_use]
    pub fn one_statement_at_once(self) -> Self {
        self.transport.pace.one_statement();
        self
    }

    /// Returns whether this is the local runtime.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.session.is_none()
    }

    /// Returns the account; `None` for the local runtime. Its name is empty where only its id was given.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        self.session.as_ref().map(Session::account)
    }

    /// Looks the only account up, and remembers it.
    async fn find_account(&self) -> Result<(), Error> {
        let call = Call::get("list the accounts", "/accounts").above_the_account();
        let seen: Vec<Account> = self.try_answer(&call).await?.or_empty().result;
        let [account] = seen.as_slice() else {
            return Err(Error::AccountUnclear {
                seen: seen
                    .iter()
                    .map(|account| format!("{} ({})", account.name, account.id))
                    .collect(),
            });
        };
        if let Some(session) = &self.session {
            session.set_account(account);
        }
        Ok(())
    }

    /// Returns whether a call that failed is worth making again with what was learned anew: wrangler's token after one
    /// that has expired, the account after one that was remembered and is gone.
    async fn learns_anew(&self, error: &Error) -> Result<bool, Error> {
        let Some(session) = &self.session else {
            return Ok(false);
        };
        if error.is_unauthorized() {
            return session.renew_credential().await;
        }
        let is_misplaced = session.is_remembered() && error.is_misplaced();
        if is_misplaced {
            self.find_account().await?;
        }
        Ok(is_misplaced)
    }

    /// Makes a call that is answered with a list; with no result where the list is empty.
    async fn list<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Answer<Vec<T>>, Error> {
        Ok(self.answer::<Vec<T>>(call).await?.or_empty())
    }

    /// Makes a call that answers no more than its success.
    async fn done(&self, call: &Call<'_>) -> Result<(), Error> {
        self.answer::<serde_json::Value>(call).await.map(|_| ())
    }

    /// Makes a call that is answered in JSON.
    async fn answer<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer<Option<T>>, Error> {
        match self.try_answer(call).await {
            Err(error) if self.learns_anew(&error).await? => self.try_answer(call).await,
            answer => answer,
        }
    }

    async fn try_answer<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer<Option<T>>, Error> {
        retry(self.policy, || async {
            let access = self.session.as_ref().map(Session::access);
            let reply = self.transport.send(call, access.as_ref()).await?;
            let credential = access.as_ref().map(|access| &access.credential);
            read_answer(call.what, &reply, credential)
        })
        .await
    }

    /// Makes a call whose answer is the value itself; `None` where there is none.
    async fn value(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, Error> {
        let value = match self.try_value(call).await {
            Err(error) if self.learns_anew(&error).await? => self.try_value(call).await,
            value => value,
        };
        match value {
            Err(Error::Api { status: 404, .. }) => Ok(None),
            value => value.map(Some),
        }
    }

    async fn try_value(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        retry(self.policy, || async {
            let access = self.session.as_ref().map(Session::access);
            let reply = self.transport.send(call, access.as_ref()).await?;
            Ok(reply.body)
        })
        .await
    }
}
