//! One account in Cloudflare's API.

use anyhow::Result;
use checkout::Workspace;
use serde_json::Value;

use super::account::{self, Account};
use super::client::{Client, is_missing};

/// Entries of a page of a list.
const PER_PAGE: usize = 100;

/// The API of one account.
pub(crate) struct Api {
    client: Client,
    account: Account,
}

impl Api {
    /// Logs in, and finds the account: that of `CLOUDFLARE_ACCOUNT_ID` or of `tailrace.toml` (`configured`), else the only
    /// one.
    pub(crate) fn connect(workspace: &Workspace, configured: Option<&str>) -> Result<Self> {
        let wanted = account::find_wanted(configured)?;
        let client = Client::new(workspace)?;
        let account = Account::find(&client, wanted)?;
        Ok(Self { client, account })
    }

    /// Returns the account.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the result of `GET path` in the account.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None)
    }

    /// Returns the result of `GET path` in the account; `None` where there is no such thing.
    pub(crate) fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.get(path) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the result of sending `body` to `path` in the account with `method`.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.call(method, path, Some(body))
    }

    /// Deletes what is at `path` in the account. What is gone already is not an error.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        match self.call("DELETE", path, None) {
            Err(error) if !is_missing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the entries of all pages of the list at `path`.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut entries = Vec::new();
        for page in 1.. {
            let page = format!("{path}{separator}per_page={PER_PAGE}&page={page}");
            let result = self.get(&page)?;
            let more = result.as_array().cloned().unwrap_or_default();
            let is_last = more.len() < PER_PAGE;
            entries.extend(more);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let whole = format!("/accounts/{}/{path}", self.account.id());
        self.client.call(method, &whole, path, body)
    }
}

/// Returns the text at `key` of a JSON object; an empty one where there is none.
pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the entries of the list at `key` of a JSON object.
pub(crate) fn entries<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten()
}
