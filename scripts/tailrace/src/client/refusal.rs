//! Judges refusals: which may be tried again, and which are about the token or the account.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::Error;
use crate::credentials::Credential;
use crate::retry::Failure;

/// One of the errors in an answer.
#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Judges the refusal to `what`. `credential` is the one that was sent; the local runtime takes none.
pub(super) fn judge(
    what: &'static str,
    status: StatusCode,
    errors: &[Message],
    after: Option<Duration>,
    credential: Option<&Credential>,
) -> Failure {
    let mut message = words(status, errors);
    if let Some(credential) = credential {
        message = credential.redact(&message);
    }
    let local = credential.is_none();
    let transient = status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error() && !is_query_error(&message)
        || is_passing_trouble(&message);
    let credentials = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        || !local && errors.iter().any(is_about_credentials);
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
            local,
        }
    };
    // What read too much reads too much again, and log-writer waits behind it: the caller asks for a part instead.
    if transient && !error.is_too_slow() && !error.is_too_large() {
        Failure::Transient { error, after }
    } else {
        Failure::Permanent(error)
    }
}

/// Returns Cloudflare's words with their codes; without any, the status as words.
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

/// Returns whether an error is about the token or the account. 6003, 6111 and 9106 come with status 400: malformed
/// credentials. 7003: no such account in the path.
fn is_about_credentials(error: &Message) -> bool {
    matches!(error.code, 6003 | 6111 | 7003 | 9106 | 9109 | 10000)
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
        "Can't read from request stream",
        "Replica disconnected from primary",
        "reset because its code was updated",
        "is overloaded",
        "database is locked",
    ]
    .iter()
    .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, code: i64, message: &str) -> Failure {
        let errors = [Message {
            code,
            message: message.to_owned(),
        }];
        let status = StatusCode::from_u16(status).unwrap();
        judge(
            "ask",
            status,
            &errors,
            None,
            Some(&Credential::Token("s3cret-value".to_owned())),
        )
    }

    #[test]
    fn what_passes_is_tried_again_whatever_its_status() {
        for message in [
            "D1_ERROR: Replica disconnected from primary.",
            "D1_ERROR: Can't read from request stream because client disconnected.",
            "D1_ERROR: Network connection lost.",
        ] {
            assert!(matches!(
                judged(400, 7500, message),
                Failure::Transient { .. }
            ));
        }
    }

    #[test]
    fn what_read_too_much_is_not_sent_again() {
        for message in [
            "D1 DB storage operation exceeded timeout which caused object to be reset.",
            "D1 DB exceeded its CPU time limit and was reset.",
            "D1 DB exceeded its memory limit and was reset.",
        ] {
            let Failure::Permanent(error) = judged(500, 7500, message) else {
                panic!("{message} is transient");
            };
            assert!(error.is_too_slow() || error.is_too_large(), "{message}");
        }
        // An account's limit: no smaller question helps.
        let message = "Your account has exceeded D1's free tier daily row read limit.";
        let Failure::Permanent(error) = judged(400, 7500, message) else {
            panic!("transient");
        };
        assert!(!error.is_too_slow() && !error.is_too_large());
    }

    #[test]
    fn a_malformed_token_is_a_matter_of_credentials() {
        for (status, code) in [(400, 9106), (400, 6003), (403, 0), (401, 10000)] {
            assert!(matches!(
                judged(status, code, "no"),
                Failure::Permanent(Error::Refused { .. })
            ));
        }
    }
}
