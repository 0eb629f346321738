//! `cargo xtask deploy`, with the real wrangler, against a stand-in for Cloudflare's API. No request leaves the machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

#[path = "deploy/cloudflare.rs"]
mod cloudflare;

use std::time::Duration;

use cloudflare::{ACCOUNT, Cloudflare, State, TOKEN};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Mutex;
use wiremock::MockServer;

/// One run at a time: they share the checkout's build folders.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Run {
    succeeded: bool,
    text: String,
}

/// Runs `cargo xtask deploy` against `server`, with the token and account given in the environment.
async fn deploy(server: &MockServer, arguments: &[&str]) -> Run {
    deploy_as(server, arguments, Some(TOKEN), Some(ACCOUNT)).await
}

async fn deploy_as(
    server: &MockServer,
    arguments: &[&str],
    token: Option<&str>,
    account: Option<&str>,
) -> Run {
    let _turn = ONE_AT_A_TIME.lock().await;
    let no_login = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("deploy")
        .args(arguments)
        .env("CLOUDFLARE_API_BASE_URL", server.uri())
        // Whoever runs the tests may be logged in.
        .env("XDG_CONFIG_HOME", no_login.path())
        .kill_on_drop(true);
    for name in [
        "CLOUDFLARE_API_TOKEN",
        "CLOUDFLARE_API_KEY",
        "CLOUDFLARE_EMAIL",
        "CLOUDFLARE_ACCOUNT_ID",
    ] {
        command.env_remove(name);
    }
    command.envs(token.map(|token| ("CLOUDFLARE_API_TOKEN", token)));
    command.envs(account.map(|account| ("CLOUDFLARE_ACCOUNT_ID", account)));
    let output = tokio::time::timeout(Duration::from_secs(600), command.output());
    let output = output.await.unwrap().unwrap();
    let text = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains(TOKEN), "the token was printed:\n{text}");
    Run {
        succeeded: output.status.success(),
        text,
    }
}

fn metadata<'a>(state: &'a State, worker: &str) -> &'a Value {
    state.scripts[worker].versions.last().unwrap()
}

/// The id or name that a Worker's binding points to.
fn binding<'a>(metadata: &'a Value, name: &str, key: &str) -> &'a str {
    metadata["bindings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|binding| binding["name"] == name)
        .unwrap_or_else(|| unreachable!("no binding {name} in {metadata}"))[key]
        .as_str()
        .unwrap()
}

/// The requests since the last call that were no mere questions.
fn changes(cloudflare: &Cloudflare) -> Vec<String> {
    cloudflare.with(|state| {
        let requests = std::mem::take(&mut state.requests);
        requests
            .into_iter()
            .filter(|line| !line.starts_with("GET ") && !line.ends_with("/query"))
            .collect()
    })
}

/// Returns what an account holds after a deployment of everything.
fn everything_is_in_place(state: &State) {
    assert_eq!(state.unknown, [] as [&str; 0]);
    let queues: Vec<&String> = state.queues.keys().collect();
    assert_eq!(
        queues,
        ["events", "events-dlq", "tail-logs", "tail-logs-dlq"]
    );
    let consumer = |queue: &str| state.queues[queue]["consumers"][0].clone();
    assert_eq!(consumer("tail-logs-dlq")["type"], "http_pull");
    assert_eq!(consumer("tail-logs-dlq")["settings"]["max_retries"], 100);
    assert_eq!(consumer("tail-logs")["script"], "log-writer");
    assert_eq!(consumer("tail-logs")["dead_letter_queue"], "tail-logs-dlq");
    assert_eq!(consumer("events")["script"], "queue-consumer");
    assert_eq!(
        state.queues["tail-logs-dlq"]["settings"]["message_retention_period"],
        1_209_600
    );

    // The real migrations have run in the database that log-writer is bound to.
    let columns: i64 = state.databases["tailrace"]
        .query_row(
            "SELECT count(*) FROM pragma_table_info('tail_logs')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(columns, 10);
    let writer = metadata(state, "log-writer");
    let ingest = metadata(state, "tail-ingest");
    assert_eq!(binding(writer, "DB", "id"), "id-of-tailrace");
    assert_eq!(binding(writer, "DLQ", "queue_name"), "tail-logs-dlq");
    assert_eq!(binding(ingest, "TAIL_LOGS", "queue_name"), "tail-logs");
    for worker in [writer, ingest] {
        assert_eq!(
            binding(worker, "FALLBACK", "namespace_id"),
            "id-of-tailrace-fallback"
        );
        assert!(
            worker["tail_consumers"]
                .as_array()
                .is_none_or(Vec::is_empty),
            "{worker}"
        );
    }
    for producer in ["event-workflow", "queue-consumer", "triggers-api"] {
        let consumers = &metadata(state, producer)["tail_consumers"];
        assert_eq!(
            *consumers,
            json!([{"service": "tail-ingest"}]),
            "{producer}"
        );
    }
    assert_eq!(
        state.workflows["event-workflow"]["class_name"],
        "EventWorkflow"
    );
    assert_eq!(
        state.scripts["log-writer"]
            .schedules
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(state.scripts["triggers-api"].has_address);
    assert!(!state.scripts["tail-ingest"].has_address);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_on_where_it_stopped() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;

    // A failure in the middle says what is left, and how to go on.
    cloudflare.with(|state| state.fail = Some("PUT workers/scripts/tail-ingest".to_owned()));
    let stopped = deploy(&server, &[]).await;
    assert!(!stopped.succeeded, "{}", stopped.text);
    for part in [
        "Worker log-writer: deployed",
        "stopped after 9 of 13 steps. Not done:\n  Worker tail-ingest\n  Worker event-workflow\n",
        "run the same command again",
        "injected failure",
    ] {
        assert!(
            stopped.text.contains(part),
            "no {part:?} in\n{}",
            stopped.text
        );
    }

    // The next run does the rest, and only that.
    cloudflare.with(|state| state.fail = None);
    changes(&cloudflare);
    let first = deploy(&server, &[]).await;
    assert!(first.succeeded, "{}", first.text);
    let made = changes(&cloudflare);
    for line in [
        "POST queues",
        "POST d1/database",
        "PUT workers/scripts/log-writer",
    ] {
        assert!(
            !made.contains(&line.to_owned()),
            "{line} again in {made:#?}"
        );
    }
    cloudflare.with(|state| everything_is_in_place(state));
    assert!(
        first.text.contains("https://triggers-api.test.workers.dev"),
        "{}",
        first.text
    );
    assert!(
        first.text.contains("wrangler secret put API_TOKEN"),
        "{}",
        first.text
    );
    assert!(
        first
            .text
            .contains(r#"tail_consumers = [{ service = "tail-ingest" }]"#),
        "{}",
        first.text
    );

    // Once more: nothing is made or uploaded; triggers are set to what they are.
    cloudflare.with(|state| {
        let api = state.scripts.get_mut("triggers-api").unwrap();
        api.secrets.push("API_TOKEN".to_owned());
    });
    let second = deploy(&server, &[]).await;
    assert!(second.succeeded, "{}", second.text);
    assert!(
        second.text.contains("nothing has changed"),
        "{}",
        second.text
    );
    assert!(!second.text.contains("secret put"), "{}", second.text);
    for line in changes(&cloudflare) {
        let trigger = [
            "/schedules",
            "/subdomain",
            "/consumers/consumer-id",
            "workflows/event-workflow",
        ];
        assert!(trigger.iter().any(|end| line.ends_with(end)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_shares_no_name_with_the_main_system() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    // Without CLOUDFLARE_ACCOUNT_ID: the token sees one account, so that is the one.
    let run = deploy_as(
        &server,
        &["--env", "staging", "--pipeline-only"],
        Some(TOKEN),
        None,
    )
    .await;
    assert!(run.succeeded, "{}", run.text);
    cloudflare.with(|state| {
        let queues: Vec<&String> = state.queues.keys().collect();
        assert_eq!(queues, ["tail-logs-dlq-staging", "tail-logs-staging"]);
        let workers: Vec<&String> = state.scripts.keys().collect();
        assert_eq!(workers, ["log-writer-staging", "tail-ingest-staging"]);
        assert_eq!(state.namespaces, ["tailrace-fallback-staging"]);
        assert!(state.databases.contains_key("tailrace-staging"));
        let consumer = &state.queues["tail-logs-staging"]["consumers"][0];
        assert_eq!(consumer["dead_letter_queue"], "tail-logs-dlq-staging");
        let ingest = metadata(state, "tail-ingest-staging");
        assert_eq!(
            binding(ingest, "TAIL_LOGS", "queue_name"),
            "tail-logs-staging"
        );
        assert_eq!(
            binding(ingest, "PIPELINE_WORKERS", "text"),
            "tail-ingest-staging log-writer-staging"
        );
    });
    assert!(run.text.contains("--env staging"), "{}", run.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_wrong_credentials_are_told_apart() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let none = deploy_as(&server, &[], None, None).await;
    assert!(!none.succeeded);
    assert!(
        none.text
            .contains("not logged in to Cloudflare: set CLOUDFLARE_API_TOKEN"),
        "{}",
        none.text
    );

    let wrong = deploy_as(&server, &[], Some("wrong"), Some(ACCOUNT)).await;
    assert!(!wrong.succeeded);
    assert!(wrong.text.contains("lacks a permission"), "{}", wrong.text);

    let account = deploy_as(&server, &[], Some(TOKEN), Some("my account")).await;
    assert!(!account.succeeded);
    assert!(
        account
            .text
            .contains("CLOUDFLARE_ACCOUNT_ID is no account id"),
        "{}",
        account.text
    );
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_checks_every_worker_and_asks_nobody() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let run = deploy_as(&server, &["--dry-run", "--env", "rehearsal"], None, None).await;
    assert!(run.succeeded, "{}", run.text);
    for worker in [
        "log-writer",
        "tail-ingest",
        "event-workflow",
        "queue-consumer",
        "triggers-api",
    ] {
        let check = format!("wrangler checks Worker {worker}-rehearsal");
        assert!(run.text.contains(&check), "no {check:?} in\n{}", run.text);
    }
    assert_eq!(
        run.text.matches("--dry-run: exiting now.").count(),
        5,
        "{}",
        run.text
    );
    cloudflare.with(|state| assert_eq!(state.requests, [] as [&str; 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_not_deployed_from_here_is_not_replaced() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    cloudflare.with(|state| {
        let mine = state
            .scripts
            .entry("log-writer-mine".to_owned())
            .or_default();
        mine.versions.push(json!({"annotations": {}}));
    });
    let run = deploy(&server, &["--env", "mine", "--pipeline-only"]).await;
    assert!(!run.succeeded);
    assert!(
        run.text
            .contains("there is a Worker log-writer-mine already"),
        "{}",
        run.text
    );
    cloudflare.with(|state| assert_eq!(state.scripts["log-writer-mine"].versions.len(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumed_dead_letter_queue_is_left_alone_and_named() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    cloudflare.with(|state| {
        for name in ["tail-logs-taken", "tail-logs-dlq-taken"] {
            let queue = json!({
                "queue_id": name, "queue_name": name, "producers": [],
                "consumers": [{"type": "worker", "script": "mine", "consumer_id": "c"}],
            });
            state.queues.insert(name.to_owned(), queue);
        }
    });
    let run = deploy(&server, &["--env", "taken", "--pipeline-only"]).await;
    assert!(!run.succeeded);
    assert!(
        run.text
            .contains("tail-logs-dlq-taken has a consumer of type worker"),
        "{}",
        run.text
    );
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
}
