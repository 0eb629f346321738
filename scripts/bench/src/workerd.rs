//! A bare workerd with a producer and one tail Worker: real trace events without wrangler, queues or databases around
//! them, so that little else uses the processor.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use checkout::dev_server::{agent, free_port};
use checkout::process::ProcessGroup;
use checkout::{Scratch, Workspace};

use crate::cpu;

/// The compatibility date of the Workers that run in here; that of `wrangler/*.toml`.
pub const COMPATIBILITY_DATE: &str = "2026-11-01";

const START: Duration = Duration::from_secs(30);

/// Returns this crate's folder.
#[must_use]
pub fn bench_folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join("scripts/bench")
}

/// Bundles the TypeScript module `source` (relative to this crate's folder) to the file `to`.
///
/// # Errors
/// Fails if esbuild fails.
pub fn bundle_script(workspace: &Workspace, source: &str, to: &Path) -> Result<()> {
    let output = workspace
        .command("esbuild")?
        .args(["--bundle", "--format=esm", "--log-level=warning"])
        .arg(bench_folder(workspace).join(source))
        .arg(format!("--outfile={}", to.display()))
        .output()
        .context("esbuild did not start: run `cargo xtask setup`")?;
    if !output.status.success() {
        bail!("{source}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A module of a Worker: the name that it is imported by, and its file.
#[derive(Clone, Debug)]
pub struct Module {
    /// As in `import … from "NAME"`.
    pub name: String,
    /// `.js` or `.wasm`.
    pub file: PathBuf,
}

impl Module {
    /// A module.
    #[must_use]
    pub fn new(name: &str, file: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            file: file.into(),
        }
    }
}

/// A running workerd; dropping it stops it.
#[derive(Debug)]
pub struct Workerd {
    process: ProcessGroup,
    agent: ureq::Agent,
    ports: Vec<u16>,
    files: Scratch,
}

impl Workerd {
    /// Starts a Worker of `modules`, the first of which is its main one. With a `producer`, that Worker answers at
    /// [`Workerd::ask_producer`] and is tailed by the first.
    ///
    /// # Errors
    /// Fails if workerd does not start, or does not answer.
    pub fn start(
        workspace: &Workspace,
        modules: &[Module],
        producer: Option<&Path>,
    ) -> Result<Self> {
        let folder = Scratch::new()?;
        let mut ports = vec![free_port()?];
        let mut services = worker_config(folder.path(), "measured", modules, "")?;
        let mut sockets = socket_config("measured", ports.first().copied());
        if let Some(producer) = producer {
            ports.push(free_port()?);
            let module = [Module::new("producer.js", producer)];
            services += &worker_config(
                folder.path(),
                "producer",
                &module,
                r#"tails = ["measured"],"#,
            )?;
            sockets += &socket_config("producer", ports.last().copied());
        }
        let config = format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\n\
             const config :Workerd.Config = (services = [{services}], sockets = [{sockets}]);\n"
        );
        let path = folder.path().join("config.capnp");
        fs::write(&path, config)?;
        let mut command = workspace.command("workerd")?;
        command
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("stderr"))?);
        let mut workerd = Self {
            process: ProcessGroup::spawn(&mut command)?,
            agent: agent(Duration::from_secs(120)),
            ports,
            files: folder,
        };
        workerd.wait_until_ready()?;
        Ok(workerd)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            // Any answer will do: a Worker without a fetch handler answers 500.
            let url = format!("http://127.0.0.1:{}/", self.port(0)?);
            if self.agent.get(&url).call().is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                let stderr = fs::read_to_string(self.files.path().join("stderr"))?;
                bail!("workerd ended ({status}): {stderr}");
            }
            if Instant::now() > deadline {
                bail!("workerd did not answer within {} s", START.as_secs());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn port(&self, index: usize) -> Result<u16> {
        self.ports.get(index).copied().context("no such port")
    }

    fn get_text(&self, port: usize, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port(port)?);
        let mut answer = self.agent.get(&url).call()?;
        let body = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            let stderr = fs::read_to_string(self.files.path().join("stderr"))?;
            bail!("{path}: {} {body}\n{stderr}", answer.status());
        }
        Ok(body)
    }

    /// Returns what the measured Worker answers to `path`.
    ///
    /// # Errors
    /// Fails if it answers with an error.
    pub fn ask_measured(&self, path: &str) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.get_text(0, path)?)?)
    }

    /// Sends `path` to the producer.
    ///
    /// # Errors
    /// Fails if it answers with an error.
    pub fn ask_producer(&self, path: &str) -> Result<()> {
        self.get_text(1, path).map(drop)
    }

    /// Processor time used so far.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub fn processor_time(&self) -> Result<Duration> {
        cpu::of_workerd(self.process.id())
    }
}

fn socket_config(service: &str, port: Option<u16>) -> String {
    let port = port.unwrap_or_default();
    format!(
        r#"(name = "{service}", address = "127.0.0.1:{port}", http = (), service = "{service}"),"#
    )
}

/// A service of the configuration, with its modules copied to where the configuration can embed them.
fn worker_config(folder: &Path, name: &str, modules: &[Module], more: &str) -> Result<String> {
    let mut list = String::new();
    for (index, module) in modules.iter().enumerate() {
        let wasm = module.file.extension().is_some_and(|it| it == "wasm");
        let kind = if wasm { "wasm" } else { "esModule" };
        let file = format!("{name}-{index}.{kind}");
        fs::copy(&module.file, folder.join(&file))
            .with_context(|| format!("{} cannot be copied", module.file.display()))?;
        let _ = write!(
            list,
            r#"(name = "{}", {kind} = embed "{file}"),"#,
            module.name
        );
    }
    Ok(format!(
        r#"(name = "{name}", worker = (modules = [{list}], {more} compatibilityDate = "{COMPATIBILITY_DATE}")),"#
    ))
}
