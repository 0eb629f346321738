//! Answers in JSON: the frame around every result. Little of it is promised, and a member that is absent may also be
//! `null`.

use jiff::Timestamp;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::call::Reply;
use super::refusal::{self, Message};
use crate::Error;
use crate::credentials::Credential;
use crate::retry::Failure;

#[derive(Deserialize)]
struct Frame<T> {
    success: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    errors: Vec<Message>,
    result: Option<T>,
    #[serde(default)]
    result_info: Option<ResultInfo>,
}

/// The end of a page of a list.
#[derive(Default, Deserialize)]
pub(super) struct ResultInfo {
    #[serde(default)]
    pub(super) cursor: Option<String>,
    #[serde(default)]
    pub(super) total_pages: Option<u64>,
    #[serde(default)]
    pub(super) total_count: Option<u64>,
}

/// Reads an explicit `null` as a member that is absent: the API sends either.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a JSON number that counts something.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and counts are small"
)]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}

/// A successful answer.
pub(super) struct Answer<T> {
    pub(super) result: T,
    pub(super) info: ResultInfo,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
}

impl<T: Default> Answer<Option<T>> {
    /// Takes no result for an empty one.
    pub(super) fn or_empty(self) -> Answer<T> {
        Answer {
            result: self.result.unwrap_or_default(),
            info: self.info,
            date: self.date,
        }
    }
}

/// Reads the answer to `what`. `credential` is the one that was sent.
pub(super) fn read_answer<T: DeserializeOwned>(
    what: &'static str,
    reply: &Reply,
    credential: Option<&Credential>,
) -> Result<Answer<Option<T>>, Failure> {
    let frame: Frame<T> = serde_json::from_slice(&reply.body).map_err(|error| {
        Failure::Permanent(Error::Unreadable {
            what,
            reason: error.to_string(),
        })
    })?;
    if !frame.success {
        let status = StatusCode::OK;
        return Err(refusal::judge(
            what,
            status,
            &frame.errors,
            None,
            credential,
        ));
    }
    Ok(Answer {
        result: frame.result,
        info: frame.result_info.unwrap_or_default(),
        date: reply.date,
    })
}

/// Reads the errors of a refusal, where it is in JSON: a gateway answers in HTML.
pub(super) fn read_errors(body: &[u8]) -> Vec<Message> {
    serde_json::from_slice::<Frame<serde_json::Value>>(body)
        .map(|frame| frame.errors)
        .unwrap_or_default()
}
