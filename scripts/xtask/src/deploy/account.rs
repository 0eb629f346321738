//! Who is logged in, and to which account.

use std::fmt;

use anyhow::{Context, Result, bail};
use checkout::Workspace;
use serde_json::Value;

use super::wrangler::Wrangler;

const NOT_LOGGED_IN: &str = "not logged in to Cloudflare: set CLOUDFLARE_API_TOKEN (docs/operations.md says with which \
     permissions), or log in with `(cd wrangler && npx wrangler login)`";

/// The account to deploy to, as its id of 32 hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct Account(String);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Account {
    /// The account that `CLOUDFLARE_ACCOUNT_ID` names, else the only one that the token or login can see. With both a
    /// token and an account given, nothing is asked: the first step finds out whether they are good.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let account = variable("CLOUDFLARE_ACCOUNT_ID");
        if let Some(id) = &account
            && !(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            bail!(
                "CLOUDFLARE_ACCOUNT_ID is no account id: it has 32 hexadecimal digits, and stands in the address of the \
                 Cloudflare dashboard"
            );
        }
        let token = variable("CLOUDFLARE_API_TOKEN").or_else(|| variable("CLOUDFLARE_API_KEY"));
        if let (Some(account), Some(_)) = (&account, token) {
            return Ok(Self(account.clone()));
        }
        let answer = Wrangler::new(workspace, None).output(&["whoami", "--json"])?;
        let known: Value = serde_json::from_str(answer.stdout.trim()).unwrap_or_default();
        if known.get("loggedIn").and_then(Value::as_bool) == Some(false) {
            bail!("{NOT_LOGGED_IN}");
        }
        if !answer.succeeded {
            bail!(
                "wrangler cannot tell who is logged in: {}",
                answer.complaint()
            );
        }
        let accounts = known
            .get("accounts")
            .and_then(Value::as_array)
            .context("wrangler names no accounts; set CLOUDFLARE_ACCOUNT_ID")?;
        let text = |account: &Value, key: &str| {
            account
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match (account, accounts.as_slice()) {
            (Some(id), _) if accounts.iter().any(|known| text(known, "id") == id) => Ok(Self(id)),
            (Some(id), _) => {
                bail!("the login has no access to account {id}, which CLOUDFLARE_ACCOUNT_ID names")
            }
            (None, [only]) => Ok(Self(text(only, "id"))),
            (None, []) => bail!(
                "the token or login has access to no account; set CLOUDFLARE_ACCOUNT_ID, or choose another token"
            ),
            (None, several) => {
                let list: Vec<String> = several
                    .iter()
                    .map(|account| format!("{}  {}", text(account, "id"), text(account, "name")))
                    .collect();
                bail!(
                    "there are several accounts; set CLOUDFLARE_ACCOUNT_ID to one of them:\n  {}",
                    list.join("\n  ")
                )
            }
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}
