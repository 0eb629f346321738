//! A run of `cargo xtask`, watched while it goes on.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use checkout::dev_server::agent;
use checkout::{Workspace, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_xtask");

/// The words of `dev` once everything answers.
pub const READY: &str = "==> ready after";

/// The time that a run may take to come as far as wanted: the first may have to compile.
const PATIENCE: Duration = Duration::from_secs(900);

/// A run; dropping it ends it.
pub struct Run {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Run {
    /// Starts `cargo xtask` in the checkout; `vary` may change its environment.
    pub fn start(arguments: &[&str], vary: impl FnOnce(&mut Command)) -> Self {
        Self::start_program(Path::new(PROGRAM), arguments, vary)
    }

    /// Starts a copy of the program, whose file is gone as soon as it runs, as when a build replaces it.
    pub fn start_replaced(arguments: &[&str], vary: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("xtask");
        fs::copy(PROGRAM, &copy).unwrap();
        Self::start_program(&copy, arguments, vary)
    }

    fn start_program(program: &Path, arguments: &[&str], vary: impl FnOnce(&mut Command)) -> Self {
        let workspace = Workspace::find().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(workspace.root())
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        vary(&mut command);
        let child = command.spawn().unwrap();
        let output = Arc::default();
        collect(reader, Arc::clone(&output));
        Self { child, output }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has printed so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until `is_it`. An error, with the output, if the run ends before.
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Self) -> bool) -> Result<(), String> {
        wait_for(what, PATIENCE, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("it has ended before {what}: {status}");
            }
            Ok(is_it(self).then_some(()))
        })
        .map_err(|error| self.explain(&error))
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        wait_for("its end", limit, || Ok(self.child.try_wait()?))
            .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &anyhow::Error) -> String {
        format!("{error:#}\n{}", self.output())
    }

    /// Returns the system that `dev` runs, once it is ready.
    pub fn system(&self) -> System {
        let output = self.output();
        let after = |text: &str| output.split(text).nth(1).unwrap_or_default();
        let word = |text: &str| text.split([' ', '"', '\n']).next().unwrap().to_owned();
        System {
            url: word(after("runs at ")),
            token: word(after("Bearer ")),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Reads what a run prints, for as long as it does.
fn collect(mut from: io::PipeReader, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default());
            into.lock().unwrap().push_str(&text);
        }
    });
}

/// A system that `dev` runs.
pub struct System {
    url: String,
    token: String,
}

impl System {
    /// Sends an event to the sample API.
    pub fn send_event(&self, correlation_id: &str) -> Result<()> {
        let answer = agent(Duration::from_secs(10))
            .post(format!("{}/events", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("x-correlation-id", correlation_id)
            .send_json(json!({"type": "user.signup", "payload": {}}))?;
        if !answer.status().is_success() {
            bail!("{}", answer.status());
        }
        Ok(())
    }

    /// Returns how many rows D1 has of `correlation_id`.
    pub fn count_rows(&self, correlation_id: &str) -> Result<i64> {
        let path = "cdn-cgi/local/explorer/api/d1/database/DB/raw";
        let sql = "SELECT COUNT(*) FROM tail_logs WHERE correlation_id = ?1";
        let mut answer = agent(Duration::from_secs(10))
            .post(format!("{}/{path}", self.url))
            .send_json(json!({"sql": sql, "params": [correlation_id]}))?;
        let answer: Value = answer.body_mut().read_json()?;
        let count = answer.pointer("/result/0/results/rows/0/0");
        count
            .and_then(Value::as_i64)
            .with_context(|| answer.to_string())
    }
}

/// Removes what a `dev` on this port has kept.
pub fn remove_state(port: u16) {
    let folder = Workspace::find().unwrap().state_dir();
    let _ = fs::remove_dir_all(folder.join(format!("dev-{port}")));
    let _ = fs::remove_file(folder.join(format!("dev-{port}.lock")));
}
