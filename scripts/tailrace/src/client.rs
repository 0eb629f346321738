//! The Cloudflare API, and the local runtime's explorer, which answers the same shapes without credentials. [`d1`],
//! [`kv`] and [`queues`] know the endpoints; this knows requests and answers, `refusal` what a refusal means, and `retry`
//! when to call again.

pub mod d1;
pub mod kv;
mod pace;
pub mod queues;
mod refusal;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::Error;
use crate::cache::{self, Account, Ids};
use crate::credentials::{self, Credential, Origin};
use crate::retry::{Failure, Policy, retry};

use pace::Pace;
use refusal::Message;

/// Where the API is unless `CLOUDFLARE_API_BASE_URL` says otherwise, as for wrangler.
const API: &str = "https://api.cloudflare.com/client/v4";

/// A connection to one account, or to the local runtime.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The address of the API, or of the local runtime's, without a trailing slash.
    base: String,
    policy: Policy,
    pace: Pace,
    /// `None` for the local runtime, which wants no credential.
    remote: Option<Mutex<Remote>>,
}

/// What a connection to an account knows, and may have to learn anew.
#[derive(Debug)]
struct Remote {
    credential: Credential,
    origin: Origin,
    /// The profile of wrangler's login.
    profile: Option<String>,
    account: Account,
    /// Whether the account was remembered, and not yet seen to be right.
    remembered: bool,
    /// The key of what is remembered, and that.
    key: String,
    ids: Ids,
}

/// One call.
#[derive(Debug)]
struct Call<'a> {
    /// What it is for, as in "could not {what}".
    what: &'static str,
    method: Method,
    /// Below the account, starting with a slash; segments already encoded.
    path: String,
    query: Vec<(&'static str, &'a str)>,
    json: Option<serde_json::Value>,
    /// Whether the path begins at the API's root, and not below the account.
    above_account: bool,
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
            above_account: false,
        }
    }

    fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    fn above_the_account(mut self) -> Self {
        self.above_account = true;
        self
    }

    /// Returns whether the call counts towards the API's limit. Cloudflare counts neither pulls nor acks.
    fn is_limited(&self) -> bool {
        !self.path.ends_with("/messages/pull") && !self.path.ends_with("/messages/ack")
    }

    /// Returns whether D1 runs a statement for the call.
    fn reads_database(&self) -> bool {
        self.path.starts_with("/d1/") && self.method == Method::POST
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
    date: Option<Timestamp>,
}

impl<T: Default> Answer<Option<T>> {
    /// Takes no result for an empty one.
    fn or_empty(self) -> Answer<T> {
        Answer {
            result: self.result.unwrap_or_default(),
            info: self.info,
            date: self.date,
        }
    }
}

impl Client {
    /// Connects to `account`; where none is named, to the only one that the credential sees. `profile` is that of
    /// wrangler's login (see [`credentials`]).
    ///
    /// # Errors
    /// No usable credential, no account, or no network.
    pub async fn remote(
        policy: Policy,
        account: Option<&str>,
        profile: Option<&str>,
    ) -> Result<Self, Error> {
        let base =
            credentials::variable("CLOUDFLARE_API_BASE_URL").unwrap_or_else(|| API.to_owned());
        let base = base.trim_end_matches('/');
        let Some(url) = reqwest::Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
        else {
            return Err(Error::Usage(format!(
                "CLOUDFLARE_API_BASE_URL: \"{base}\" is not an address; leave it unset for Cloudflare's own"
            )));
        };
        let (credential, origin) = credentials::read(profile).await?;
        let key = cache::key(base, &credential);
        let ids = cache::load(&key);
        let named = account.map(|id| Account {
            id: id.to_owned(),
            name: String::new(),
        });
        let remembered = named.is_none() && ids.account.is_some();
        let known = named.or_else(|| ids.account.clone());
        let client = Self {
            http: http(is_loopback(&url))?,
            base: base.to_owned(),
            policy,
            pace: Pace::of_the_api(),
            remote: Some(Mutex::new(Remote {
                credential,
                origin,
                profile: profile.map(str::to_owned),
                account: known.clone().unwrap_or_default(),
                remembered,
                key,
                ids,
            })),
        };
        if known.is_none() {
            client.find_account().await?;
        }
        Ok(client)
    }

    /// Connects to the local runtime on `port`.
    ///
    /// # Errors
    /// None in practice.
    pub fn local(port: u16, policy: Policy) -> Result<Self, Error> {
        Ok(Self {
            http: http(true)?,
            base: format!("http://127.0.0.1:{port}/cdn-cgi/local/explorer/api"),
            policy,
            pace: Pace::unlimited(),
            remote: None,
        })
    }

    /// Returns whether this is the local runtime.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.remote.is_none()
    }

    /// Returns the account; `None` for the local runtime. Its name is empty where only its id was given.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        self.state().map(|remote| remote.account.clone())
    }

    fn state(&self) -> Option<MutexGuard<'_, Remote>> {
        let remote = self.remote.as_ref()?;
        Some(remote.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks the only account up, and remembers it.
    async fn find_account(&self) -> Result<(), Error> {
        let answer: Answer<Vec<Account>> = self
            .try_answer(&Call::get("list the accounts", "/accounts").above_the_account())
            .await?
            .or_empty();
        let [account] = answer.result.as_slice() else {
            return Err(Error::AccountUnclear {
                seen: answer
                    .result
                    .iter()
                    .map(|account| format!("{} ({})", account.name, account.id))
                    .collect(),
            });
        };
        if let Some(mut remote) = self.state() {
            remote.account = account.clone();
            remote.remembered = false;
            remote.ids.account = Some(account.clone());
            cache::store(&remote.key, &remote.ids);
        }
        Ok(())
    }

    /// Returns the id that is remembered for a database of this account.
    fn remembered_database(&self, name: &str) -> Option<String> {
        let remote = self.state()?;
        let key = format!("{}/{name}", remote.account.id);
        remote.ids.databases.get(&key).cloned()
    }

    /// Remembers the id of a database of this account, or forgets it.
    fn remember_database(&self, name: &str, id: Option<&str>) {
        if let Some(mut remote) = self.state() {
            let key = format!("{}/{name}", remote.account.id);
            match id {
                Some(id) => remote.ids.databases.insert(key, id.to_owned()),
                None => remote.ids.databases.remove(&key),
            };
            cache::store(&remote.key, &remote.ids);
        }
    }

    /// Returns whether a call that failed is worth making again with what was learned anew: wrangler's token after one
    /// that has expired, the account after one that was remembered and is gone.
    async fn learns_anew(&self, error: &Error) -> Result<bool, Error> {
        if error.is_unauthorized() {
            let asked = self.state().and_then(|remote| {
                (remote.origin == Origin::Wrangler)
                    .then(|| (remote.profile.clone(), remote.credential.clone()))
            });
            let Some((profile, refused)) = asked else {
                return Ok(false);
            };
            let credential = credentials::ask_wrangler(profile.as_deref()).await?;
            let changed = credential != refused;
            if let Some(mut remote) = self.state() {
                remote.key = cache::key(&self.base, &credential);
                remote.credential = credential;
            }
            return Ok(changed);
        }
        let remembered = self.state().is_some_and(|remote| remote.remembered);
        if remembered && error.is_misplaced() {
            self.find_account().await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Makes a call that is answered with a list; with no result where the list is empty.
    async fn list<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Answer<Vec<T>>, Error> {
        Ok(self.answer::<Vec<T>>(call).await?.or_empty())
    }

    /// Makes a call of which only the success matters.
    async fn done(&self, call: &Call<'_>) -> Result<(), Error> {
        self.answer::<serde_json::Value>(call).await.map(|_| ())
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer<Option<T>>, Error> {
        match self.try_answer(call).await {
            Err(error) if self.learns_anew(&error).await? => self.try_answer(call).await,
            answer => answer,
        }
    }

    async fn try_answer<T: DeserializeOwned>(
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
                let credential = self.state().map(|remote| remote.credential.clone());
                Err(refusal::judge(
                    call.what,
                    StatusCode::OK,
                    &frame.errors,
                    None,
                    credential.as_ref(),
                ))
            }
        })
        .await
    }

    /// Makes a call whose answer is the value itself; `None` where there is none.
    async fn value(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, Error> {
        let value = match self.try_value(call).await {
            Err(error) if self.learns_anew(&error).await? => self.try_value(call).await,
            value => value,
        };
        match value {
            Ok(value) => Ok(Some(value)),
            Err(Error::Api { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn try_value(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        retry(self.policy, || async {
            let body = self.send(call).await?.bytes().await;
            body.map_err(|error| self.transport(call, &error))
        })
        .await
        .map(|value| value.to_vec())
    }

    async fn send(&self, call: &Call<'_>) -> Result<reqwest::Response, Failure> {
        self.pace.wait(call.is_limited()).await;
        let (account, credential) = match self.state() {
            Some(remote) if call.above_account => (String::new(), Some(remote.credential.clone())),
            Some(remote) => (
                format!("/accounts/{}", encode(&remote.account.id)),
                Some(remote.credential.clone()),
            ),
            None => (String::new(), None),
        };
        let address = format!("{}{account}{}", self.base, call.path);
        let mut request = self
            .http
            .request(call.method.clone(), address)
            .query(&call.query);
        for (name, value) in credential.iter().flat_map(Credential::headers) {
            request = request.header(name, value);
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
        let refused = refusal::judge(call.what, status, &errors, after, credential.as_ref());
        Err(refused)
    }

    fn transport(&self, call: &Call<'_>, error: &reqwest::Error) -> Failure {
        let host = reqwest::Url::parse(&self.base)
            .ok()
            .and_then(|url| {
                let port = url
                    .port()
                    .map(|port| format!(":{port}"))
                    .unwrap_or_default();
                Some(format!("{}{port}", url.host_str()?))
            })
            .unwrap_or_else(|| self.base.clone());
        // The cause at the end of the chain is what helps: "Connection refused", "dns error", …
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let network = Error::Network {
            host,
            what: call.what,
            reason: cause.to_string(),
            local: self.is_local(),
        };
        // A local runtime that is not there will not come by waiting a second. A question that was not answered in time
        // is asked in parts by the caller, and never again as it was.
        let unanswered = error.is_timeout() && !error.is_connect() && call.reads_database();
        if error.is_builder() || (self.is_local() && error.is_connect()) || unanswered {
            Failure::Permanent(network)
        } else {
            Failure::Transient {
                error: network,
                after: None,
            }
        }
    }
}

/// Returns whether an address is this machine itself.
fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Builds the transport. What runs on this machine is never asked through a proxy.
fn http(loopback: bool) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder();
    let builder = if loopback {
        builder.no_proxy()
    } else {
        builder
    };
    builder
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

fn date(response: &reqwest::Response) -> Option<Timestamp> {
    let text = header_text(response, header::DATE)?;
    http_time(text)
}

/// Reads a time as HTTP writes it: `Mon, 23 Nov 2026 17:57:06 GMT`.
fn http_time(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

/// `Retry-After` in seconds, or as a date by the server's own clock.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = header_text(response, header::RETRY_AFTER)?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_time(text)?;
    let now = date(response).unwrap_or_else(Timestamp::now);
    Duration::try_from(until.duration_since(now)).ok()
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
    fn loopback_is_told_from_other_hosts() {
        for (address, expected) in [
            ("http://127.0.0.1:8787/x", true),
            ("http://localhost/x", true),
            ("http://[::1]:80/x", true),
            ("https://api.cloudflare.com/client/v4", false),
            ("http://10.0.0.1/x", false),
        ] {
            let url = reqwest::Url::parse(address).unwrap();
            assert_eq!(is_loopback(&url), expected, "{address}");
        }
    }
}
