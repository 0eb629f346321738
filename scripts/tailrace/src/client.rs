//! The Cloudflare API, and the local runtime's explorer, which answers the same shapes without credentials. [`d1`],
//! [`kv`] and [`queues`] know the endpoints; this knows requests and answers, `refusal` what a refusal means, and `retry`
//! when to call again.

pub mod d1;
pub mod kv;
pub mod queues;
mod refusal;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::credentials::Token;
use crate::retry::{Failure, Policy, retry};
use crate::{Error, credentials};

use refusal::Message;

/// Where the API is unless `CLOUDFLARE_API_BASE_URL` says otherwise, as for wrangler.
const API: &str = "https://api.cloudflare.com/client/v4";

/// A connection to one account, or to the local runtime.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The root of the account's resources, without a trailing slash.
    root: String,
    token: Option<Token>,
    policy: Policy,
    local: bool,
}

/// One call.
#[derive(Debug)]
struct Call<'a> {
    /// What it is for, as in "could not {what}".
    what: &'static str,
    method: Method,
    /// Below the root, starting with a slash; segments already encoded.
    path: String,
    query: Vec<(&'static str, &'a str)>,
    json: Option<serde_json::Value>,
}

impl<'a> Call<'a> {
    fn get(what: &'static str, path: impl Into<String>) -> Self {
        Self::new(what, Method::GET, path, None)
    }

    fn post(what: &'static str, path: impl Into<String>, json: serde_json::Value) -> Self {
        Self::new(what, Method::POST, path, Some(json))
    }

    fn delete(what: &'static str, path: impl Into<String>) -> Self {
        Self::new(what, Method::DELETE, path, None)
    }

    fn new(
        what: &'static str,
        method: Method,
        path: impl Into<String>,
        json: Option<serde_json::Value>,
    ) -> Self {
        Self {
            what,
            method,
            path: path.into(),
            query: Vec::new(),
            json,
        }
    }

    fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }
}

/// What every JSON answer has around its result.
#[derive(Deserialize)]
struct Frame<T> {
    success: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    errors: Vec<Message>,
    result: Option<T>,
    #[serde(default)]
    result_info: Option<ResultInfo>,
}

/// Where a list goes on.
#[derive(Default, Deserialize)]
struct ResultInfo {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    total_pages: Option<u64>,
    #[serde(default)]
    total_count: Option<u64>,
}

/// Reads an explicit `null` as a member that is absent: the API sends either.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A successful answer.
struct Answer<T> {
    result: T,
    info: ResultInfo,
    /// The server's clock.
    date: Option<DateTime<Utc>>,
}

impl Client {
    /// Connects to the account that the environment names (see [`credentials`]); asks the API for it where only one can
    /// be meant.
    ///
    /// # Errors
    /// No usable token, no account, or no network.
    pub async fn remote(policy: Policy) -> Result<Self, Error> {
        let base =
            credentials::variable("CLOUDFLARE_API_BASE_URL").unwrap_or_else(|| API.to_owned());
        let base = base.trim_end_matches('/');
        if !reqwest::Url::parse(base).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            return Err(Error::Usage(format!(
                "CLOUDFLARE_API_BASE_URL: \"{base}\" is no address; leave it unset for Cloudflare's own"
            )));
        }
        let mut client = Self {
            http: http()?,
            root: base.to_owned(),
            token: Some(credentials::token(Utc::now())?),
            policy,
            local: false,
        };
        let account = match credentials::account() {
            Some(account) => account,
            None => client.only_account().await?,
        };
        client.root = format!("{base}/accounts/{}", encode(&account));
        Ok(client)
    }

    /// Connects to the local runtime on `port`.
    ///
    /// # Errors
    /// None in practice.
    pub fn local(port: u16, policy: Policy) -> Result<Self, Error> {
        Ok(Self {
            http: http()?,
            root: format!("http://127.0.0.1:{port}/cdn-cgi/local/explorer/api"),
            token: None,
            policy,
            local: true,
        })
    }

    /// Whether this is the local runtime.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.local
    }

    async fn only_account(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Account {
            id: String,
            #[serde(default)]
            name: String,
        }
        let answer: Answer<Vec<Account>> = self
            .call(&Call::get("list the accounts", "/accounts"))
            .await?;
        match answer.result.as_slice() {
            [account] => Ok(account.id.clone()),
            accounts => Err(Error::AccountUnclear {
                seen: accounts
                    .iter()
                    .map(|account| format!("{} ({})", account.name, account.id))
                    .collect(),
            }),
        }
    }

    /// Makes a call whose answer has a result, again where that may help.
    async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Answer<T>, Error> {
        let answer: Answer<Option<T>> = self.answer(call).await?;
        let result = answer.result.ok_or(Error::Unreadable {
            what: call.what,
            reason: "the answer has no result".to_owned(),
        })?;
        Ok(Answer {
            result,
            info: answer.info,
            date: answer.date,
        })
    }

    /// Makes a call that is answered with a list; with no result where the list is empty.
    async fn list<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Answer<Vec<T>>, Error> {
        let Answer { result, info, date } = self.answer::<Vec<T>>(call).await?;
        Ok(Answer {
            result: result.unwrap_or_default(),
            info,
            date,
        })
    }

    /// Makes a call of which only the success matters.
    async fn done(&self, call: &Call<'_>) -> Result<(), Error> {
        self.answer::<serde_json::Value>(call).await.map(|_| ())
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer<Option<T>>, Error> {
        retry(self.policy, || async {
            let response = self.send(call).await?;
            let date = date(&response);
            let body = response
                .bytes()
                .await
                .map_err(|error| self.transport(call, &error))?;
            let frame: Frame<T> = serde_json::from_slice(&body).map_err(|error| {
                Failure::Permanent(Error::Unreadable {
                    what: call.what,
                    reason: error.to_string(),
                })
            })?;
            if frame.success {
                Ok(Answer {
                    result: frame.result,
                    info: frame.result_info.unwrap_or_default(),
                    date,
                })
            } else {
                Err(self.refused(call, StatusCode::OK, &frame.errors, None))
            }
        })
        .await
    }

    /// Makes a call whose answer is the value itself; `None` where there is none.
    async fn value(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, Error> {
        let value = retry(self.policy, || async {
            let body = self.send(call).await?.bytes().await;
            body.map_err(|error| self.transport(call, &error))
        })
        .await;
        match value {
            Ok(value) => Ok(Some(value.to_vec())),
            Err(Error::Api { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, call: &Call<'_>) -> Result<reqwest::Response, Failure> {
        let mut request = self
            .http
            .request(call.method.clone(), format!("{}{}", self.root, call.path))
            .query(&call.query);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.bearer());
        }
        if let Some(json) = &call.json {
            request = request.json(json);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.transport(call, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let after = retry_after(&response);
        let body = response.bytes().await.unwrap_or_default();
        let errors = serde_json::from_slice::<Frame<serde_json::Value>>(&body)
            .map(|frame| frame.errors)
            .unwrap_or_default();
        Err(self.refused(call, status, &errors, after))
    }

    fn refused(
        &self,
        call: &Call<'_>,
        status: StatusCode,
        errors: &[Message],
        after: Option<Duration>,
    ) -> Failure {
        refusal::meaning(call.what, status, errors, after, self.token.as_ref())
    }

    fn transport(&self, call: &Call<'_>, error: &reqwest::Error) -> Failure {
        let host = reqwest::Url::parse(&self.root)
            .ok()
            .and_then(|url| {
                let port = url
                    .port()
                    .map(|port| format!(":{port}"))
                    .unwrap_or_default();
                Some(format!("{}{port}", url.host_str()?))
            })
            .unwrap_or_else(|| self.root.clone());
        // The cause at the end of the chain is what helps: "Connection refused", "dns error", …
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let network = Error::Network {
            host,
            what: call.what,
            reason: cause.to_string(),
            local: self.local,
        };
        // A local runtime that is not there will not come by waiting a second.
        if error.is_builder() || (self.local && error.is_connect()) {
            Failure::Permanent(network)
        } else {
            Failure::Transient {
                error: network,
                after: None,
            }
        }
    }
}

fn http() -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .user_agent(concat!("tailrace/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        // D1 gives a query 30 seconds; more than that is a lost connection.
        .timeout(Duration::from_secs(60))
        .build()
        .map_err(|error| Error::Network {
            host: "the network".to_owned(),
            what: "set up connections",
            reason: error.to_string(),
            local: false,
        })
}

fn header_text(response: &reqwest::Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn date(response: &reqwest::Response) -> Option<DateTime<Utc>> {
    let text = header_text(response, header::DATE)?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

/// `Retry-After` in seconds, or as a date by the server's own clock.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = header_text(response, header::RETRY_AFTER)?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    let now = date(response).unwrap_or_else(Utc::now);
    (until - now).to_std().ok()
}

/// `text` as one path segment.
fn encode(text: &str) -> String {
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

    #[test]
    fn a_client_does_not_show_its_token() {
        let client = Client {
            http: http().unwrap(),
            root: API.to_owned(),
            token: Some(Token::new("s3cret-value")),
            policy: Policy::default(),
            local: false,
        };
        assert!(!format!("{client:?}").contains("s3cret"));
    }
}
