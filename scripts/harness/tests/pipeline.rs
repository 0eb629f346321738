//! From a producer's log line to a row in D1, in the real local runtime: the whole system as it is configured.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use checkout::wait_for;
use harness::system::API_TOKEN;
use harness::{Row, System, SystemBuilder};
use serde_json::Value;

/// The time until a row is there. It takes about ten seconds: the queues' batch timeouts (1 s for events, 5 s
/// for logs) come first, and the rest of this limit is for a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// The system, shared by the tests that run at the same time; the last one to let go of it stops it.
fn start() -> Arc<System> {
    static SHARED: Mutex<Weak<System>> = Mutex::new(Weak::new());
    // A test that failed to start it has poisoned nothing: the next one tries again.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let system = Arc::new(SystemBuilder::whole().unwrap().start().unwrap());
        *shared = Arc::downgrade(&system);
        system
    })
}

fn bearer() -> String {
    format!("Bearer {API_TOKEN}")
}

/// One of the sample API's routes for trying things.
fn debug(system: &System, path: &str, correlation_id: &str) -> u16 {
    let headers = [
        ("authorization", bearer()),
        ("x-correlation-id", correlation_id.to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    system.request("GET", path, &headers, "").unwrap().0
}

fn post_event(system: &System, correlation_id: &str) -> (u16, String, Value) {
    let (status, headers, body) = system
        .request(
            "POST",
            "/events",
            &[
                ("authorization", &bearer()),
                ("content-type", "application/json"),
                ("x-correlation-id", correlation_id),
            ],
            r#"{"type":"user.signup","payload":{"plan":"pro"}}"#,
        )
        .unwrap();
    let echoed = headers["x-correlation-id"].to_str().unwrap().to_owned();
    (status, echoed, serde_json::from_str(&body).unwrap())
}

/// Waits for rows of `correlation_id` that satisfy `enough`.
fn rows_until(system: &System, correlation_id: &str, enough: impl Fn(&[Row]) -> bool) -> Vec<Row> {
    let database = system.database().unwrap();
    wait_for(&format!("the rows of {correlation_id}"), LIMIT, || {
        let rows = database.correlated(correlation_id)?;
        Ok(enough(&rows).then_some(rows))
    })
    .unwrap_or_else(|error| {
        let found = database.correlated(correlation_id).unwrap();
        panic!(
            "{error}\nfound: {found:#?}\n{}",
            system.server.output_tail()
        )
    })
}

fn workers(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.worker_name.as_str()).collect()
}

fn invocation<'a>(rows: &'a [Row], worker: &str) -> &'a Row {
    rows.iter()
        .find(|row| row.worker_name == worker && row.context("kind") == "invocation")
        .unwrap_or_else(|| panic!("no invocation of {worker} in {rows:#?}"))
}

#[test]
fn one_request_is_found_in_every_worker_it_touched() {
    let system = start();
    let (status, echoed, body) = post_event(&system, "trace-of-one-request");
    assert_eq!(status, 202);
    assert_eq!(echoed, "trace-of-one-request");
    assert_eq!(body["correlation_id"], "trace-of-one-request");

    let rows = rows_until(&system, &echoed, |rows| {
        let invocations = rows
            .iter()
            .filter(|row| row.context("kind") == "invocation")
            .count();
        invocations >= 3 && workers(rows).len() >= 3
    });
    assert_eq!(
        workers(&rows),
        BTreeSet::from(["event-workflow", "queue-consumer", "triggers-api"])
    );

    let request = invocation(&rows, "triggers-api");
    assert_eq!(request.context("event_type"), "fetch");
    assert_eq!(request.context("method"), "POST");
    assert_eq!(request.context("path"), "/events");
    assert_eq!(request.context("status"), 202);
    assert_eq!(request.context("outcome"), "ok");
    assert_eq!(
        request.context("headers")["x-correlation-id"],
        "trace-of-one-request"
    );
    assert!(
        !request.context.to_string().contains(API_TOKEN),
        "the bearer token is stored: {}",
        request.context
    );

    let of_request: Vec<&Row> = rows
        .iter()
        .filter(|row| row.request_id == request.request_id)
        .collect();
    assert!(
        of_request.len() > 1,
        "no log lines beside the invocation: {rows:#?}"
    );
    let sequence: Vec<i64> = of_request
        .iter()
        .map(|row| row.context("seq").as_i64().unwrap())
        .collect();
    assert!(
        sequence.is_sorted(),
        "not in the order logged: {of_request:#?}"
    );
    assert!(
        of_request
            .iter()
            .all(|row| row.context("path") == "/events")
    );
}

#[test]
fn an_uncaught_exception_is_an_error_row_of_its_request() {
    let system = start();
    assert_eq!(debug(&system, "/debug/throw", "trace-of-a-throw"), 500);
    let rows = rows_until(&system, "trace-of-a-throw", |rows| {
        rows.iter().any(|row| row.context("kind") == "exception")
    });
    let exception = rows
        .iter()
        .find(|row| row.context("kind") == "exception")
        .unwrap();
    assert_eq!(exception.log_level, "error");
    assert_eq!(exception.worker_name, "triggers-api");
    assert_eq!(exception.context("method"), "GET");
    assert_eq!(exception.context("path"), "/debug/throw");
    assert!(exception.context("name").is_string(), "{exception:#?}");
    assert!(exception.context("stack").is_string(), "{exception:#?}");
    assert!(!exception.message.is_empty());
    let request = invocation(&rows, "triggers-api");
    assert_eq!(request.log_level, "error");
    assert_eq!(request.context("outcome"), "exception");
    assert_eq!(request.request_id, exception.request_id);
}

#[test]
fn plain_text_lines_have_the_level_of_their_console_method() {
    let system = start();
    assert_eq!(debug(&system, "/debug/plain", "trace-of-plain-lines"), 200);
    let rows = rows_until(&system, "trace-of-plain-lines", |rows| rows.len() >= 5);
    let levels: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.context("kind") == "log")
        .map(|row| row.log_level.as_str())
        .collect();
    assert_eq!(levels, BTreeSet::from(["debug", "error", "info", "warn"]));
    assert_eq!(workers(&rows), BTreeSet::from(["triggers-api"]));
}

#[test]
fn a_scheduled_run_is_captured() {
    let system = start();
    system
        .server
        .fire_cron("triggers-api", "0 * * * *")
        .unwrap();
    let database = system.database().unwrap();
    let rows = wait_for("the scheduled run", LIMIT, || {
        let rows = database.rows("message LIKE ?1", "cron %")?;
        Ok((!rows.is_empty()).then_some(rows))
    })
    .unwrap();
    assert_eq!(rows[0].worker_name, "triggers-api");
    assert_eq!(rows[0].context("event_type"), "scheduled");
    assert_eq!(rows[0].context("cron"), "0 * * * *");
}

#[test]
fn refused_requests_are_recorded_with_their_status_as_warnings() {
    let system = start();
    let (status, headers, body) = system
        .request(
            "POST",
            "/events",
            &[("x-correlation-id", "trace-of-a-refusal")],
            "{}",
        )
        .unwrap();
    assert_eq!(status, 401);
    assert_eq!(headers["x-correlation-id"], "trace-of-a-refusal");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["correlation_id"], "trace-of-a-refusal");
    let rows = rows_until(&system, "trace-of-a-refusal", |rows| {
        rows.iter().any(|row| row.context("kind") == "invocation")
    });
    let request = invocation(&rows, "triggers-api");
    assert_eq!(request.context("status"), 401);
    assert_eq!(request.log_level, "warn");
}

#[test]
fn the_pipeline_records_nothing_of_itself() {
    let system = start();
    let (_, id, _) = post_event(&system, "trace-beside-the-pipeline");
    rows_until(&system, &id, |rows| workers(rows).len() >= 3);
    let database = system.database().unwrap();
    for own in ["tail-ingest", "log-writer"] {
        assert!(database.rows("worker_name = ?1", own).unwrap().is_empty());
    }
}

#[test]
fn malformed_settings_are_named_and_the_defaults_stand() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.vary("tail-ingest", |config| {
        config.var("MIN_LEVEL", "loud");
    });
    builder.vary("log-writer", |config| {
        config
            .var("MAX_ATTEMPTS", "many")
            .var("RETENTION_DAYS", true);
    });
    let system = builder.start().unwrap();
    for tag in ["trace-one", "trace-two"] {
        system.log_lines(tag, 3).unwrap();
    }
    rows_until(&system, "trace-one", |rows| rows.len() == 4);
    rows_until(&system, "trace-two", |rows| rows.len() == 4);
    let output = system.server.output();
    let naming = |setting: &str| {
        output
            .lines()
            .filter(|line| line.contains(setting) && line.contains("setting"))
            .count()
    };
    assert_eq!(naming("MIN_LEVEL"), 1, "{output}");
    assert!(naming("MAX_ATTEMPTS") >= 1, "{output}");
    assert!(naming("RETENTION_DAYS") >= 1, "{output}");
}

#[test]
fn a_get_of_tail_ingest_is_answered_and_nothing_else_is() {
    let system = SystemBuilder::workers(&["tail-ingest"])
        .unwrap()
        .start()
        .unwrap();
    let (status, _, body) = system.request("GET", "/", &[], "").unwrap();
    assert_eq!((status, body.as_str()), (200, "OK"));
    let (status, _, _) = system.request("POST", "/", &[], "{}").unwrap();
    assert_eq!(status, 405);
}
