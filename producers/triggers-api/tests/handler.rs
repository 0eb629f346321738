//! Every answer of the API, over a host in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use producer_log::{Level, Lines, Logger};
use serde_json::{Value, json};
use triggers_api::answer::Answer;
use triggers_api::event::MAX_BODY_BYTES;
use triggers_api::handler::{BodyError, End, Host, Incoming, QueueError, run};

struct Memory {
    token: Option<&'static str>,
    body: Vec<u8>,
    queue: Result<(), fn() -> QueueError>,
    sent: RefCell<Vec<String>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            token: Some("s3cret"),
            body: br#"{"type":"order.created","payload":{"n":1}}"#.to_vec(),
            queue: Ok(()),
            sent: RefCell::default(),
        }
    }
}

impl Host for Memory {
    fn api_token(&self) -> Option<String> {
        self.token.map(ToOwned::to_owned)
    }
    async fn body(&self, limit: usize) -> Result<Vec<u8>, BodyError> {
        if self.body.len() > limit {
            return Err(BodyError::TooLarge);
        }
        Ok(self.body.clone())
    }
    async fn enqueue(&self, text: &str) -> Result<(), QueueError> {
        self.queue.map_err(|make| make())?;
        self.sent.borrow_mut().push(text.to_owned());
        Ok(())
    }
    fn uuid(&self) -> String {
        "uuid-1".to_owned()
    }
    fn plain_lines(&self) {}
}

/// The memory host never waits, so the first poll is the last.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the memory host waited"),
    }
}

/// The end of a request and the lines it logged, each checked for the correlation id.
fn request(
    host: &Memory,
    method: &str,
    path: &str,
    authorization: Option<&str>,
) -> (End, Vec<(Level, Value)>) {
    let console = Lines::default();
    let log = Logger::new(&console, "triggers-api", "c-1");
    let incoming = Incoming {
        method,
        path,
        authorization,
    };
    let end = ready(run(host, &log, incoming));
    let lines: Vec<(Level, Value)> = console
        .take()
        .into_iter()
        .map(|(level, line)| (level, serde_json::from_str(&line).unwrap()))
        .collect();
    assert!(!lines.is_empty(), "every path logs");
    assert!(
        lines
            .iter()
            .all(|(_, line)| line["correlation_id"] == "c-1")
    );
    (end, lines)
}

fn post(host: &Memory) -> (Answer, Vec<(Level, Value)>) {
    let (end, lines) = request(host, "POST", "/events", Some("Bearer s3cret"));
    let End::Answer(answer) = end else {
        unreachable!("POST /events threw")
    };
    assert_eq!(answer.body["correlation_id"], "c-1");
    (answer, lines)
}

#[test]
fn an_event_is_queued_and_its_ids_are_answered() {
    let host = Memory::default();
    let (answer, _) = post(&host);
    assert_eq!(
        answer,
        Answer::ok(202, json!({"event_id": "uuid-1", "correlation_id": "c-1"}))
    );
    assert_eq!(
        *host.sent.borrow(),
        [
            r#"{"event_id":"uuid-1","correlation_id":"c-1","type":"order.created","payload":{"n":1}}"#
        ]
    );
}

#[test]
fn errors_are_json_with_status_code_and_correlation_id() {
    let host = Memory::default();
    let token = Some("Bearer s3cret");
    for (method, path, authorization, status, code, header) in [
        ("GET", "/", token, 404, "not_found", None),
        (
            "GET",
            "/events",
            token,
            405,
            "method_not_allowed",
            Some(("allow", "POST")),
        ),
        (
            "POST",
            "/debug/throw",
            token,
            405,
            "method_not_allowed",
            Some(("allow", "GET")),
        ),
        (
            "POST",
            "/events",
            None,
            401,
            "unauthorized",
            Some(("www-authenticate", "Bearer")),
        ),
        (
            "GET",
            "/debug/throw",
            Some("Bearer no"),
            401,
            "unauthorized",
            Some(("www-authenticate", "Bearer")),
        ),
    ] {
        let (end, lines) = request(&host, method, path, authorization);
        let End::Answer(answer) = end else {
            unreachable!("{method} {path} threw")
        };
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.body["error"]["code"], code);
        assert_eq!(answer.body["correlation_id"], "c-1");
        assert_eq!(answer.header, header);
        assert_eq!(lines[0].0, Level::Warn);
    }
    assert!(host.sent.borrow().is_empty());
}

#[test]
fn a_body_of_the_limit_is_taken_and_one_byte_more_is_not() {
    let frame = r#"{"type":"a","payload":""}"#.len();
    let fill = "x".repeat(MAX_BODY_BYTES - frame);
    let mut host = Memory {
        body: format!(r#"{{"type":"a","payload":"{fill}"}}"#).into_bytes(),
        ..Memory::default()
    };
    assert_eq!(post(&host).0.status, 202);
    host.body.push(b' ');
    let (answer, _) = post(&host);
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (413, &json!("too_large"))
    );
}

#[test]
fn a_body_that_is_no_event_is_a_400() {
    let host = Memory {
        body: b"{".to_vec(),
        ..Memory::default()
    };
    let (answer, _) = post(&host);
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (400, &json!("invalid_event"))
    );
}

#[test]
fn a_missing_secret_is_one_error_line_and_a_500() {
    let host = Memory {
        token: None,
        ..Memory::default()
    };
    let (answer, lines) = post(&host);
    assert_eq!(answer.status, 500);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].0, Level::Error);
    assert!(
        lines[0].1["message"]
            .as_str()
            .unwrap()
            .contains("API_TOKEN")
    );
}

#[test]
fn a_queue_that_refuses_is_a_503_and_one_that_is_missing_a_500() {
    for (make, status) in [
        (
            (|| QueueError::Refused("full".to_owned())) as fn() -> QueueError,
            503,
        ),
        (|| QueueError::NotBound("undefined".to_owned()), 500),
    ] {
        let host = Memory {
            queue: Err(make),
            ..Memory::default()
        };
        let (answer, lines) = post(&host);
        assert_eq!(answer.status, status);
        let (level, line) = lines.last().unwrap();
        assert_eq!(*level, Level::Error);
        assert_eq!(line["context"]["event_id"], "uuid-1");
    }
}

#[test]
fn debug_throw_ends_in_an_exception_after_its_own_line() {
    let (end, _) = request(
        &Memory::default(),
        "GET",
        "/debug/throw",
        Some("Bearer s3cret"),
    );
    assert_eq!(end, End::Throw);
}
