//! The common parts of commands: getting in, errors, and what is said about them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs
)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::rows::a_request;
use support::{Cloud, Ran, Row, When, bare, failure};
use wiremock::ResponseTemplate;

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_escape_sequence_does_not_reach_the_terminal() {
    let cloud = Cloud::with(&[Row::line(1, "a\u{1b}]0;owned\u{7}\nb").worker("w\u{1b}[2J")]).await;
    for command in [vec!["logs"], vec!["trace", "c1"]] {
        let ran = cloud.run(&command).await;
        ran.says("a{1b}]0;owned{7}⏎b");
        assert!(!ran.stdout.contains('\u{1b}'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_says_so_and_what_to_do() {
    let cloud = Cloud::with(&[]).await;
    let ran = cloud.run(&["logs"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    ran.warns("tail_consumers");
    for (arguments, advice) in [
        (vec!["--grep", "x"], "leave a filter out"),
        (vec!["--grep", "X"], "without capitals"),
        (vec!["--since", "1h"], "widen --since"),
    ] {
        let ran = cloud.run(&[&["logs"], &arguments[..]].concat()).await;
        ran.warns("no record matches");
        ran.warns(advice);
    }
    let ran = cloud.run(&["stats"]).await;
    assert_eq!(ran.code, 0);
    ran.warns("no records in this window");
    let ran = cloud.run(&["trace", "nope"]).await;
    assert_eq!(ran.code, 1);
    ran.warns("nothing has the correlation or request id \"nope\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_explorer_needs_no_credentials() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let ran = cloud.run_local(&["logs"]).await;
    assert_eq!(
        (ran.code, ran.messages()),
        (0, vec!["here"]),
        "{}",
        ran.stderr
    );
    assert_eq!(cloud.run_local(&["trace", "c1"]).await.code, 0);
    assert_eq!(
        cloud
            .run_local(&["stats", "--since", "2026-11-22"])
            .await
            .code,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_trouble_is_retried_and_lasting_trouble_reported() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(
            429,
            971,
            "Please wait and consider throttling your request speed",
        ),
    );
    cloud.fault(
        "/raw",
        1,
        When::Before,
        ResponseTemplate::new(502).set_body_string("<html>"),
    );
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(
            400,
            7500,
            "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
        ),
    );
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(
        (ran.code, ran.messages()),
        (0, vec!["here"]),
        "{}",
        ran.stderr
    );
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(400, 7500, "no such table: tail_logs: SQLITE_ERROR"),
    );
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(ran.code, 1);
    ran.warns("no such table");
    ran.warns("migrations");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_not_getting_in_says_what_to_do() {
    let cloud = Cloud::with(&[]).await;
    let uri = format!("{}/client/v4", cloud.uri());
    // No token.
    let ran: Ran = bare(&["logs"]).output().await.unwrap().into();
    assert_eq!(ran.code, 1);
    ran.warns("CLOUDFLARE_API_TOKEN");
    ran.warns("wrangler login");
    // A wrong one, which a server might echo.
    cloud.fault(
        "/d1/database",
        1,
        When::Before,
        failure(
            403,
            9109,
            &format!("Invalid access token {}", support::TOKEN),
        ),
    );
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(ran.code, 1);
    ran.warns("[token]");
    ran.warns("check that CLOUDFLARE_API_TOKEN");
    let mut command = cloud.command(&["logs"]);
    let ran: Ran = command
        .env("CLOUDFLARE_API_TOKEN", "wrong-one")
        .output()
        .await
        .unwrap()
        .into();
    assert!(
        ran.stderr.contains("401") && !ran.stderr.contains("wrong-one"),
        "{}",
        ran.stderr
    );
    // One that was pasted with a line end in it.
    let mut command = cloud.command(&["logs"]);
    let ran: Ran = command
        .env("CLOUDFLARE_API_TOKEN", "half-of\nthe-token")
        .output()
        .await
        .unwrap()
        .into();
    assert_eq!(ran.code, 1);
    ran.warns("the API token holds a character that no token has");
    ran.warns("hint: copy CLOUDFLARE_API_TOKEN anew");
    assert!(!ran.stderr.contains("half-of"), "{}", ran.stderr);
    // An address that is none.
    let mut command = cloud.command(&["logs"]);
    let ran: Ran = command
        .env("CLOUDFLARE_API_BASE_URL", "nonsense")
        .output()
        .await
        .unwrap()
        .into();
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ran.warns("CLOUDFLARE_API_BASE_URL");
    // A wrong account.
    let mut command = cloud.command(&["logs"]);
    let ran: Ran = command
        .env("CLOUDFLARE_ACCOUNT_ID", "fffff")
        .output()
        .await
        .unwrap()
        .into();
    ran.warns("CLOUDFLARE_ACCOUNT_ID");
    // No account: the only one is meant; of several, one must be named.
    let command = |cloud: &Cloud| {
        let mut command = cloud.command(&["logs"]);
        command.env_remove("CLOUDFLARE_ACCOUNT_ID");
        command
    };
    let ran: Ran = command(&cloud).output().await.unwrap().into();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let two = json!({"success": true, "errors": [], "result": [{"id": "a1", "name": "One"}, {"id": "a2", "name": "Two"}]});
    cloud.fault(
        "GET /client/v4/accounts",
        1,
        When::Before,
        ResponseTemplate::new(200).set_body_json(two),
    );
    let ran: Ran = command(&cloud).output().await.unwrap().into();
    ran.warns("One (a1), Two (a2)");
    // No such database.
    let ran = cloud.run(&["logs", "--env", "staging"]).await;
    ran.warns("no D1 database named \"tailrace-staging\"");
    ran.warns("there are: another, tailrace;");
    // Nobody there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let port = free.to_string();
    let ran: Ran = bare(&["logs", "--local", &port])
        .output()
        .await
        .unwrap()
        .into();
    assert_eq!(ran.code, 1);
    ran.warns("cargo xtask dev");
    let mut command = cloud.command(&["logs"]);
    let ran: Ran = command
        .env(
            "CLOUDFLARE_API_BASE_URL",
            uri.replace(&cloud.port().to_string(), &port),
        )
        .output()
        .await
        .unwrap()
        .into();
    ran.warns("check the network");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_is_exit_code_2() {
    let cloud = Cloud::with(&[]).await;
    for arguments in [
        vec!["logs", "--level", "loud"],
        vec!["logs", "--since", "tomorrow"],
        vec!["logs", "--tz", "Europe/Atlantis"],
        vec!["logs", "--context", "nobody"],
        vec!["logs", "--config", "/dev/null/tailrace.toml"],
        vec!["logs", "--queue", "x"],
        vec!["trace"],
        vec!["trace", "c1", "--last-error"],
        vec!["logs", "--since", "1h", "--until", "2h"],
        vec!["stats", "--until", "2020-01-01"],
        vec!["logs", "--follow", "--until", "1h"],
        vec!["logs", "--follow", "--late", "2999-01-01"],
        vec!["logs", "--limit", "0"],
        vec!["trace", "c1", "--limit", "0"],
        vec!["logs", "--env", ""],
        vec!["frobnicate"],
    ] {
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.code, 2, "{arguments:?} {}", ran.stderr);
        assert!(!ran.stderr.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_examples_and_every_shell_its_completions() {
    let cloud = Cloud::with(&[]).await;
    for command in [
        "logs",
        "trace",
        "stats",
        "replay",
        "normalize",
        "completions",
    ] {
        let ran = cloud.run(&[command, "--help"]).await;
        assert!(
            ran.stdout.contains(&format!("tailrace {command}")),
            "{}",
            ran.stdout
        );
        ran.says("Examples:");
        ran.says("Exit code");
    }
    let ran = cloud.run(&["--help"]).await;
    ran.says("Exit codes:");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = cloud.run(&["completions", shell]).await;
        assert!(ran.stdout.contains("correlation-id"), "{shell}");
    }
    let ran = cloud.run(&["completions", "bash"]).await;
    for words in [
        "debug info warn error",
        "undecodable unsupported_version rejected retries_exhausted",
    ] {
        assert!(ran.stdout.contains(words), "{words}");
    }
}

/// Returns what `tailrace` writes to standard output and standard error, as a terminal shows it.
async fn interleaved(cloud: &Cloud, arguments: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = cloud.command(arguments);
    // Both at the end of one file, as both go to one terminal.
    let open = || {
        std::fs::OpenOptions::new()
            .append(true)
            .open(file.path())
            .unwrap()
    };
    command.stdout(open()).stderr(open());
    command.status().await.unwrap();
    std::fs::read_to_string(file.path()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_beside_the_results_stands_below_them() {
    let cloud = Cloud::with(&a_request()).await;
    for (arguments, first, last) in [
        (
            vec!["trace", "corr", "--limit", "2"],
            "correlation corr",
            "the oldest 2 records",
        ),
        (
            vec!["logs", "--since", "2026-11-22", "--limit", "1"],
            "2026-11-23",
            "the newest 1 record",
        ),
        (
            vec!["replay"],
            "replayed 0",
            "the dead-letter queue is empty",
        ),
        (
            vec!["stats", "--until", "2026-11-20", "--since", "2026-11-19"],
            "2026-11-19",
            "no records in this window",
        ),
    ] {
        let shown = interleaved(&cloud, &arguments).await;
        assert!(shown.starts_with(first), "{shown}");
        assert!(shown.lines().last().unwrap().starts_with(last), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_centuries_costs_no_more_than_the_records_in_it() {
    let rows: Vec<_> = (0..4)
        .map(|n| Row::line(n * 3_600_000, "run").kind("invocation", &json!({"latency_ms": n})))
        .collect();
    let cloud = Cloud::with(&rows).await;
    for arguments in [
        vec![
            "stats",
            "--json",
            "--since",
            "1900-01-01",
            "--until",
            "2900-01-01",
        ],
        vec![
            "logs",
            "--grep",
            "run",
            "--since",
            "1900-01-01",
            "--until",
            "2900-01-01",
        ],
    ] {
        cloud.state().calls.clear();
        let ran = tokio::time::timeout(Duration::from_secs(60), cloud.run(&arguments)).await;
        let ran = ran.unwrap();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        if arguments[0] == "stats" {
            assert_eq!(ran.json()[0]["workers"][0]["invocations"], 4);
        } else {
            assert_eq!(ran.stdout.lines().count(), 4, "{}", ran.stdout);
        }
        // The slices grow to six hours, between the records and now.
        let since = chrono::Utc::now()
            - chrono::DateTime::parse_from_rfc3339("2026-11-23T00:00:00Z")
                .unwrap()
                .to_utc();
        let slices = usize::try_from(since.num_hours().max(0) / 6).unwrap() + 8;
        let calls = cloud.state().calls.len();
        assert!(calls <= 4 * (slices + 6), "{calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_variable_counts_as_not_set() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let mut command = cloud.command(&["logs"]);
    command
        .env("TAILRACE_ENV", "")
        .env("TAILRACE_DATABASE", " ");
    let ran: Ran = command.output().await.unwrap().into();
    assert_eq!(ran.messages(), ["here"], "{}", ran.stderr);
    let mut command = cloud.command(&["logs"]);
    command.env("TAILRACE_ENV", "staging");
    let ran: Ran = command.output().await.unwrap().into();
    ran.warns("no D1 database named \"tailrace-staging\"");
}
