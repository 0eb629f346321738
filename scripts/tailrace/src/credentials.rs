//! The API token and the account: from `CLOUDFLARE_API_TOKEN` and `CLOUDFLARE_ACCOUNT_ID`, else from wrangler's login.
//! Never from flags, which end up in shell histories and process lists.

use std::fmt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::Error;

/// A bearer token. Its text is only seen by [`crate::client`], which puts it into a header.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The header value.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` without the token, should a server ever echo it.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "[token]")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Reads the token from `CLOUDFLARE_API_TOKEN`, else from wrangler's login.
///
/// # Errors
/// [`Error::NoToken`] where there is none, [`Error::BadToken`] where it cannot be one; [`Error::LoginExpired`] where
/// wrangler's is too old: only wrangler can renew it, and does so whenever it runs.
pub fn token(now: DateTime<Utc>) -> Result<Token, Error> {
    if let Some(token) = variable("CLOUDFLARE_API_TOKEN") {
        return given(token);
    }
    for path in wrangler_logins(|name| std::env::var_os(name).map(PathBuf::from)) {
        if let Ok(text) = std::fs::read_to_string(path) {
            return login(&text, now);
        }
    }
    Err(Error::NoToken)
}

/// A token as it was given, if it can stand in a header: pasted with a line end in it, it would look like a network that
/// does not answer.
fn given(token: String) -> Result<Token, Error> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Token(token))
    } else {
        Err(Error::BadToken)
    }
}

/// The account from `CLOUDFLARE_ACCOUNT_ID`, if it is set.
#[must_use]
pub fn account() -> Option<String> {
    variable("CLOUDFLARE_ACCOUNT_ID")
}

/// A variable of the environment; a blank one counts as not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

/// Where wrangler keeps its login: `~/.wrangler` where that exists from an old version, else the platform's
/// configuration folder.
fn wrangler_logins(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let file = Path::new(".wrangler").join("config").join("default.toml");
    let home = variable("HOME").or_else(|| variable("USERPROFILE"));
    let mut folders = Vec::new();
    folders.extend(home.clone());
    folders.extend(variable("XDG_CONFIG_HOME"));
    if let Some(home) = home {
        folders.push(home.join(".config"));
        folders.push(home.join("Library").join("Preferences"));
    }
    if let Some(data) = variable("APPDATA") {
        folders.push(data.join("xdg.config"));
    }
    folders
        .into_iter()
        .map(|folder| folder.join(&file))
        .collect()
}

fn login(text: &str, now: DateTime<Utc>) -> Result<Token, Error> {
    let Ok(document) = text.parse::<toml_edit::DocumentMut>() else {
        return Err(Error::NoToken);
    };
    let field = |name| document.get(name).and_then(toml_edit::Item::as_str);
    let token = field("oauth_token").ok_or(Error::NoToken)?;
    let expires = field("expiration_time")
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .ok_or(Error::LoginExpired)?;
    if expires <= now {
        return Err(Error::LoginExpired);
    }
    Ok(Token(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_shows_itself() {
        let token = Token::new("s3cret-value");
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(token.redact("bad s3cret-value!"), "bad [token]!");
    }

    #[test]
    fn wranglers_login_is_used_while_it_lasts() {
        let now = Utc::now();
        let text = |minutes| {
            format!(
                "oauth_token = \"abc\"\nexpiration_time = \"{}\"\nscopes = [\"account:read\"]\n",
                (now + chrono::Duration::minutes(minutes)).to_rfc3339()
            )
        };
        assert_eq!(login(&text(5), now).unwrap().0, "abc");
        assert!(matches!(login(&text(-5), now), Err(Error::LoginExpired)));
        assert!(matches!(login("", now), Err(Error::NoToken)));
        assert!(matches!(login("= not toml", now), Err(Error::NoToken)));
    }

    #[test]
    fn an_old_wrangler_folder_comes_first() {
        let paths = wrangler_logins(|name| (name == "HOME").then(|| PathBuf::from("/home/u")));
        assert_eq!(paths[0], Path::new("/home/u/.wrangler/config/default.toml"));
        assert_eq!(
            paths[1],
            Path::new("/home/u/.config/.wrangler/config/default.toml")
        );
    }
}
