//! The login and its account.

use std::fmt;

use anyhow::{Result, bail};
use checkout::Workspace;
use serde_json::Value;

use super::wrangler::Wrangler;
use crate::settings_file::is_account_id;

const NOT_LOGGED_IN: &str = "not logged in to Cloudflare\n\
     hint: set CLOUDFLARE_API_TOKEN (docs/operations.md says with which permissions), or log in with \
     `(cd wrangler && npx wrangler login)`";

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

    /// Finds the account that `CLOUDFLARE_ACCOUNT_ID` or `tailrace.toml` names (`configured`), else the only one that the
    /// token or login can see.
    pub(crate) fn find(workspace: &Workspace, configured: Option<&str>) -> Result<Self> {
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
        let wanted = variable_account.or_else(|| configured.map(str::to_owned));
        let has_token = variable("CLOUDFLARE_API_TOKEN").or_else(|| variable("CLOUDFLARE_API_KEY"));
        let answer = Wrangler::new(workspace, None).output(&["whoami", "--json"])?;
        let known: Value = serde_json::from_str(answer.stdout.trim()).unwrap_or_default();
        let accounts = known.get("accounts").and_then(Value::as_array);
        let accounts: Vec<Self> = accounts.into_iter().flatten().filter_map(read).collect();
        if let Some(id) = wanted {
            let known = accounts.iter().find(|account| account.id == id);
            return match known {
                Some(account) => Ok(account.clone()),
                // A token need not be allowed to list accounts; the first step finds out whether it is good.
                None if has_token.is_some() => Ok(Self { id, name: None }),
                None if accounts.is_empty() => bail!("{NOT_LOGGED_IN}"),
                None => bail!("the login has no access to account {id}"),
            };
        }
        if known.get("loggedIn").and_then(Value::as_bool) == Some(false) {
            bail!("{NOT_LOGGED_IN}");
        }
        if !answer.succeeded {
            bail!(
                "wrangler cannot tell who is logged in: {}",
                answer.complaint()
            );
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

/// Reads an account as wrangler prints it.
fn read(account: &Value) -> Option<Account> {
    let text = |key: &str| Some(account.get(key)?.as_str()?.to_owned());
    Some(Account {
        id: text("id")?,
        name: text("name"),
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}
