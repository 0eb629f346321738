//! `normalize` as a user runs it. What the records hold is tail-ingest's own matter and tested there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::process::Stdio;

use support::{Ran, bare};
use tokio::io::AsyncWriteExt as _;

const EVENT: &str = r#"{"scriptName":"api","outcome":"ok","eventTimestamp":1795456626376,"event":{"request":{"url":"https://x.test/events","method":"POST","headers":{}},"response":{"status":202}},"logs":[{"timestamp":1795456626377,"level":"log","message":["hello"]}],"exceptions":[],"diagnosticsChannelEvents":[]}"#;

async fn normalize(input: &str, more: &[&str]) -> Ran {
    let mut child = bare(&[&["normalize", "-"], more].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .await
        .unwrap();
    child.wait_with_output().await.unwrap().into()
}

#[tokio::test]
async fn an_array_one_event_and_one_a_line_give_a_record_a_line() {
    for (input, records) in [
        (format!("[{EVENT},{EVENT}]"), 4),
        (EVENT.to_owned(), 2),
        (format!("{EVENT}\n{EVENT}\n"), 4),
    ] {
        let ran = normalize(&input, &[]).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = ran.json();
        assert_eq!(found.len(), records);
        assert_eq!(found[0]["context"]["kind"], "invocation");
        assert_eq!(found[1]["message"], "hello");
        assert_eq!(found[1]["worker_name"], "api");
    }
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
async fn a_bad_file_is_one_clear_error_and_exit_code_2() {
    let ran = normalize("[{\"a\": nope}]", &[]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("line 1"), "{}", ran.stderr);
    let ran: Ran = bare(&["normalize", "no-such-file.json"])
        .output()
        .await
        .unwrap()
        .into();
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no-such-file.json"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_setting_of_the_worker_can_be_tried_through_the_environment() {
    let mut command = bare(&["normalize", "-"]);
    let mut child = command
        .env("MIN_LEVEL", "error")
        .env("SAMPLE_RATE", "lots")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(EVENT.as_bytes())
        .await
        .unwrap();
    let ran: Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(
        ran.stderr.contains("SAMPLE_RATE") && ran.stderr.contains("nothing would be stored"),
        "{}",
        ran.stderr
    );
}
