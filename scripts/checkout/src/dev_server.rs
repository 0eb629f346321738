//! One `wrangler dev` that runs several Workers in one workerd.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::poll::poll;
use crate::process::{self, ProcessGroup};
use crate::workspace::Workspace;

/// The time that `wrangler dev` may take until the first Worker answers. On a machine that has just compiled everything it is
/// about five seconds.
const START: Duration = Duration::from_secs(90);

/// File of `wrangler dev`'s own and the Workers' output.
#[derive(Clone, Debug)]
pub enum Output {
    /// To the terminal.
    Inherit,
    /// To a file.
    File(PathBuf),
    /// To a file, without what wrangler says about each request: for measurements, which that would be a good part of.
    Quiet(PathBuf),
}

/// Returns the folder in which the server with its state under `state` says which Workers it runs, for the servers of other Workers to find them
/// by name. One of its own, so that systems side by side do not take each other's.
#[must_use]
pub fn registry(state: &Path) -> PathBuf {
    state.join("registry")
}

/// A running `wrangler dev`; dropping it stops it.
#[derive(Debug)]
pub struct DevServer {
    process: ProcessGroup,
    port: u16,
    output: Output,
}

impl DevServer {
    /// Starts the Workers of `configs`, the first of which answers HTTP on `port`, with their state under `state`.
    /// Returns once workerd answers.
    ///
    /// # Errors
    /// Fails if wrangler cannot be started, ends, or does not answer in time; with the end of its output.
    pub fn start(
        workspace: &Workspace,
        configs: &[PathBuf],
        state: &Path,
        port: u16,
        output: Output,
    ) -> Result<Self> {
        let mut command = workspace.command("wrangler")?;
        command.arg("dev");
        for config in configs {
            command.arg("--config").arg(config);
        }
        command
            .arg("--persist-to")
            .arg(state)
            .args(["--ip", "127.0.0.1", "--port", &port.to_string()])
            .args(["--inspector-port", &free_port()?.to_string()])
            .arg("--show-interactive-dev-session=false")
            .env("WRANGLER_REGISTRY_PATH", registry(state))
            .stdin(Stdio::null());
        if let Output::Inherit = &output {
            // For a person, wrangler's own page of traces is welcome.
            command.env_remove("X_LOCAL_OBSERVABILITY");
            // For the build commands in `wrangler/`: cargo would wait there for whatever else it compiles meanwhile.
            command.env("XTASK", own_program()?);
        }
        if let Output::Quiet(_) = &output {
            command.args(["--log-level", "error"]);
        }
        if let Output::File(path) | Output::Quiet(path) = &output {
            let file = File::create(path)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        let mut server = Self {
            process: ProcessGroup::spawn(&mut command)?,
            port,
            output,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let url = format!("{}/cdn-cgi/local/explorer/api/local/workers", self.url());
        let process = &mut self.process;
        let ready = poll(START, || {
            if let Some(status) = process.try_wait()? {
                return Ok(Some(Err(status)));
            }
            let answer = agent(Duration::from_secs(5)).get(&url).call();
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(Ok(())))
        })?;
        match ready {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => bail!("wrangler dev ended ({status})\n{}", self.output_tail()),
            None => bail!(
                "wrangler dev did not answer within {} s\n{}",
                START.as_secs(),
                self.output_tail()
            ),
        }
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port on which the first Worker answers.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the process group's id.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process.id()
    }

    /// Everything written so far, where it goes to a file.
    #[must_use]
    pub fn output(&self) -> String {
        match &self.output {
            Output::Inherit => String::new(),
            Output::File(path) | Output::Quiet(path) => fs::read(path)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default(),
        }
    }

    /// The end of the output, for an error message.
    #[must_use]
    pub fn output_tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines
            .get(lines.len().saturating_sub(40)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Returns the pipeline's own lines about `event`, oldest first.
    #[must_use]
    pub fn lines(&self, event: &str) -> Vec<Value> {
        let output = self.output();
        output
            .lines()
            .filter_map(|line| {
                let (from, to) = (line.find("{\"")?, line.rfind('}')?);
                serde_json::from_str(line.get(from..=to)?).ok()
            })
            .filter(|line: &Value| line["event"] == event)
            .collect()
    }

    /// Returns whether `wrangler dev` has ended, and how.
    ///
    /// # Errors
    /// Fails if the system does not say.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        self.process.try_wait()
    }

    /// Fires the cron `cron` of `worker` and waits until the run has ended.
    ///
    /// # Errors
    /// Fails if the runtime refuses it.
    pub fn fire_cron(&self, worker: &str, cron: &str) -> Result<()> {
        let url = format!(
            "{}/cdn-cgi/local/explorer/api/local/scheduled?worker={worker}",
            self.url()
        );
        let mut answer = agent(Duration::from_secs(300))
            .post(&url)
            .send_json(json!({ "cron": cron }))?;
        let status = answer.status();
        let body = answer.body_mut().read_to_string().unwrap_or_default();
        if !status.is_success() {
            bail!("cron {cron} of {worker}: {status} {body}");
        }
        Ok(())
    }

    /// The keys of the KV namespace `namespace` that start with `prefix`.
    ///
    /// # Errors
    /// Fails if the runtime does not answer as Cloudflare's API does.
    pub fn kv_keys(&self, namespace: &str, prefix: &str) -> Result<Vec<String>> {
        let base = format!(
            "{}/cdn-cgi/local/explorer/api/storage/kv/namespaces/{namespace}/keys",
            self.url()
        );
        let mut keys = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut answer = agent(Duration::from_secs(30))
                .get(&base)
                .query("limit", "1000")
                .query("prefix", prefix)
                .query("cursor", &cursor)
                .call()?;
            let answer: Value = answer.body_mut().read_json()?;
            let page = answer
                .pointer("/result")
                .and_then(Value::as_array)
                .with_context(|| format!("keys of {namespace}: {answer}"))?;
            keys.extend(
                page.iter()
                    .filter_map(|key| key.pointer("/name")?.as_str())
                    .filter(|name| name.starts_with(prefix))
                    .map(str::to_owned),
            );
            match answer
                .pointer("/result_info/cursor")
                .and_then(Value::as_str)
            {
                None | Some("") => return Ok(keys),
                Some(next) => next.clone_into(&mut cursor),
            }
        }
    }

    /// The value of `key` in the KV namespace `namespace`.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn kv_value(&self, namespace: &str, key: &str) -> Result<String> {
        let url = format!(
            "{}/cdn-cgi/local/explorer/api/storage/kv/namespaces/{namespace}/values/{}",
            self.url(),
            percent_encode(key)
        );
        let mut answer = agent(Duration::from_secs(30)).get(&url).call()?;
        let status = answer.status();
        let body = answer
            .body_mut()
            .with_config()
            .limit(30_000_000)
            .read_to_string()?;
        if !status.is_success() {
            bail!("value of {key}: {status}");
        }
        Ok(body)
    }
}

/// Applies the migrations of the log-writer configuration at `config` to the local database under `state`.
///
/// # Errors
/// Fails if wrangler fails, with its output.
pub fn migrate(workspace: &Workspace, config: &Path, state: &Path) -> Result<()> {
    let mut command = workspace.command("wrangler")?;
    command
        .args(["d1", "migrations", "apply", "tailrace", "--local"])
        .arg("--config")
        .arg(config)
        .arg("--persist-to")
        .arg(state);
    let printed = process::capture(&mut command).context("hint: run `cargo xtask setup`")?;
    if !printed.status.success() {
        bail!(
            "the migrations failed ({})\n{}{}",
            printed.status,
            printed.stdout,
            printed.stderr
        );
    }
    Ok(())
}

/// Returns an HTTP client that returns answers of any status, and gives up after `limit`.
#[must_use]
pub fn agent(limit: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        // What runs on this machine is never behind a proxy.
        .proxy(None)
        .build()
        .into()
}

/// A port that nothing listens on. Not one of those that the system gives to outgoing connections, which could take it
/// before it is listened on.
///
/// # Errors
/// Fails if none of many is free.
pub fn free_port() -> Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000; // up to 30,000; outgoing connections begin at 32,768 on Linux
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different places.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder is less than COUNT"
    )]
    let start = (std::process::id().wrapping_mul(997) % u32::from(COUNT)) as u16;
    for _ in 0..1_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free");
}

fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Returns a path by which this program can be started for as long as it runs.
///
/// A build beside it may replace its file. On Linux the process itself still leads to the program then.
fn own_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from(format!("/proc/{}/exe", std::process::id())));
    }
    std::env::current_exe().context("the path of this program is not known")
}
