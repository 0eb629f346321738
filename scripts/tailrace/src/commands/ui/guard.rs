//! The rules for who may ask. Any page that the browser shows can send requests to this machine, and any name can be made to lead to
//! it, so a request is served only if
//!
//! 1. its Host names this machine, whatever the port: a tunnel has another one;
//! 2. its Origin, where it is sent, is that host;
//! 3. `Sec-Fetch-Site`, where it is sent, says that this page asks, or for the page itself that the user does;
//! 4. it has the cookie of this run, which the printed address gives in exchange for its secret.
//!
//! The secret is the whole of the right to enter, so an address with it is taken wherever it was opened: a file that a
//! browser opens is a stranger to `Sec-Fetch-Site`. It is answered with a page that leads on to the address without it,
//! and not with a redirect: after one from another site a browser keeps a `SameSite=Strict` cookie back.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::sync::Arc;

use crate::Error;

/// Headers of every answer. `trusted-types` makes the browser refuse markup made of text.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The page that leads from the address with the secret to the one without it.
const ENTRY: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>Tailrace</title><meta http-equiv="refresh" content="0;url=/"><p><a href="/">Open the logs</a>"#;

/// The secret and the cookie that let a visitor in: made anew at each start.
#[derive(Debug)]
pub(super) struct Guard {
    secret: String,
    cookie: String,
}

/// The decision about a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Serve,
    /// Hand the cookie out, under this name.
    Enter(String),
    Refuse(StatusCode, &'static str),
}

impl Guard {
    /// Makes a secret and a cookie.
    ///
    /// # Errors
    /// Fails if the system has no randomness.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            secret: random_text()?,
            cookie: random_text()?,
        })
    }

    /// Returns the address that lets somebody in.
    #[must_use]
    pub(super) fn entry_url(&self, address: SocketAddr) -> String {
        format!("http://{address}/?key={}", self.secret)
    }

    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let refuse = |why| Verdict::Refuse(StatusCode::FORBIDDEN, why);
        if method != Method::GET && method != Method::HEAD {
            return Verdict::Refuse(StatusCode::METHOD_NOT_ALLOWED, "This page only reads.");
        }
        let Some(host) = text(headers, &header::HOST) else {
            return refuse("The request does not say which host it is for.");
        };
        let Some(port) = loopback_port(host) else {
            return refuse("This page is served under 127.0.0.1, localhost or [::1] alone.");
        };
        let is_page = uri.path() == "/";
        let key = uri
            .query()
            .and_then(|query| query.split('&').find_map(|part| part.strip_prefix("key=")));
        let name = format!("tailrace_{port}");
        if let Some(key) = key.filter(|_| is_page) {
            return if same(key, &self.secret) {
                Verdict::Enter(name)
            } else {
                refuse(
                    "This key is that of another run. Open the address that `tailrace ui` printed last.",
                )
            };
        }
        if headers.contains_key(header::ORIGIN)
            && text(headers, &header::ORIGIN).and_then(|origin| origin.strip_prefix("http://"))
                != Some(host)
        {
            return refuse("Another page asked. Only this page may.");
        }
        match text(headers, &HeaderName::from_static("sec-fetch-site")) {
            None if !headers.contains_key("sec-fetch-site") => {}
            Some("same-origin") => {}
            Some("none") if is_page => {}
            _ => return refuse("Another page asked. Only this page may."),
        }
        if cookies(headers).any(|(own, value)| own == name && same(value, &self.cookie)) {
            Verdict::Serve
        } else {
            refuse("Open the address that `tailrace ui` printed: it holds the key to this page.")
        }
    }
}

/// Serves a request that may be served, and hardens every answer.
pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let verdict = guard.judge(request.method(), request.uri(), request.headers());
    let mut answer = match verdict {
        Verdict::Serve => next.run(request).await,
        Verdict::Enter(name) => {
            let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Strict", guard.cookie);
            ([(header::SET_COOKIE, cookie)], Html(ENTRY)).into_response()
        }
        Verdict::Refuse(status, why) => (status, why).into_response(),
    };
    for (name, value) in HEADERS {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Returns what an address that is not there answers.
pub(super) async fn not_found() -> Response<Body> {
    (StatusCode::NOT_FOUND, "There is nothing here.").into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    // What is said twice is not to be relied on.
    all.next().is_none().then_some(first)
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// Returns the port of a Host that names this machine: 80 where it has none.
fn loopback_port(host: &str) -> Option<u16> {
    let rest = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .find_map(|name| host.strip_prefix(name))?;
    match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok(),
        Some(_) => None,
        None => rest.is_empty().then_some(80),
    }
}

/// Compares in a time that does not tell where two texts differ.
fn same(given: &str, expected: &str) -> bool {
    given.len() == expected.len()
        && given
            .bytes()
            .zip(expected.bytes())
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
}

fn random_text() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes)
        .map_err(|error| Error::io("make a secret")(std::io::Error::other(error)))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(guard: &Guard, path: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        guard.judge(&Method::GET, &path.parse().unwrap(), &map)
    }

    fn guard() -> Guard {
        Guard {
            secret: "open-sesame".to_owned(),
            cookie: "crumbs".to_owned(),
        }
    }

    #[test]
    fn only_a_host_that_names_this_machine_is_served() {
        for (host, served) in [
            ("127.0.0.1:8799", true),
            ("localhost:8799", true),
            ("[::1]:8799", true),
            // A tunnel has a port of its own.
            ("localhost:9000", true),
            ("127.0.0.1", true),
            ("127.0.0.1.evil.example:8799", false),
            ("localhost.evil.example", false),
            ("evil.example:8799", false),
            ("192.168.0.2:8799", false),
            ("127.0.0.1:80x", false),
            ("", false),
        ] {
            let port = loopback_port(host).unwrap_or(8799);
            let cookie = format!("tailrace_{port}=crumbs");
            let verdict = judged(&guard(), "/", &[("host", host), ("cookie", &cookie)]);
            assert_eq!(verdict == Verdict::Serve, served, "{host}: {verdict:?}");
        }
        let twice = [
            ("host", "localhost:1"),
            ("host", "evil.example"),
            ("cookie", "tailrace_1=crumbs"),
        ];
        assert_ne!(judged(&guard(), "/", &twice), Verdict::Serve);
    }

    #[test]
    fn only_this_page_is_served() {
        let host = ("host", "127.0.0.1:8799");
        let cookie = ("cookie", "other=1; tailrace_8799=crumbs");
        for (path, more, served) in [
            ("/api/logs", vec![("sec-fetch-site", "same-origin")], true),
            ("/api/logs", vec![("origin", "http://127.0.0.1:8799")], true),
            ("/", vec![("sec-fetch-site", "none")], true),
            ("/api/logs", vec![("sec-fetch-site", "none")], false),
            ("/", vec![("sec-fetch-site", "cross-site")], false),
            ("/", vec![("sec-fetch-site", "same-site")], false),
            // Another page on this machine is of the same site, and not of the same origin.
            ("/api/logs", vec![("sec-fetch-site", "same-site")], false),
            (
                "/api/logs",
                vec![("origin", "http://127.0.0.1:8800")],
                false,
            ),
            ("/api/logs", vec![("origin", "null")], false),
            (
                "/api/logs",
                vec![("origin", "https://127.0.0.1:8799")],
                false,
            ),
        ] {
            let headers = [vec![host, cookie], more].concat();
            let verdict = judged(&guard(), path, &headers);
            assert_eq!(verdict == Verdict::Serve, served, "{headers:?}");
        }
    }

    #[test]
    fn a_visitor_needs_the_cookie_of_this_run_and_port() {
        let host = ("host", "127.0.0.1:8799");
        for cookie in ["", "tailrace_8799=other", "tailrace_8798=crumbs", "crumbs"] {
            let verdict = judged(&guard(), "/api/logs", &[host, ("cookie", cookie)]);
            assert!(matches!(verdict, Verdict::Refuse(StatusCode::FORBIDDEN, _)));
        }
    }

    #[test]
    fn the_secret_lets_in_wherever_its_address_was_opened() {
        let headers = [("host", "localhost:9000"), ("sec-fetch-site", "cross-site")];
        assert_eq!(
            judged(&guard(), "/?key=open-sesame", &headers),
            Verdict::Enter("tailrace_9000".to_owned())
        );
        for wrong in ["/?key=open-sesam", "/?key=", "/api/logs?key=open-sesame"] {
            assert!(matches!(
                judged(&guard(), wrong, &headers),
                Verdict::Refuse(..)
            ));
        }
        let foreign = [("host", "evil.example")];
        assert!(matches!(
            judged(&guard(), "/?key=open-sesame", &foreign),
            Verdict::Refuse(..)
        ));
    }

    #[test]
    fn nothing_but_reading_is_served() {
        let verdict = guard().judge(&Method::POST, &"/".parse().unwrap(), &HeaderMap::new());
        assert!(matches!(
            verdict,
            Verdict::Refuse(StatusCode::METHOD_NOT_ALLOWED, _)
        ));
    }
}
