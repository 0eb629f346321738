//! Errors as people meet them: what happened, and on the last line the next step.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::fmt::Debug;

use support::{Cloud, Ran, Row, When, failure};
use tempfile::TempDir;
use wiremock::ResponseTemplate;

/// Asserts that a run failed with `code`, and that the last line of what it said is a hint with `step` in it.
#[track_caller]
fn check_hint(case: impl Debug, ran: &Ran, code: i32, step: &str) {
    assert_eq!(ran.code, code, "{case:?}: {ran:?}");
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("hint: ") && last.contains(step),
        "{case:?}, for {step:?}: {}",
        ran.stderr
    );
    assert_eq!(ran.stderr.matches("hint: ").count(), 1, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_the_api_has_a_next_step() {
    let busy = |status: u16| failure(status, 0, "busy").insert_header("retry-after", "0");
    let refused = |status, code, words| failure(status, code, words);
    let page = ResponseTemplate::new(200).set_body_string("<html>");
    for (answer, step) in [
        (
            refused(401, 10000, "Authentication error"),
            "CLOUDFLARE_API_TOKEN is valid",
        ),
        (
            refused(403, 9109, "Unauthorized to access"),
            "the permissions that this command needs",
        ),
        (
            refused(400, 9106, "Missing header"),
            "CLOUDFLARE_API_TOKEN is valid",
        ),
        (
            refused(404, 7404, "The database could not be found"),
            "look at what there is",
        ),
        (
            refused(400, 7500, "no such table: tail_logs: SQLITE_ERROR"),
            "cargo xtask deploy",
        ),
        (
            refused(400, 7500, "no such column: x: SQLITE_ERROR"),
            "mend the statement",
        ),
        (
            refused(
                400,
                7500,
                "Your account has exceeded D1's free tier daily row read limit",
            ),
            "00:00 UTC",
        ),
        (
            refused(400, 7500, "D1 DB exceeded its memory limit and was reset."),
            "ask for less",
        ),
        (refused(418, 0, "a teapot"), "run the command again"),
        (busy(429), "Cloudflare is busy"),
        (busy(503), "Cloudflare is busy"),
        (page, "run the command again"),
    ] {
        let cloud = Cloud::with(&[Row::line(0, "here")]).await;
        cloud.fault("/raw", usize::MAX, When::Before, answer);
        let ran = cloud.run(&["logs"]).await;
        check_hint(&ran.stderr, &ran, 1, step);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_does_not_answer_has_a_next_step() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    for (arguments, step) in [
        (vec!["logs", "--database", "nope"], "--database"),
        (vec!["trace", "unheard-of"], "tailrace logs"),
        (vec!["trace", "x"], "tailrace logs"),
        (vec!["trace", "--last-error"], "--since"),
        (vec!["logs", "--local", "1"], "cargo xtask dev"),
        (
            vec!["replay", "--fallback", "nope", "--from", "kv"],
            "--fallback",
        ),
        (vec!["replay", "--message", "nobody"], "--export"),
    ] {
        check_hint(&arguments, &cloud.run(&arguments).await, 1, step);
    }
    for (variable, value, code, step) in [
        ("CLOUDFLARE_API_TOKEN", "", 1, "CLOUDFLARE_API_TOKEN"),
        (
            "CLOUDFLARE_API_TOKEN",
            "two words",
            1,
            "copy CLOUDFLARE_API_TOKEN anew",
        ),
        (
            "CLOUDFLARE_API_BASE_URL",
            "http://127.0.0.1:1/client/v4",
            1,
            "check the network",
        ),
        ("CLOUDFLARE_API_BASE_URL", "nowhere", 2, "--help"),
    ] {
        let mut command = cloud.command(&["logs"]);
        let ran = Ran::from(command.env(variable, value).output().await.unwrap());
        check_hint(value, &ran, code, step);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_input_has_a_next_step() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let broken = path("broken.toml");
    std::fs::write(&broken, "account = ").unwrap();
    let nowhere = path("no/such.ndjson");
    for (arguments, step) in [
        (vec!["logs", "--since", "tomorrow"], "--help"),
        (vec!["logs", "--since", "1h", "--until", "2h"], "--help"),
        (vec!["logs", "--limit", "0"], "--help"),
        (vec!["logs", "-q", "level:loud"], "level"),
        (vec!["logs", "-q", "\"open"], "write \" at its end"),
        (vec!["logs", "-E", "--grep", "("], "backslash"),
        (vec!["logs", "--context", "nobody"], "name another"),
        (vec!["logs", "--config", &broken], "mend that file"),
        (vec!["logs", "--config", &nowhere], "mend that file"),
        (vec!["sql", "DELETE FROM tail_logs"], "--help"),
        (vec!["sql", "SELECT FROM WHERE"], "--help"),
        (
            vec![
                "sql",
                "SELECT count(*) FROM tail_logs WHERE message LIKE '%x%'",
            ],
            "--yes",
        ),
        (vec!["replay", "--local", "--from", "queue"], "--help"),
        (vec!["replay", "--export", &nowhere], "--help"),
        (vec!["ui", "--listen", "0.0.0.0:1"], "ssh -L"),
        (vec!["ui", "--listen", "nowhere"], "--help"),
        (
            vec!["normalize", "--config", &broken, "-"],
            "mend that file",
        ),
    ] {
        check_hint(&arguments, &cloud.run(&arguments).await, 2, step);
    }
    // What was read is counted behind the hint.
    let ran = cloud.run(&["normalize", &nowhere]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    ran.warns("hint: check its path");
}
