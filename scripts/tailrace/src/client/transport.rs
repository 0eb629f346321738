//! Requests and replies: addresses, headers, deadlines, proxies, certificates, and failures of the network.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Response, Url, header};

use super::answer::read_errors;
use super::call::{Call, Reply, encode};
use super::pace::Pace;
use super::refusal;
use crate::Error;
use crate::credentials::Credential;
use crate::retry::Failure;

/// The connection to one API.
#[derive(Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    /// The address of the API, without a trailing slash.
    base: String,
    /// Tells the local runtime's from Cloudflare's.
    is_local: bool,
    pub(super) pace: Pace,
}

/// The account that a call is for, and what opens it.
pub(super) struct Access {
    pub(super) account: String,
    pub(super) credential: Credential,
}

impl Transport {
    /// Prepares calls to the API at `base`.
    pub(super) fn to_api(base: &str) -> Result<Self, Error> {
        let Some(url) = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
        else {
            return Err(Error::Usage(format!(
                "CLOUDFLARE_API_BASE_URL: \"{base}\" is not an address; leave it unset for Cloudflare's own"
            )));
        };
        Ok(Self {
            http: build_http(is_loopback(&url))?,
            base: base.to_owned(),
            is_local: false,
            pace: Pace::of_the_api(),
        })
    }

    /// Prepares calls to the local runtime on `port`.
    pub(super) fn to_local(port: u16) -> Result<Self, Error> {
        Ok(Self {
            http: build_http(true)?,
            base: format!("http://127.0.0.1:{port}/cdn-cgi/local/explorer/api"),
            is_local: true,
            pace: Pace::unlimited(),
        })
    }

    /// Makes a call once.
    pub(super) async fn send(
        &self,
        call: &Call<'_>,
        access: Option<&Access>,
    ) -> Result<Reply, Failure> {
        self.pace.wait(call.is_limited()).await;
        let account = access
            .filter(|_| !call.above_account)
            .map(|access| format!("/accounts/{}", encode(&access.account)))
            .unwrap_or_default();
        let address = format!("{}{account}{}", self.base, call.path);
        let credential = access.map(|access| &access.credential);
        let mut request = self
            .http
            .request(call.method.clone(), address)
            .query(&call.query);
        for (name, value) in credential.into_iter().flat_map(Credential::headers) {
            request = request.header(name, value);
        }
        if let Some(json) = &call.json {
            request = request.json(json);
        }
        let failed = |error: reqwest::Error| self.network_failure(call, &error);
        let response = request.send().await.map_err(failed)?;
        let (status, date) = (response.status(), date(&response));
        if status.is_success() {
            let body = response.bytes().await.map_err(failed)?.to_vec();
            return Ok(Reply { body, date });
        }
        let after = retry_after(&response);
        let body = response.bytes().await.unwrap_or_default();
        let errors = read_errors(&body);
        Err(refusal::judge(
            call.what, status, &errors, after, credential,
        ))
    }

    fn network_failure(&self, call: &Call<'_>, error: &reqwest::Error) -> Failure {
        let network = Error::Network {
            host: name_host(&self.base),
            what: call.what,
            reason: name_cause(error),
            local: self.is_local,
        };
        // A local runtime that is not there will not come by waiting a second, nor will trust in a certificate. A question
        // that was not answered in time is asked in parts by the caller, and never again as it was.
        let unanswered = error.is_timeout() && !error.is_connect() && call.reads_database();
        let stays = error.is_builder() || network.is_untrusted();
        if stays || (self.is_local && error.is_connect()) || unanswered {
            Failure::Permanent(network)
        } else {
            Failure::Transient {
                error: network,
                after: None,
            }
        }
    }
}

/// Builds the HTTP client. What runs on this machine is never asked through a proxy.
fn build_http(loopback: bool) -> Result<reqwest::Client, Error> {
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
            reason: name_cause(&error),
            local: false,
        })
}

/// Returns whether an address is this machine itself.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Returns the host of an address, with its port where it has one.
fn name_host(address: &str) -> String {
    let host = || {
        let url = Url::parse(address).ok()?;
        let port = url.port().map(|port| format!(":{port}"));
        Some(format!("{}{}", url.host_str()?, port.unwrap_or_default()))
    };
    host().unwrap_or_else(|| address.to_owned())
}

/// Returns the cause at the end of the chain, which is what helps: "Connection refused", "dns error", …
fn name_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn header_text(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn date(response: &Response) -> Option<Timestamp> {
    parse_http_time(header_text(response, header::DATE)?)
}

/// Reads a time as HTTP writes it: `Mon, 23 Nov 2026 17:57:06 GMT`.
fn parse_http_time(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

/// Returns `Retry-After`, which is in seconds, or a date by the server's own clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = header_text(response, header::RETRY_AFTER)?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = parse_http_time(text)?;
    let now = date(response).unwrap_or_else(Timestamp::now);
    Duration::try_from(until.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_other_hosts() {
        for (address, expected) in [
            ("http://127.0.0.1:8787/x", true),
            ("http://localhost/x", true),
            ("http://[::1]:80/x", true),
            ("https://api.cloudflare.com/client/v4", false),
            ("http://10.0.0.1/x", false),
        ] {
            let url = Url::parse(address).unwrap();
            assert_eq!(is_loopback(&url), expected, "{address}");
        }
    }
}
