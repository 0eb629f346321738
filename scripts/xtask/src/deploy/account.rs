//! The login and its account.

use std::fmt;

use anyhow::{Result, bail};
use serde_json::Value;

use super::client::{Client, code_of, variable};
use crate::settings_file::is_account_id;

/// The account to deploy to.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// 32 hexadecimal digits.
    id: String,
    /// Unknown where the token may not read it.
    name: Option<String>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.id),
            None => f.write_str(&self.id),
        }
    }
}

impl Account {
    /// Returns the account's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the account's name; its id where the name is unknown.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Finds the account with the id `wanted`, else the only one that the token or login can see.
    pub(crate) fn find(client: &Client, wanted: Option<String>) -> Result<Self> {
        let path = "/accounts?per_page=50";
        let listed = match client.call("GET", path, "accounts", None) {
            // A token need not be allowed to list accounts; the first step finds out whether it is good.
            Err(error) if code_of(&error).is_some() && wanted.is_some() => Value::Null,
            listed => listed?,
        };
        let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let accounts: Vec<Self> = listed.iter().filter_map(read).collect();
        if let Some(id) = wanted {
            let known = accounts.into_iter().find(|account| account.id == id);
            return match known {
                Some(account) => Ok(account),
                None if client.has_login() => bail!("the login has no access to account {id}"),
                None => Ok(Self { id, name: None }),
            };
        }
        match accounts.as_slice() {
            [only] => Ok(only.clone()),
            [] => bail!(
                "the token or login has access to no account\n\
                 hint: set CLOUDFLARE_ACCOUNT_ID, or choose another token"
            ),
            several => {
                let list: Vec<String> = several
                    .iter()
                    .map(|account| format!("{}  {}", account.id, account.name()))
                    .collect();
                bail!(
                    "there are several accounts:\n  {}\n\
                     hint: write one of them into tailrace.toml as `account`, or set CLOUDFLARE_ACCOUNT_ID",
                    list.join("\n  ")
                )
            }
        }
    }
}

/// Returns the id of the account that `CLOUDFLARE_ACCOUNT_ID` or `tailrace.toml` (`configured`) names.
///
/// # Errors
/// Fails if they name different ones, or the variable is not an id.
pub(crate) fn find_wanted(configured: Option<&str>) -> Result<Option<String>> {
    let variable_account = variable("CLOUDFLARE_ACCOUNT_ID");
    if let Some(id) = &variable_account
        && !is_account_id(id)
    {
        bail!(
            "CLOUDFLARE_ACCOUNT_ID is {id:?}, which is not an account id\nhint: an account id has 32 hexadecimal \
             digits; it is in the address of the Cloudflare dashboard"
        );
    }
    if let (Some(variable), Some(configured)) = (&variable_account, configured)
        && variable != configured
    {
        bail!(
            "CLOUDFLARE_ACCOUNT_ID names account {variable}, tailrace.toml names {configured}: nothing was changed\n\
             hint: take one of them away"
        );
    }
    Ok(variable_account.or_else(|| configured.map(str::to_owned)))
}

/// Reads an account as the API shows it.
fn read(account: &Value) -> Option<Account> {
    let text = |key: &str| Some(account.get(key)?.as_str()?.to_owned());
    Some(Account {
        id: text("id")?,
        name: text("name"),
    })
}
