//! `cargo xtask deploy` and `destroy`, with the real wrangler, against a stand-in for Cloudflare's API. No request leaves the
//! machine.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic
)]

#[path = "deploy/cloudflare.rs"]
mod cloudflare;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cloudflare::{ACCOUNT, Bucket, Cloudflare, State, TOKEN};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};
use wiremock::MockServer;

/// The Workers are built once, before the first run.
static IS_BUILT: OnceCell<()> = OnceCell::const_new();

/// Held by a test that deploys the main system: a checkout has one folder for each environment, and each of the other tests
/// has an environment of its own.
static MAIN_SYSTEM: Mutex<()> = Mutex::const_new(());

async fn build_workers() {
    let mut build = Command::new(env!("CARGO_BIN_EXE_xtask"));
    assert!(build.arg("build").status().await.unwrap().success());
}

struct Run {
    code: i32,
    text: String,
}

impl Run {
    /// Makes sure that it ended with `code` and printed each of `parts`.
    #[track_caller]
    fn expect(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "no {part:?} in\n{}", self.text);
        }
    }
}

/// A user: somebody who may deploy, with settings of their own.
struct User {
    folder: TempDir,
    token: Option<&'static str>,
    account: Option<&'static str>,
}

impl User {
    fn new(settings: &str) -> Self {
        let user = Self {
            folder: tempfile::tempdir().unwrap(),
            token: Some(TOKEN),
            account: Some(ACCOUNT),
        };
        user.set(settings);
        user
    }

    /// Returns the user's `tailrace.toml`: that of the checkout is somebody else's.
    fn settings(&self) -> PathBuf {
        self.folder.path().join("tailrace.toml")
    }

    fn set(&self, settings: &str) {
        fs::write(self.settings(), settings).unwrap();
    }

    /// Logs in as `wrangler login` does.
    fn log_in(&self) {
        let folder = self.folder.path().join(".wrangler/config");
        fs::create_dir_all(&folder).unwrap();
        let login = format!(
            "oauth_token = \"{TOKEN}\"\nrefresh_token = \"-\"\nexpiration_time = \"2099-01-01T00:00:00.000Z\"\n"
        );
        fs::write(folder.join("default.toml"), login).unwrap();
    }

    /// Deploys without being asked.
    async fn deploy(&self, server: &MockServer, arguments: &[&str]) -> Run {
        let arguments = [&["deploy", "--yes"], arguments].concat();
        self.run(server, &arguments, None).await
    }

    /// Runs `cargo xtask` against `server`: without a terminal, or at one where `answers` are typed.
    async fn run(&self, server: &MockServer, arguments: &[&str], answers: Option<&str>) -> Run {
        IS_BUILT.get_or_init(build_workers).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.settings())
            .env("CLOUDFLARE_API_BASE_URL", server.uri())
            // Whoever runs the tests may be logged in.
            .env("XDG_CONFIG_HOME", self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in [
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_EMAIL",
            "CLOUDFLARE_ACCOUNT_ID",
        ] {
            command.env_remove(name);
        }
        command.envs(self.token.map(|token| ("CLOUDFLARE_API_TOKEN", token)));
        command.envs(self.account.map(|id| ("CLOUDFLARE_ACCOUNT_ID", id)));
        let terminal = answers.map(|answers| {
            let terminal = nix::pty::openpty(None, None).unwrap();
            command.stdin(Stdio::from(terminal.slave));
            let mut keyboard = File::from(terminal.master);
            keyboard.write_all(answers.as_bytes()).unwrap();
            keyboard
        });
        let output = tokio::time::timeout(Duration::from_secs(600), command.output());
        let output = output.await.unwrap().unwrap();
        drop(terminal);
        let text = format!(
            "{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!text.contains(TOKEN), "the token was printed:\n{text}");
        Run {
            code: output.status.code().unwrap(),
            text,
        }
    }
}

fn metadata<'a>(state: &'a State, worker: &str) -> &'a Value {
    state.scripts[worker].versions.last().unwrap()
}

/// Returns the id or name that a Worker's binding points to.
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

/// Returns the requests since the last call that were not mere questions.
fn changes(cloudflare: &Cloudflare) -> Vec<String> {
    cloudflare.with(|state| {
        let requests = std::mem::take(&mut state.requests);
        requests
            .into_iter()
            .filter(|line| {
                !line.starts_with("GET ") && !line.ends_with("/query") && !line.ends_with("/peek")
            })
            .collect()
    })
}

/// Makes sure that an account holds a deployment of everything.
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
    let _main = MAIN_SYSTEM.lock().await;
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user = User::new("");

    // A failure in the middle says what is left, and how to go on.
    cloudflare.with(|state| state.fail = Some("PUT workers/scripts/tail-ingest".to_owned()));
    let stopped = user.deploy(&server, &[]).await;
    stopped.expect(
        1,
        &[
            "account Test (0123456789abcdef0123456789abcdef), environment main",
            "1. D1 database tailrace: create",
            "[9/13] Worker log-writer",
            "    wrangler deploy --config",
            "Worker log-writer: deployed",
            "stopped after 9 of 13 steps. Not done:\n  Worker tail-ingest\n  Worker event-workflow\n",
            "run the same command again",
            "injected failure",
        ],
    );

    // The next run does the rest, and only that.
    cloudflare.with(|state| state.fail = None);
    changes(&cloudflare);
    let first = user.deploy(&server, &[]).await;
    first.expect(
        0,
        &[
            "1. D1 database tailrace: in place\n",
            "https://triggers-api.test.workers.dev",
            "wrangler secret put API_TOKEN",
            r#"tail_consumers = [{ service = "tail-ingest" }]"#,
        ],
    );
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

    // Once more, after more new secrets than the API lists versions: nothing is made or uploaded; triggers are set to
    // what they are.
    cloudflare.with(|state| {
        let api = state.scripts.get_mut("triggers-api").unwrap();
        api.secrets.push("API_TOKEN".to_owned());
        state.put_secrets("triggers-api", 12);
    });
    let second = user.deploy(&server, &[]).await;
    second.expect(0, &["nothing has changed", "Worker triggers-api: in place"]);
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
    let mut user = User::new("");
    user.account = None;
    let run = user
        .deploy(&server, &["--env", "second", "--pipeline-only"])
        .await;
    run.expect(0, &["environment second", "--env second"]);
    cloudflare.with(|state| {
        let queues: Vec<&String> = state.queues.keys().collect();
        assert_eq!(queues, ["tail-logs-dlq-second", "tail-logs-second"]);
        let workers: Vec<&String> = state.scripts.keys().collect();
        assert_eq!(workers, ["log-writer-second", "tail-ingest-second"]);
        assert_eq!(state.namespaces, ["tailrace-fallback-second"]);
        assert!(state.databases.contains_key("tailrace-second"));
        let consumer = &state.queues["tail-logs-second"]["consumers"][0];
        assert_eq!(consumer["dead_letter_queue"], "tail-logs-dlq-second");
        let ingest = metadata(state, "tail-ingest-second");
        assert_eq!(
            binding(ingest, "TAIL_LOGS", "queue_name"),
            "tail-logs-second"
        );
        assert_eq!(
            binding(ingest, "PIPELINE_WORKERS", "text"),
            "tail-ingest-second log-writer-second"
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_wrong_credentials_are_told_apart() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let mut user = User::new("");
    (user.token, user.account) = (None, None);
    let run = user.deploy(&server, &[]).await;
    run.expect(
        1,
        &["not logged in to Cloudflare\nhint: set CLOUDFLARE_API_TOKEN"],
    );
    (user.token, user.account) = (Some("wrong"), Some(ACCOUNT));
    let run = user.deploy(&server, &[]).await;
    run.expect(1, &["lacks a permission"]);
    (user.token, user.account) = (Some(TOKEN), Some("my account"));
    let run = user.deploy(&server, &[]).await;
    run.expect(1, &["\"my account\", which is not an account id\nhint: "]);
    // The file and the environment name different accounts.
    user.account = Some(ACCOUNT);
    user.set("account = \"ffffffffffffffffffffffffffffffff\"");
    let run = user.deploy(&server, &[]).await;
    run.expect(1, &["tailrace.toml names ffff", "nothing was changed"]);
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_and_a_token_that_lists_no_account_are_used() {
    let cloudflare = Cloudflare::default();
    // Found after the account is: nothing is deployed here.
    cloudflare.with(|state| state.lacks_subdomain = true);
    let server = cloudflare.start().await;
    let mut user = User::new("");
    user.token = None;
    user.log_in();
    user.account = Some("ffffffffffffffffffffffffffffffff");
    let run = user.deploy(&server, &["--env", "login"]).await;
    run.expect(1, &["the login has no access to account ffff"]);
    user.account = None;
    let run = user.deploy(&server, &["--env", "login"]).await;
    run.expect(1, &["looking at account Test (0123456789abcdef"]);
    run.expect(1, &["no workers.dev subdomain"]);

    cloudflare.with(|state| state.fail = Some("GET /accounts".to_owned()));
    (user.token, user.account) = (Some(TOKEN), Some(ACCOUNT));
    let run = user.deploy(&server, &["--env", "login"]).await;
    run.expect(1, &["looking at account 0123456789abcdef"]);
    run.expect(1, &["no workers.dev subdomain"]);
    user.account = None;
    let run = user.deploy(&server, &["--env", "login"]).await;
    run.expect(1, &["refuses GET accounts", "injected failure"]);
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_checks_every_worker_and_asks_nobody() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let mut user = User::new("min_level = \"warn\"");
    (user.token, user.account) = (None, None);
    let arguments = ["deploy", "--dry-run", "--archive", "--env", "rehearsal"];
    let run = user.run(&server, &arguments, None).await;
    run.expect(
        0,
        &["min_level = warn", "R2 bucket tailrace-archive-rehearsal"],
    );
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
    let exits = run.text.matches("--dry-run: exiting now.").count();
    assert_eq!(exits, 5, "{}", run.text);
    cloudflare.with(|state| assert_eq!(state.requests, [] as [&str; 0]));
    let settings = fs::read_to_string(user.settings()).unwrap();
    assert_eq!(settings, "min_level = \"warn\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_replaced() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user = User::new("");
    cloudflare.with(|state| {
        let mine = state.scripts.entry("log-writer-a".to_owned()).or_default();
        mine.versions.push(json!({"annotations": {}}));
        for (name, script) in [("tail-logs-b", "mine"), ("tail-logs-dlq-c", "mine")] {
            let queue = json!({
                "queue_id": name, "queue_name": name, "producers": [],
                "consumers": [{"type": "worker", "script": script, "consumer_id": "c"}],
            });
            state.queues.insert(name.to_owned(), queue);
        }
    });
    for (env, complaint) in [
        ("a", "there is a Worker log-writer-a already"),
        ("b", "queue tail-logs-b has a consumer of type worker"),
        ("c", "queue tail-logs-dlq-c has a consumer of type worker"),
    ] {
        let run = user
            .deploy(&server, &["--env", env, "--pipeline-only"])
            .await;
        run.expect(1, &[complaint, "\nhint: "]);
    }
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
    cloudflare.with(|state| assert_eq!(state.scripts["log-writer-a"].versions.len(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_before_somebody_agrees() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user = User::new("");
    // Without a terminal and without --yes, not even a question is sent.
    let arguments = ["deploy", "--env", "asked", "--pipeline-only"];
    let run = user.run(&server, &arguments, None).await;
    run.expect(2, &["there is no terminal to ask at", "give --yes"]);
    cloudflare.with(|state| assert_eq!(state.requests, [] as [&str; 0]));
    // Settings that cannot be used are found before anything else.
    for (settings, complaint) in [
        (
            "\nretention_days = 0",
            "tailrace.toml, line 2: retention_days = 0 is not a whole number",
        ),
        ("rows = \"index\"", "without archive = true would drop"),
    ] {
        user.set(settings);
        let run = user.deploy(&server, &["--env", "asked"]).await;
        run.expect(1, &[complaint, "\nhint: "]);
    }
    cloudflare.with(|state| assert_eq!(state.requests, [] as [&str; 0]));
    // The account cannot run crons.
    user.set("");
    cloudflare.with(|state| state.lacks_subdomain = true);
    let run = user
        .deploy(&server, &["--env", "asked", "--pipeline-only"])
        .await;
    run.expect(
        1,
        &[
            "no workers.dev subdomain",
            "dash.cloudflare.com/0123456789abcdef",
        ],
    );
    // At a terminal, no is no.
    cloudflare.with(|state| state.lacks_subdomain = false);
    let run = user.run(&server, &arguments, Some("n\n")).await;
    run.expect(
        1,
        &[
            "Deploy to account Test (0123456789abcdef0123456789abcdef), environment asked? [y/N]",
            "not confirmed: nothing was changed",
        ],
    );
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_drift_and_losses_are_shown_and_agreed_to() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user =
        User::new("retention_days = 30\n[env.drift]\nexcluded_workers = [\"noisy\", \"test-*\"]\n");
    let deploy = async |more: &[&str]| {
        let arguments = [&["--env", "drift", "--pipeline-only"], more].concat();
        user.deploy(&server, &arguments).await
    };
    deploy(&[]).await.expect(0, &[]);
    cloudflare.with(|state| {
        let (writer, ingest) = (
            metadata(state, "log-writer-drift"),
            metadata(state, "tail-ingest-drift"),
        );
        assert_eq!(binding(writer, "RETENTION_DAYS", "text"), "30");
        assert_eq!(binding(ingest, "EXCLUDED_WORKERS", "text"), "noisy test-*");
        // Somebody changes what was created.
        let queue = state.queues.get_mut("tail-logs-dlq-drift").unwrap();
        queue["settings"]["message_retention_period"] = json!(345_600);
        queue["consumers"][0]["settings"]["max_retries"] = json!(3);
        let queue = state.queues.get_mut("tail-logs-drift").unwrap();
        queue["consumers"][0]["settings"]["max_retries"] = json!(5);
    });
    let drift = [
        "it keeps messages for 345600 seconds instead of 1209600",
        "a message can be pulled 3 times instead of 100",
    ];
    let run = deploy(&[]).await;
    run.expect(0, &drift);
    run.expect(0, &["max_retries is 5 instead of 100", "--fix mends it"]);
    cloudflare.with(|state| {
        let queue = &state.queues["tail-logs-dlq-drift"];
        assert_eq!(queue["settings"]["message_retention_period"], 345_600);
        let consumer = &state.queues["tail-logs-drift"]["consumers"][0];
        assert_eq!(consumer["settings"]["max_retries"], 100);
    });
    // A module that an earlier build has left is not uploaded.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tailrace/deploy/drift");
    let stale = PathBuf::from(folder).join("log-writer-drift/old.js");
    fs::write(&stale, "export default 1;").unwrap();
    deploy(&["--fix"]).await.expect(0, &drift);
    assert!(!stale.exists());
    let run = deploy(&["--fix"]).await;
    run.expect(0, &["nothing has changed"]);
    assert!(!run.text.contains("instead of"), "{}", run.text);

    // A shorter retention and a binding that goes need a word.
    user.set("retention_days = 3");
    cloudflare.with(|state| {
        let script = state.scripts.get_mut("log-writer-drift").unwrap();
        let bindings = script.versions.last_mut().unwrap()["bindings"].as_array_mut();
        bindings
            .unwrap()
            .push(json!({"name": "MINE", "type": "kv_namespace"}));
    });
    changes(&cloudflare);
    let losses = [
        "log-writer-drift keeps logs for 3 days instead of 30",
        "log-writer-drift loses its binding MINE (kv_namespace)",
    ];
    let run = deploy(&[]).await;
    run.expect(1, &losses);
    run.expect(1, &["nothing was changed", "--allow-loss"]);
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
    deploy(&["--allow-loss"]).await.expect(0, &[]);
    cloudflare.with(|state| {
        assert_eq!(
            binding(
                metadata(state, "log-writer-drift"),
                "RETENTION_DAYS",
                "text"
            ),
            "3"
        );
        assert_eq!(state.unknown, [] as [&str; 0]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_turned_on_kept_and_turned_off() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user = User::new("# mine\n");
    let deploy = async |more: &[&str]| {
        let arguments = [&["--env", "kept", "--pipeline-only"], more].concat();
        user.deploy(&server, &arguments).await
    };
    // Without the subscription, nothing is changed.
    cloudflare.with(|state| state.lacks_r2 = true);
    let run = deploy(&["--archive"]).await;
    run.expect(1, &["[code: 10042]", "hint: R2 needs a subscription"]);
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);
    assert_eq!(fs::read_to_string(user.settings()).unwrap(), "# mine\n");

    // The bucket is there, with a rule of the user's own.
    let own = json!({"id": "mine", "enabled": true, "conditions": {"prefix": "other/"}});
    cloudflare.with(|state| {
        state.lacks_r2 = false;
        let rules = vec![own.clone()];
        let bucket = Bucket {
            rules,
            keys: Vec::new(),
        };
        state
            .buckets
            .insert("tailrace-archive-kept".to_owned(), bucket);
    });
    let run = deploy(&["--archive"]).await;
    run.expect(
        0,
        &[
            "R2 bucket tailrace-archive-kept: in place, not created by a deployment",
            "lifecycle rule of tailrace-archive-kept: 30 days: set",
            "$0.015 a GB-month",
        ],
    );
    let settings = fs::read_to_string(user.settings()).unwrap();
    assert!(
        settings.contains("[env.kept]\narchive = true"),
        "{settings}"
    );
    let rules = |state: &State| state.buckets["tailrace-archive-kept"].rules.clone();
    cloudflare.with(|state| {
        assert_eq!(rules(state)[0], own);
        let rule = &rules(state)[1];
        assert_eq!(rule["conditions"]["prefix"], "v1/");
        assert_eq!(
            rule["deleteObjectsTransition"]["condition"]["maxAge"],
            2_592_000
        );
        let writer = metadata(state, "log-writer-kept");
        assert_eq!(
            binding(writer, "ARCHIVE", "bucket_name"),
            "tailrace-archive-kept"
        );
    });

    // A later deployment keeps it; a shorter time needs a word.
    changes(&cloudflare);
    deploy(&[]).await.expect(0, &["nothing has changed"]);
    assert!(!changes(&cloudflare).iter().any(|line| line.contains("r2/")));
    user.set("[env.kept]\narchive = true\narchive_days = 10\nrows = \"index\"\n");
    let run = deploy(&[]).await;
    run.expect(
        1,
        &[
            "keeps objects for 10 days instead of 30",
            "nothing was changed",
        ],
    );
    deploy(&["--allow-loss"])
        .await
        .expect(0, &["change from 30 days"]);
    cloudflare.with(|state| {
        assert_eq!(rules(state).len(), 2);
        let rule = &rules(state)[1];
        assert_eq!(
            rule["deleteObjectsTransition"]["condition"]["maxAge"],
            864_000
        );
        assert_eq!(
            binding(metadata(state, "log-writer-kept"), "ROWS", "text"),
            "index"
        );
    });

    // Off: the index alone would lose lines; otherwise the binding goes and the bucket stays.
    let run = deploy(&["--no-archive"]).await;
    run.expect(1, &["rows = \"index\" without archive = true"]);
    user.set("[env.kept]\narchive = true # for a while\n");
    deploy(&["--no-archive"]).await.expect(0, &[]);
    let settings = fs::read_to_string(user.settings()).unwrap();
    assert_eq!(settings, "[env.kept]\narchive = false # for a while\n");
    cloudflare.with(|state| {
        let writer = metadata(state, "log-writer-kept").to_string();
        assert!(!writer.contains("ARCHIVE"), "{writer}");
        assert_eq!(rules(state).len(), 2);
        assert_eq!(state.unknown, [] as [&str; 0]);
    });
}

/// The commands of docs/operations.md, in its order, in one account.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_commands_work_one_after_the_other() {
    let _main = MAIN_SYSTEM.lock().await;
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user = User::new("");
    fs::remove_file(user.settings()).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let mut count = 0;
    for line in text.lines().map(str::trim) {
        let Some(command) = line.strip_prefix("cargo xtask ") else {
            continue;
        };
        let words: Vec<&str> = command
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'))
            .collect();
        let run = match words.as_slice() {
            ["destroy", .., "--env", name] | ["destroy", "--env", name, ..] => {
                let answers = format!("Test\n{name}\n");
                user.run(&server, &words, Some(&answers)).await
            }
            ["destroy", ..] => user.run(&server, &words, Some("Test\nmain\n")).await,
            ["deploy", ..] => user.run(&server, &words, Some("y\n")).await,
            other => panic!("{other:?} has no business in operations.md"),
        };
        run.expect(0, &[]);
        count += 1;
    }
    assert!(count >= 8, "only {count} commands were found");
    // A second file is not written over the first.
    let run = user.run(&server, &["deploy", "--init"], None).await;
    run.expect(1, &["exists already and is left as it is"]);
    cloudflare.with(|state| {
        assert!(state.scripts.is_empty(), "{:?}", state.scripts.keys());
        assert!(state.databases.is_empty() && state.queues.is_empty());
        assert_eq!(state.unknown, [] as [&str; 0]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_deletes_what_deploy_created_and_no_more() {
    let cloudflare = Cloudflare::default();
    let server = cloudflare.start().await;
    let user = User::new("");
    // The queue was there before.
    cloudflare.with(|state| {
        let queue = json!({
            "queue_id": "id-of-tail-logs-gone", "queue_name": "tail-logs-gone", "producers": [], "consumers": [],
        });
        state.queues.insert("tail-logs-gone".to_owned(), queue);
    });
    let run = user.deploy(&server, &["--env", "gone", "--archive"]).await;
    run.expect(
        0,
        &["queue tail-logs-gone: in place, not created by a deployment"],
    );
    changes(&cloudflare);

    // It needs a terminal, and one of --main and --env.
    let destroy = ["destroy", "--env", "gone"];
    let run = user
        .run(&server, &[&destroy[..], &["--yes"]].concat(), None)
        .await;
    run.expect(
        2,
        &["there is no terminal", "--yes does not replace the answers"],
    );
    user.run(&server, &["destroy"], None)
        .await
        .expect(2, &["--main"]);

    // Something is in the way.
    let answers = Some("Test\ngone\n");
    cloudflare.with(|state| {
        let attached = state.scripts.entry("shop".to_owned()).or_default();
        let tailed = json!({"tail_consumers": [{"service": "tail-ingest-gone"}]});
        attached.versions.push(tailed);
        state.dead_letters = 1;
        state.keys = 1;
    });
    let run = user.run(&server, &destroy, answers).await;
    run.expect(
        1,
        &[
            "still name tail-ingest-gone in tail_consumers",
            "  shop\nhint: ",
        ],
    );
    cloudflare.with(|state| state.scripts.remove("shop"));
    let run = user.run(&server, &destroy, answers).await;
    run.expect(
        1,
        &[
            "there are dead letters in tail-logs-dlq-gone",
            "replay --env gone",
        ],
    );
    cloudflare.with(|state| state.dead_letters = 0);
    let run = user.run(&server, &destroy, answers).await;
    run.expect(
        1,
        &["there are records in the KV namespace tailrace-fallback-gone"],
    );
    let discard = [&destroy[..], &["--discard-dead-letters"]].concat();
    let run = user.run(&server, &discard, Some("Test\nmain\n")).await;
    run.expect(1, &["\"main\" is not \"gone\": nothing was deleted"]);
    assert_eq!(changes(&cloudflare), [] as [&str; 0]);

    // It stops in the middle, and the next run goes on. Logs and archive stay.
    cloudflare.with(|state| state.fail = Some("DELETE storage/kv/namespaces".to_owned()));
    let run = user.run(&server, &discard, answers).await;
    run.expect(
        1,
        &[
            "kept, unless the option is given:\n  R2 bucket tailrace-archive-gone (--archive)\n  D1 database tailrace-gone (--logs)",
            "left alone: no deployment has created it:\n  queue tail-logs-gone\n",
            "the same command goes on from there",
        ],
    );
    cloudflare.with(|state| {
        assert!(state.scripts.is_empty() && state.workflows.is_empty());
        state.fail = None;
    });
    let run = user.run(&server, &discard, answers).await;
    run.expect(0, &["[1/", "everything that was recorded is deleted"]);
    cloudflare.with(|state| {
        let queues: Vec<&String> = state.queues.keys().collect();
        assert_eq!(queues, ["tail-logs-gone"]);
        assert_eq!(state.namespaces, [] as [&str; 0]);
        assert!(state.databases.contains_key("tailrace-gone"));
        let bucket = state.buckets.get_mut("tailrace-archive-gone").unwrap();
        bucket.keys = ["v1/dt=2026-11-25/hour=10/a.ndjson.gz", "v1/b"]
            .map(str::to_owned)
            .to_vec();
    });

    // Now these as well; after that there is nothing.
    let all = [&destroy[..], &["--logs", "--archive"]].concat();
    user.run(&server, &all, answers)
        .await
        .expect(0, &["2 objects to delete"]);
    cloudflare.with(|state| {
        assert!(state.databases.is_empty() && state.buckets.is_empty());
        assert_eq!(state.unknown, [] as [&str; 0]);
    });
    let run = user.run(&server, &all, answers).await;
    run.expect(0, &["there is nothing to delete"]);
}
