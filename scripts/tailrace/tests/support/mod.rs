//! A stand-in for the Cloudflare API on loopback: D1 on SQLite with the project's own migrations, KV and queues in
//! memory. It answers the real shapes, counts what it is asked, and fails on demand, before or after it has done what it
//! was asked for.
//!
//! - [`api`]: its state, its faults, and what it answers;
//! - [`archive`]: the archive's objects, and their catalog;
//! - [`queues`]: the queues: leases that run out, acks that are taken in part;
//! - [`rows`]: rows as they are stored and as they travel;
//! - [`letters`]: dead letters, and what became of them;
//! - [`questions`]: what operators ask, and the answers.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test file uses its part"
)]

pub mod api;
mod archive;
pub mod letters;
pub mod questions;
mod queues;
pub mod rows;

use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use api::{Api, Fault, State};

pub use api::{When, failure};
pub use rows::Row;

pub const TOKEN: &str = "test-token-that-must-not-be-seen";
pub const ACCOUNT: &str = "0123456789abcdef";
pub const EXPLORER: &str = "/cdn-cgi/local/explorer/api";

#[derive(Clone)]
pub struct Cloud {
    server: Arc<MockServer>,
    state: Arc<Mutex<State>>,
}

impl Cloud {
    /// One that holds `rows`.
    pub async fn with(rows: &[Row]) -> Self {
        let cloud = Self::start().await;
        for row in rows {
            cloud.insert(row);
        }
        cloud
    }

    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(Api(Arc::clone(&state)))
            .mount(&server)
            .await;
        Self {
            server: Arc::new(server),
            state,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The headers of every request, in order.
    pub async fn headers(&self) -> Vec<wiremock::http::HeaderMap> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .into_iter()
            .map(|request| request.headers)
            .collect()
    }

    /// The body of every request, in order.
    pub async fn bodies(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        let bodies = requests.into_iter().map(|request| request.body);
        bodies
            .map(|body| String::from_utf8(body).unwrap())
            .collect()
    }

    pub fn uri(&self) -> String {
        self.server.uri()
    }

    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// Lets the next `times` calls fail whose `METHOD path` holds `on`.
    pub fn fault(&self, on: &'static str, times: usize, when: When, answer: ResponseTemplate) {
        self.fault_after(0, on, times, when, answer);
    }

    /// As [`Cloud::fault`], but `skip` such calls are served before.
    pub fn fault_after(
        &self,
        skip: usize,
        on: &'static str,
        times: usize,
        when: When,
        answer: ResponseTemplate,
    ) {
        self.state().faults.push(Fault {
            on,
            skip,
            times,
            when,
            answer,
        });
    }

    /// Lets every call fail from now on whose `METHOD path` holds `on`.
    pub fn outage(&self, on: &'static str) {
        self.outage_after(0, on);
    }

    /// As [`Cloud::outage`], but `skip` such calls are served before.
    pub fn outage_after(&self, skip: usize, on: &'static str) {
        let down = failure(500, 0, "down");
        self.fault_after(skip, on, usize::MAX, When::Before, down);
    }

    /// Runs `hook` after each call whose `METHOD path` holds `on`.
    pub fn hook(&self, on: &'static str, hook: impl FnMut(&mut State) + Send + 'static) {
        self.state().hooks.push((on, Box::new(hook)));
    }

    /// Runs `hook` before each call whose `METHOD path` holds `on`, also where that fails.
    pub fn before(&self, on: &'static str, hook: impl FnMut(&mut State) + Send + 'static) {
        self.state().before.push((on, Box::new(hook)));
    }

    /// A command with this cloud's environment and nothing else of the machine's.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .env(
                "CLOUDFLARE_API_BASE_URL",
                format!("{}/client/v4", self.uri()),
            )
            .env("CLOUDFLARE_API_TOKEN", TOKEN)
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
        command
    }

    /// Begins a run against this cloud, for a test that does something meanwhile.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// As [`Cloud::spawn`], of a run that hooks may signal.
    pub fn spawn_as(&self, run: &Pid, arguments: &[&str]) -> Child {
        let child = self.spawn(arguments);
        run.0.set(child.id().unwrap()).unwrap();
        child
    }

    /// Runs `tailrace` against this cloud.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().await.unwrap())
    }

    /// Runs `tailrace … --local` against this cloud's explorer.
    pub async fn run_local(&self, arguments: &[&str]) -> Ran {
        let port = self.port().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--local", &port]);
        Ran::from(bare(&all).output().await.unwrap())
    }

    pub fn insert(&self, row: &Row) {
        row.insert(&self.state().db);
    }
}

/// A number that no other object has.
fn next_digest() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// The binary, with an empty environment.
pub fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command
        .args(arguments)
        .env_clear()
        // No folder can be made below it: nothing is remembered from run to run.
        .env("HOME", "/dev/null/home")
        // Not the checkout, which has a wrangler and may have settings.
        .current_dir("/")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Sends a signal to a run.
pub fn signal(pid: u32, signal: &str) {
    let sent = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// A run that is yet to begin: hooks that signal it are in place before it makes its first call.
#[derive(Clone, Default)]
pub struct Pid(Arc<OnceLock<u32>>);

impl Pid {
    /// Sends a signal to the run from inside the stand-in, which answers only after it has arrived.
    pub fn signal_from_inside(&self, name: &str) {
        signal(*self.0.wait(), name);
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Result of a run.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let ran = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(
            !ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN),
            "{ran:?}"
        );
        ran
    }
}

impl Ran {
    /// Standard output holds `text`.
    #[track_caller]
    pub fn says(&self, text: &str) {
        assert!(self.stdout.contains(text), "{text}: {}", self.stdout);
    }

    /// Standard error holds `text`.
    #[track_caller]
    pub fn warns(&self, text: &str) {
        assert!(self.stderr.contains(text), "{text}: {}", self.stderr);
    }

    /// The last word of each line on standard output: the message, where it is one word.
    pub fn messages(&self) -> Vec<&str> {
        self.stdout
            .lines()
            .map(|line| line.rsplit(' ').next().unwrap())
            .collect()
    }

    /// Standard output as JSON lines.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
