//! What a refusal means: whether to try again, and whether it is about the token or the account.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::Error;
use crate::credentials::Token;
use crate::retry::Failure;

/// One of the errors in an answer.
#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// What the refusal to `what` means. `token` is what was shown; the local runtime wants none.
pub(super) fn meaning(
    what: &'static str,
    status: StatusCode,
    errors: &[Message],
    after: Option<Duration>,
    token: Option<&Token>,
) -> Failure {
    let mut message = words(status, errors);
    if let Some(token) = token {
        message = token.redact(&message);
    }
    let transient = status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error() && !is_query_error(&message)
        || is_passing_trouble(&message);
    let credentials = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        || token.is_some() && errors.iter().any(is_about_credentials);
    let status = status.as_u16();
    let error = if credentials && !transient {
        Error::Refused {
            what,
            status,
            message,
        }
    } else {
        Error::Api {
            what,
            status,
            message,
        }
    };
    if transient {
        Failure::Transient { error, after }
    } else {
        Failure::Permanent(error)
    }
}

/// Cloudflare's words, with their codes; else the status'.
fn words(status: StatusCode, errors: &[Message]) -> String {
    if errors.is_empty() {
        let reason = status.canonical_reason().unwrap_or("no reason given");
        return reason.to_owned();
    }
    let parts: Vec<_> = errors
        .iter()
        .map(|error| {
            if error.code == 0 {
                error.message.clone()
            } else {
                format!("{} [{}]", error.message, error.code)
            }
        })
        .collect();
    parts.join("; ")
}

/// 6003, 6111: malformed credentials, as status 400. 7003: no such account in the path.
fn is_about_credentials(error: &Message) -> bool {
    matches!(error.code, 6003 | 6111 | 7003 | 9109 | 10000)
}

/// D1's words for a statement that fails again however often it is sent. The local runtime answers these with 500.
fn is_query_error(message: &str) -> bool {
    [
        "no such table",
        "no such column",
        "syntax error",
        "SQLITE_ERROR",
        "SQLITE_CONSTRAINT",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// D1's words for what passes, whatever the status (D1: debugging, error list).
fn is_passing_trouble(message: &str) -> bool {
    [
        "Network connection lost",
        "storage caused object to be reset",
        "starting up D1 DB storage",
        "Cannot resolve D1 DB due to transient issue",
        "reset because its code was updated",
        "is overloaded",
        "database is locked",
    ]
    .iter()
    .any(|text| message.contains(text))
}
