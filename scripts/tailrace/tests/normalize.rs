//! `normalize` as a user runs it. What the records hold is tail-ingest's own matter and tested there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use support::{Ran, bare, signal};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

/// Time that a busy machine may take.
const LIMIT: Duration = Duration::from_secs(60);

const EVENT: &str = r#"{"scriptName":"api","outcome":"ok","eventTimestamp":1795456626376,"event":{"request":{"url":"https://x.test/events","method":"POST","headers":{}},"response":{"status":202}},"logs":[{"timestamp":1795456626377,"level":"log","message":["hello"]}],"exceptions":[],"diagnosticsChannelEvents":[]}"#;

/// An event whose one line says `text`.
fn event(text: &str) -> String {
    EVENT.replace("hello", text)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/normalize")
        .join(name)
}

async fn normalize_file(name: &str) -> Ran {
    let path = fixture(name);
    bare(&["normalize", path.to_str().unwrap()])
        .output()
        .await
        .unwrap()
        .into()
}

fn start(arguments: &[&str]) -> (Child, ChildStdin) {
    let mut child = bare(&[&["normalize", "-"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

async fn normalize(input: impl AsRef<[u8]>, arguments: &[&str]) -> Ran {
    let (child, mut stdin) = start(arguments);
    stdin.write_all(input.as_ref()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap().into()
}

/// The messages of the log lines that are shown.
fn lines(ran: &Ran) -> Vec<String> {
    ran.json()
        .iter()
        .filter(|record| record["context"]["kind"] == "log")
        .map(|record| record["message"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_form_of_input_is_read() {
    for (name, records, code, says) in [
        (
            "stream.ndjson",
            4,
            0,
            "2 trace events: 4 records would be stored",
        ),
        ("stream.ndjson.gz", 4, 0, "2 trace events: 4 records"),
        ("utf8-bom.json", 2, 0, "1 trace event: 2 records"),
        ("bom-crlf.ndjson", 4, 0, "2 trace events: 4 records"),
        (
            "banner-before-json.txt",
            2,
            0,
            "skipped: 3 lines of wrangler's",
        ),
        (
            "banner-before-json-old.txt",
            2,
            0,
            "skipped: 2 lines of wrangler's",
        ),
        ("wrapped-events.json", 4, 0, "2 trace events: 4 records"),
        ("wrapped-traces.json", 2, 0, "1 trace event: 2 records"),
        ("array-of-arrays.json", 6, 0, "3 trace events: 6 records"),
        ("utf16.json", 0, 2, "UTF-16"),
        ("observability-tail.txt", 0, 1, "Workers Observability"),
        ("tail-sampling-notice.json", 0, 0, "sampling mode"),
        ("logpush.ndjson", 5, 0, "2 trace events: 5 records"),
    ] {
        let ran = normalize_file(name).await;
        assert_eq!(ran.code, code, "{name}: {}", ran.stderr);
        assert_eq!(ran.json().len(), records, "{name}: {}", ran.stdout);
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn an_array_one_event_and_one_a_line_are_the_same() {
    for (input, records) in [
        (format!("[{EVENT},{EVENT}]"), 4),
        (EVENT.to_owned(), 2),
        (format!("{EVENT}\n{EVENT}\n"), 4),
        (format!("{EVENT}{EVENT}"), 4),
    ] {
        let ran = normalize(&input, &[]).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = ran.json();
        assert_eq!(found.len(), records);
        assert_eq!(found[0]["context"]["kind"], "invocation");
        assert_eq!(found[1]["message"], "hello");
        assert_eq!(found[1]["worker_name"], "api");
        let ids: std::collections::BTreeSet<_> = found
            .iter()
            .map(|record| record["log_id"].to_string())
            .collect();
        assert_eq!(ids.len(), records, "two records share an id");
    }
}

#[tokio::test]
async fn logpush_is_read_in_both_of_its_spellings() {
    let found = normalize_file("logpush.ndjson").await.json();
    let said: Vec<_> = found
        .iter()
        .map(|record| {
            (
                record["log_level"].as_str().unwrap(),
                record["message"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(said[1], ("warn", "stock is low"));
    assert_eq!(said[2], ("error", "TypeError: x is undefined"));
    assert_eq!(said[4], ("error", "order is lost"));
    assert!(said[0].1.starts_with("GET /orders/7 503"), "{said:?}");
    for (record, ray) in [
        (0, "9c41d2e0aa10beef"),
        (2, "9c41d2e0aa10beef"),
        (4, "9c41d2e0aa10cafe"),
    ] {
        assert_eq!(found[record]["request_id"], ray);
        assert_eq!(found[record]["worker_name"], "shop-api");
    }
    assert_eq!(found[0]["execution_time_ms"], 3);
    assert_eq!(found[4]["timestamp"], "2026-11-25T09:46:41.001Z");
    assert!(!format!("{found:?}").contains("secret-of-a-query"));
}

#[tokio::test]
async fn pretty_is_the_same_over_several_lines() {
    let ran = normalize(EVENT, &["--pretty"]).await;
    let records: Vec<serde_json::Value> = serde_json::Deserializer::from_str(&ran.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(records.len(), 2);
    assert!(ran.stdout.lines().count() > 10);
}

#[tokio::test]
async fn one_broken_event_costs_itself_and_is_named() {
    let (one, two) = (event("one"), event("two"));
    let (cut_off, _) = one.split_once("one").unwrap();
    for (input, place, reason) in [
        (
            format!("{one}\n{{\"outcome\": nope}}\n{two}\n"),
            "line 2 (byte",
            "expected ident",
        ),
        (
            format!("{one}\n{cut_off}\n{two}\n"),
            "line 2 (byte",
            "inside a string",
        ),
        (
            format!("[{one},{{\"outcome\" \"ok\"}},{two}]"),
            "event 2)",
            "a colon is missing",
        ),
        (
            format!("{one}\n{{\n  \"outcome\": \"ok\",\n  \"logs\": [\n}}\n{two}\n"),
            "line 2 (byte",
            "a value is missing",
        ),
        (
            format!("{one}\n{two}\n{cut_off}"),
            "line 3 (byte",
            "the input ends inside it",
        ),
    ] {
        let ran = normalize(&input, &[]).await;
        assert_eq!(ran.code, 1, "{input}");
        assert_eq!(lines(&ran), ["one", "two"], "{input}");
        ran.warns("not read: 1 broken event");
        let error = ran
            .stderr
            .lines()
            .find(|line| line.starts_with("error: "))
            .unwrap();
        assert!(
            error.contains("standard input, ") && error.contains(place) && error.contains(reason),
            "{error}"
        );
    }
    // An event that is not UTF-8, and one that is cut off by the end of gzip.
    let latin1 = [
        one.as_bytes(),
        b"\n{\"outcome\":\"\xe9\",\"logs\":[]}\n",
        two.as_bytes(),
    ]
    .concat();
    let ran = normalize(&latin1, &[]).await;
    assert_eq!(
        (ran.code, lines(&ran)),
        (1, vec!["one".to_owned(), "two".to_owned()])
    );
    let packed = std::fs::read(fixture("stream.ndjson.gz")).unwrap();
    let ran = normalize(&packed[..packed.len() - 12], &[]).await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ran.warns("it cannot be read on");
}

#[tokio::test]
async fn what_is_not_a_trace_event_is_refused_by_name() {
    for (input, says) in [
        (r#"{"level":"info","message":"hi"}"#, "a log line"),
        (
            r#"{"log_id":"1","worker_name":"api","message":"hi"}"#,
            "a record of Tailrace",
        ),
        (r#"{"resourceLogs":[]}"#, "OpenTelemetry data"),
        (
            r#"{"name":"x"}"#,
            "an object without a trace event's members",
        ),
        (
            r#"{"event":"order placed","outcome":"ok"}"#,
            "an object without",
        ),
        ("42", "42 is not a trace event"),
        (r#"[null, "x"]"#, "[null, \"x\"] is not a trace event"),
        (
            "GET /orders 200\n",
            "line 1 is skipped, since it is not JSON: GET /orders 200",
        ),
    ] {
        let ran = normalize(input, &[]).await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (1, ""),
            "{input}: {}",
            ran.stderr
        );
        ran.warns(says);
        // What is right beside it is shown.
        let ran = normalize(format!("{input}\n{EVENT}"), &[]).await;
        assert_eq!(lines(&ran), ["hello"], "{input}: {}", ran.stderr);
    }
    let ran = normalize("GET /orders 200\n", &[]).await;
    ran.warns("hint: trace events are JSON");
    let ran = normalize("", &[]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    ran.warns("0 trace events");
}

#[tokio::test]
async fn an_input_without_trace_events_is_named() {
    for input in ["", " \n", "[]"] {
        let ran = normalize(input, &[]).await;
        let warning = "warning: standard input: no trace events in it";
        assert!(ran.stderr.contains(warning), "{input:?}: {}", ran.stderr);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{input:?}");
    }
    let ran = normalize(EVENT, &[]).await;
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
}

#[tokio::test]
async fn wranglers_troubles_are_passed_on() {
    let input = format!(
        "{EVENT}\n▲ [WARNING] Tail connection lost. Reconnecting (attempt 1 of 5) in 1s...\nReconnected to api.\n{EVENT}\n"
    );
    let ran = normalize(&input, &[]).await;
    assert_eq!((ran.code, lines(&ran).len()), (0, 2));
    ran.warns("warning: wrangler says: ▲ [WARNING] Tail connection lost");
    ran.warns("skipped: 2 lines of wrangler's");
}

#[tokio::test]
async fn several_files_are_read_and_a_missing_one_is_named() {
    let stream = fixture("stream.ndjson");
    let ran: Ran = bare(&[
        "normalize",
        stream.to_str().unwrap(),
        "no-such-file.json",
        fixture("utf8-bom.json").to_str().unwrap(),
    ])
    .output()
    .await
    .unwrap()
    .into();
    assert_eq!((ran.code, ran.json().len()), (2, 6));
    ran.warns("no-such-file.json: No such file");
    ran.warns("3 trace events: 6 records would be stored");
    let folder = fixture("");
    let ran: Ran = bare(&["normalize", folder.to_str().unwrap()])
        .output()
        .await
        .unwrap()
        .into();
    assert_eq!(ran.code, 2);
    ran.warns("directory");
}

/// Reads the next `count` lines, each of which must come while the input stays open.
async fn next_lines(stdout: &mut (impl tokio::io::AsyncBufRead + Unpin), count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let read = timeout(LIMIT, stdout.read_line(&mut text)).await;
        assert!(read.expect("an event is held back").unwrap() > 0, "{text}");
    }
    text
}

#[tokio::test]
async fn each_event_is_shown_as_it_arrives() {
    let (mut child, mut stdin) = start(&[]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for text in ["one", "two"] {
        // As wrangler prints it: over several lines, without a line end that tells that it is complete.
        let indented: serde_json::Value = serde_json::from_str(&event(text)).unwrap();
        let indented = serde_json::to_string_pretty(&indented).unwrap();
        stdin.write_all(indented.as_bytes()).await.unwrap();
        assert!(next_lines(&mut stdout, 2).await.contains(text));
    }
    drop(stdin);
    assert!(
        timeout(LIMIT, child.wait())
            .await
            .unwrap()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn ctrl_c_shows_what_has_arrived_and_what_still_comes() {
    let (mut child, mut stdin) = start(&[]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stdin.write_all(event("before").as_bytes()).await.unwrap();
    next_lines(&mut stdout, 2).await;
    signal(child.id().unwrap(), "-INT");
    assert!(next_lines(&mut stderr, 1).await.contains("stopping"));
    // Wrangler had this one in hand when the signal reached it, and ends after it.
    stdin.write_all(event("after").as_bytes()).await.unwrap();
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("after"), "{rest}");
    let mut said = String::new();
    stderr.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("2 trace events: 4 records"), "{said}");
    assert_eq!(
        timeout(LIMIT, child.wait()).await.unwrap().unwrap().code(),
        Some(0)
    );
}

#[tokio::test]
async fn a_second_ctrl_c_stops_at_once() {
    let (mut child, mut stdin) = start(&[]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stdin.write_all(event("before").as_bytes()).await.unwrap();
    next_lines(&mut stdout, 2).await;
    signal(child.id().unwrap(), "-INT");
    next_lines(&mut stderr, 1).await;
    signal(child.id().unwrap(), "-INT");
    // The input stays open.
    let status = timeout(LIMIT, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    let mut said = String::new();
    stderr.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("1 trace event: 2 records"), "{said}");
    drop(stdin);
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_is_no_error() {
    let (mut child, mut stdin) = start(&[]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(EVENT.as_bytes()).await.unwrap();
    next_lines(&mut stdout, 1).await;
    drop(stdout);
    let many = EVENT.repeat(1_000);
    // It may end before it has read all of it.
    let _ = stdin.write_all(many.as_bytes()).await;
    drop(stdin);
    let ran: Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

/// The most memory that a run has had in use so far, in kB.
#[cfg(target_os = "linux")]
fn peak_kilobytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_input_takes_little_memory() {
    const EVENTS: usize = 1_000;
    for (open, close) in [("", ""), ("[", "]"), ("{\"events\":[", "]}")] {
        let (mut child, mut stdin) = start(&["--set", "EXCLUDED_WORKERS=ap*"]);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let large = event(&"x".repeat(100_000)) + if open.is_empty() { "\n" } else { "," };
        stdin.write_all(open.as_bytes()).await.unwrap();
        for _ in 1..EVENTS {
            stdin.write_all(large.as_bytes()).await.unwrap();
        }
        // All but what a pipe and a few chunks hold is read.
        let peak = peak_kilobytes(child.id().unwrap());
        stdin.write_all(EVENT.as_bytes()).await.unwrap();
        stdin.write_all(close.as_bytes()).await.unwrap();
        drop(stdin);
        let mut said = String::new();
        stderr.read_to_string(&mut said).await.unwrap();
        assert!(
            timeout(LIMIT, child.wait())
                .await
                .unwrap()
                .unwrap()
                .success(),
            "{said}"
        );
        assert!(said.contains("1,000 trace events: 0 records"), "{said}");
        assert!(peak < 50_000, "{peak} kB for {open}");
    }
}

#[tokio::test]
async fn settings_are_tried_and_what_they_drop_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wrangler = file(
        "wrangler.toml",
        "name = \"tail-ingest\"\n[vars]\nMIN_LEVEL = \"error\"\nSAMPLE_RATE = 1\n\
         [env.staging.vars]\nEXCLUDED_WORKERS = \"ap*\"\n",
    );
    let own = file(
        "tailrace.toml",
        "min_level = \"warn\"\nretention_days = 3\n[env.staging]\nexcluded_workers = [\"api\"]\n",
    );
    for (arguments, says) in [
        (
            vec!["--set", "min_level=WARNING"],
            "2 records below MIN_LEVEL=warn dropped",
        ),
        (
            vec!["--set", "SAMPLE_RATE=0"],
            "2 records outside SAMPLE_RATE=0 dropped",
        ),
        (
            vec!["--config", &wrangler],
            "2 records below MIN_LEVEL=error dropped",
        ),
        (
            vec!["--config", &own],
            "2 records below MIN_LEVEL=warn dropped",
        ),
        (
            vec!["--config", &wrangler, "--env", "staging"],
            "2 records of EXCLUDED_WORKERS",
        ),
        (
            vec!["--config", &own, "--env", "staging"],
            "2 records of EXCLUDED_WORKERS",
        ),
    ] {
        let ran = normalize(EVENT, &arguments).await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (0, ""),
            "{arguments:?}: {}",
            ran.stderr
        );
        ran.warns(&format!("1 trace event: 0 records would be stored, {says}"));
    }
    // The command line counts most.
    let ran = normalize(EVENT, &["--config", &wrangler, "--set", "MIN_LEVEL=debug"]).await;
    assert_eq!(ran.json().len(), 2, "{}", ran.stderr);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vars.toml");
    let path = path.to_str().unwrap();
    std::fs::write(path, "[vars]\nOTHER = 1\n").unwrap();
    for (arguments, says) in [
        (
            vec!["--set", "LEVEL=warn"],
            "tail-ingest has no setting LEVEL; it has MIN_LEVEL",
        ),
        (vec!["--set", "MIN_LEVEL"], "NAME=VALUE"),
        (vec!["--config", "no-such.toml"], "no-such.toml"),
    ] {
        let ran: Ran = bare(&[&["normalize", "-"], arguments.as_slice()].concat())
            .output()
            .await
            .unwrap()
            .into();
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        ran.warns(says);
    }
    let json = folder.path().join("wrangler.jsonc");
    std::fs::write(&json, "{}").unwrap();
    let ran = normalize("", &["--config", json.to_str().unwrap()]).await;
    assert_eq!(ran.code, 2);
    ran.warns("is JSON, and only TOML is read");
    let ran = normalize(EVENT, &["--config", path, "--env", "staging"]).await;
    assert_eq!((ran.code, ran.json().len()), (0, 2));
    ran.warns("has no environment \"staging\"; what it sets for all is used");
    let ran = normalize(EVENT, &["--config", path, "--set", "SAMPLE_RATE=lots"]).await;
    assert_eq!((ran.code, ran.json().len()), (0, 2));
    ran.warns("sets nothing that tail-ingest reads");
    ran.warns("warning: setting SAMPLE_RATE");
}

#[tokio::test]
async fn a_setting_can_be_tried_through_the_environment() {
    let mut child = bare(&["normalize", "-"])
        .env("MIN_LEVEL", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(EVENT.as_bytes()).await.unwrap();
    drop(stdin);
    let ran: Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    ran.warns("2 records below MIN_LEVEL=error dropped");
}
