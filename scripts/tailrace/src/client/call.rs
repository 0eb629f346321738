//! One call of the API, and its reply.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

/// One call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The purpose, as in "could not {what}".
    pub(super) what: &'static str,
    pub(super) method: Method,
    /// Below the account, starting with a slash; segments already encoded.
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, &'a str)>,
    pub(super) json: Option<Value>,
    /// Tells that the path begins at the API's root, and not below the account.
    pub(super) above_account: bool,
}

impl<'a> Call<'a> {
    pub(super) fn get(what: &'static str, path: impl Into<String>) -> Self {
        Self::new(what, Method::GET, path, None)
    }

    pub(super) fn post(what: &'static str, path: impl Into<String>, json: Value) -> Self {
        Self::new(what, Method::POST, path, Some(json))
    }

    pub(super) fn delete(what: &'static str, path: impl Into<String>) -> Self {
        Self::new(what, Method::DELETE, path, None)
    }

    fn new(
        what: &'static str,
        method: Method,
        path: impl Into<String>,
        json: Option<Value>,
    ) -> Self {
        Self {
            what,
            method,
            path: path.into(),
            query: Vec::new(),
            json,
            above_account: false,
        }
    }

    pub(super) fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    pub(super) fn above_the_account(mut self) -> Self {
        self.above_account = true;
        self
    }

    /// Returns whether the call counts towards the API's limit. Cloudflare counts neither pulls nor acks.
    pub(super) fn is_limited(&self) -> bool {
        !self.path.ends_with("/messages/pull") && !self.path.ends_with("/messages/ack")
    }

    /// Returns whether D1 runs a statement for the call.
    pub(super) fn reads_database(&self) -> bool {
        self.path.starts_with("/d1/") && self.method == Method::POST
    }
}

/// A reply of success.
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
}

/// Returns `text` as one path segment.
pub(super) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_one_path_segment() {
        assert_eq!(
            encode("dead-letter/2026-11-23T17:57:06.376Z-ü"),
            "dead-letter%2F2026-11-23T17%3A57%3A06.376Z-%C3%BC"
        );
    }
}
