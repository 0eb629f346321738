//! Every kind of run that the local runtime knows, from a Worker that does them all to the rows in D1.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use checkout::wait_for;
use harness::{Row, System, SystemBuilder};
use serde_json::json;

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

const KINDS: &str = r#"
name = "kinds"
main = "workers/kinds.js"
compatibility_date = "2026-11-01"
compatibility_flags = ["nodejs_compat"]
tail_consumers = [{ service = "tail-ingest" }]
services = [{ binding = "NAMED", service = "kinds", entrypoint = "Named" }]
durable_objects.bindings = [{ name = "THINGS", class_name = "Thing" }]
migrations = [{ tag = "v1", new_sqlite_classes = ["Thing"] }]
workflows = [{ name = "flow", binding = "FLOW", class_name = "Flow" }]
queues.producers = [{ binding = "EVENTS", queue = "kinds" }]
queues.consumers = [{ queue = "kinds", max_batch_timeout = 1 }]
triggers.crons = ["1 2 3 4 5", "2 3 4 5 6"]
"#;

/// The rows of one correlation id once `count` have come: no more may come after them, so one beyond is waited for in
/// vain by nobody, and found at the end of the test.
fn rows(system: &System, correlation_id: &str, count: usize) -> Vec<Row> {
    let database = system.database().unwrap();
    let rows = wait_for(&format!("{count} rows of {correlation_id}"), LIMIT, || {
        let rows = database.correlated(correlation_id)?;
        Ok((rows.len() >= count).then_some(rows))
    })
    .unwrap_or_else(|error| {
        let found = database.correlated(correlation_id).unwrap();
        panic!(
            "{error}\nfound: {found:#?}\n{}",
            system.server.output_tail()
        )
    });
    assert_eq!(rows.len(), count, "{rows:#?}");
    // Locally the runtime does not say which Worker ran: only a run that logs a line can be told.
    for request in rows.iter().map(|row| &row.request_id) {
        let run: Vec<&Row> = rows
            .iter()
            .filter(|row| row.request_id == *request)
            .collect();
        if run.iter().any(|row| row.context("kind") == "log") {
            assert!(
                run.iter().all(|row| row.worker_name == "kinds"),
                "a run without its Worker's name: {run:#?}"
            );
        }
    }
    rows
}

fn of_kind<'a>(rows: &'a [Row], kind: &str) -> Vec<&'a Row> {
    rows.iter()
        .filter(|row| row.context("kind") == kind)
        .collect()
}

/// Returns what the rows say, without what belongs to each run alone.
fn said(rows: &[Row]) -> Vec<(&str, &str, &str)> {
    rows.iter()
        .map(|row| {
            (
                row.context("kind").as_str().unwrap(),
                row.log_level.as_str(),
                row.message.as_str(),
            )
        })
        .collect()
}

#[test]
fn every_kind_of_run_is_found_row_by_row() {
    let mut builder = SystemBuilder::workers(&["tail-ingest", "log-writer"]).unwrap();
    let system = builder.add_first(KINDS).unwrap().start().unwrap();
    let get = |path: &str, id: &str| {
        system
            .request("GET", path, &[("x-correlation-id", id)], "")
            .unwrap()
            .0
    };
    for kind in [
        "console",
        "characters",
        "nul",
        "long",
        "many",
        "channel",
        "rpc",
        "object",
        "queue",
        "workflow",
    ] {
        assert_eq!(
            get(
                &format!("/{kind}?token=query-secret"),
                &format!("trace-of-{kind}")
            ),
            200
        );
    }
    assert_eq!(get("/nothing", "trace-of-nothing"), 404);
    system.server.fire_cron("kinds", "1 2 3 4 5").unwrap();
    // This run throws; how the runtime answers whoever fired it is not the question here.
    let _ = system.server.fire_cron("kinds", "2 3 4 5 6");

    consoles(&system);
    characters(&system);
    sizes(&system);
    runs(&system);

    let database = system.database().unwrap();
    for secret in ["query-secret", "channel-secret"] {
        let leaks = database
            .rows("instr(message || context_json, ?1) > 0", secret)
            .unwrap();
        assert!(leaks.is_empty(), "{secret} is stored: {leaks:#?}");
    }
}

fn consoles(system: &System) {
    let rows = rows(system, "trace-of-console", 5);
    assert_eq!(
        said(&rows),
        [
            ("invocation", "info", "GET /console 200 (0 ms)"),
            ("log", "debug", r#"plain 1 {"a":[true,null]}"#),
            ("log", "error", "structured"),
            ("log", "error", "failed: PaymentError: card declined"),
            ("log", "info", ""),
        ]
    );
    assert_eq!(rows[1].context("args"), &json!([1, {"a": [true, null]}]));
    assert_eq!(rows[2].context("data"), &json!({"n": 1}));
    let error = &rows[3].context("errors")[0];
    assert_eq!(error["name"], "PaymentError");
    assert!(
        error["stack"]
            .as_str()
            .unwrap()
            .starts_with("PaymentError: card declined\n    at ")
    );
    let request = &rows[0].request_id;
    assert!(rows.iter().all(|row| row.request_id == *request));
}

fn characters(system: &System) {
    let rows = rows(system, "trace-of-characters", 4);
    let strange = &rows[1].message;
    assert!(
        strange.starts_with("nul\u{0}control\u{1}\u{1f}\u{7f}half") && strange.ends_with("crab🦀"),
        "{strange:?}"
    );
    assert_eq!(rows[2].message, "huge");
    assert_eq!(
        rows[2].context("data").to_string(),
        r#"{"n":12345678901234567890}"#
    );
    assert!(rows[3].message.contains("[[[["), "{:?}", rows[3].message);

    let rows = self::rows(system, "trace-of-nul", 4);
    let messages: Vec<&str> = rows
        .iter()
        .skip(1)
        .map(|row| row.message.as_str())
        .collect();
    assert_eq!(messages, ["before", "a\0Llog 1\0b", "after\0"]);
}

fn sizes(system: &System) {
    let rows_of_long = rows(system, "trace-of-long", 2);
    let long = &rows_of_long[1];
    assert!(long.message.starts_with("ééé") && long.message.len() < 128_000);
    assert!(
        long.context.to_string().contains("180000"),
        "the original length is not told: {}",
        &long.context
    );

    // 256 KiB of lines: more than two queue messages, and then the runtime stops keeping them.
    let database = system.database().unwrap();
    let rows = wait_for("the end of the truncated run", LIMIT, || {
        let rows = database.correlated("trace-of-many")?;
        Ok((of_kind(&rows, "log").len() > 200).then_some(rows))
    })
    .unwrap();
    let invocation = of_kind(&rows, "invocation")[0];
    assert_eq!(invocation.context("truncated"), true);
    let sequence: Vec<u64> = rows
        .iter()
        .map(|row| row.context("seq").as_u64().unwrap())
        .collect();
    let whole: Vec<u64> = (0..rows.len() as u64).collect();
    assert_eq!(
        sequence, whole,
        "a line is missing, doubled or out of order"
    );
}

fn runs(system: &System) {
    let of_channel = rows(system, "trace-of-channel", 2);
    assert_eq!(of_channel[1].context("kind"), "diagnostic");
    assert_eq!(of_channel[1].context("channel"), "orders");
    assert_eq!(of_channel[1].context("data")["order"], 7);

    let of_throw = rows(system, "trace-of-2 3 4 5 6", 3);
    assert_eq!(
        said(&of_throw),
        [
            ("invocation", "error", "cron 2 3 4 5 6 exception"),
            ("log", "info", "ticked"),
            ("exception", "error", "PaymentError: card declined"),
        ]
    );
    assert_eq!(of_throw[0].context("outcome"), "exception");
    assert_eq!(of_throw[2].context("name"), "PaymentError");
    assert!(of_throw[2].context("stack").is_string());

    let of_nothing = rows(system, "trace-of-nothing", 1);
    assert_eq!(of_nothing[0].log_level, "warn");
    assert_eq!(of_nothing[0].message, "GET /nothing 404 (0 ms)");

    for (id, method, entrypoint, says) in [
        ("trace-of-rpc", "ping", "Named", "pinged"),
        ("trace-of-workflow", "run", "Flow", "flowed"),
    ] {
        let rows = rows(system, id, 3);
        let run = rows
            .iter()
            .find(|row| row.context("rpc_method") == method)
            .unwrap_or_else(|| panic!("no {method} in {rows:#?}"));
        assert_eq!(run.message, format!("rpc {method}"));
        assert_eq!(run.context("event_type"), "rpc");
        assert_eq!(run.context("entrypoint"), entrypoint);
        let line = of_kind(&rows, "log")[0];
        assert_eq!(
            (line.message.as_str(), &line.request_id),
            (says, &run.request_id)
        );
    }

    // The request, the Durable Object's method and its alarm: an invocation each, two of them with a line.
    let of_object = rows(system, "trace-of-object", 5);
    let object = of_object
        .iter()
        .find(|row| row.context("rpc_method") == "touch")
        .unwrap();
    assert_eq!(object.context("execution_model"), "durableObject");
    assert!(object.context("durable_object_id").is_string());
    let alarm = of_kind(&of_object, "invocation")
        .into_iter()
        .find(|row| row.context("event_type") == "alarm")
        .unwrap();
    assert_eq!(alarm.message, "alarm");

    // One run of the consumer, whose two messages are told apart.
    let first = rows(system, "trace-of-queue-a", 3);
    assert_eq!(
        said(&first),
        [
            ("invocation", "info", "queue kinds: 2 messages"),
            ("log", "info", "taken"),
            ("log", "info", "done"),
        ]
    );
    assert_eq!(first[0].context("batch_size"), 2);
    let second = rows(system, "trace-of-queue-b", 2);
    assert_eq!(second[0].request_id, first[0].request_id);

    let of_cron = rows(system, "trace-of-1 2 3 4 5", 2);
    assert_eq!(of_cron[0].message, "cron 1 2 3 4 5");
    assert_eq!(of_cron[0].context("cron"), "1 2 3 4 5");
    assert_eq!(of_cron[1].message, "ticked");
}
