//! Every verdict on a message, over Workflows in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use producer_log::{Level, Lines};
use queue_consumer::consume::{StartError, Started, Verdict, Workflows, consume};
use serde_json::Value;

/// Starts every instance once; fails where `down`.
#[derive(Default)]
struct Memory {
    down: bool,
    started: RefCell<Vec<String>>,
}

impl Workflows for Memory {
    async fn start(&self, id: &str, options: &str) -> Result<Started, StartError> {
        if self.down {
            return Err(StartError("the service is down".to_owned()));
        }
        let options: Value = serde_json::from_str(options).unwrap();
        assert_eq!(options["id"], id);
        let mut started = self.started.borrow_mut();
        if started.iter().any(|known| known == id) {
            return Ok(Started::Before);
        }
        started.push(id.to_owned());
        Ok(Started::Now)
    }
}

/// The memory Workflows never wait, so the first poll is the last.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the memory Workflows waited"),
    }
}

/// The verdict, the worst level logged, and the correlation ids that the lines had.
fn settle(workflows: &Memory, body: Option<&str>) -> (Verdict, Level, Vec<String>) {
    let console = Lines::default();
    let verdict = ready(consume(workflows, &console, "m-1", body));
    let lines = console.take();
    let ids = lines
        .iter()
        .map(|(_, line)| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["correlation_id"].as_str().unwrap().to_owned()
        })
        .collect();
    (verdict, lines.last().unwrap().0, ids)
}

const EVENT: &str = r#"{"event_id":"e-1","correlation_id":"c-1","type":"a","payload":null}"#;
const OTHER: &str = r#"{"event_id":"e-2","correlation_id":"c-2","type":"a","payload":null}"#;

#[test]
fn each_event_starts_its_workflow_and_logs_under_its_own_id() {
    let workflows = Memory::default();
    let (verdict, _, ids) = settle(&workflows, Some(EVENT));
    assert_eq!((verdict, ids), (Verdict::Ack, vec!["c-1".to_owned(); 2]));
    let (verdict, _, ids) = settle(&workflows, Some(OTHER));
    assert_eq!((verdict, ids), (Verdict::Ack, vec!["c-2".to_owned(); 2]));
    assert_eq!(*workflows.started.borrow(), ["e-1", "e-2"]);
}

#[test]
fn a_repeated_delivery_starts_nothing_and_is_acked() {
    let workflows = Memory::default();
    settle(&workflows, Some(EVENT));
    let (verdict, level, _) = settle(&workflows, Some(EVENT));
    assert_eq!((verdict, level), (Verdict::Ack, Level::Warn));
    assert_eq!(*workflows.started.borrow(), ["e-1"]);
}

#[test]
fn what_cannot_be_decoded_or_started_is_retried() {
    let down = Memory {
        down: true,
        ..Memory::default()
    };
    let (verdict, level, ids) = settle(&down, Some(EVENT));
    assert_eq!((verdict, level), (Verdict::Retry, Level::Error));
    assert_eq!(ids, ["c-1", "c-1"]);
    for body in [None, Some("no event")] {
        let (verdict, level, ids) = settle(&Memory::default(), body);
        assert_eq!((verdict, level), (Verdict::Retry, Level::Error));
        assert_eq!(ids, ["m-1"]);
    }
}
