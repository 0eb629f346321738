//! Runs the whole system locally, and says what to try.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use checkout::dev_server::{DevServer, Output, migrate, registry};
use checkout::lock::{Claim, Lock};
use checkout::process::{ProcessGroup, cargo};
use checkout::workspace::WORKERS;
use checkout::{Workspace, interrupt, poll};
use pipeline_settings::table;

use crate::settings_file::{self, Chosen, SettingsFile};
use crate::step::say;
use crate::{build, setup};

const PORT: u16 = 8787;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The port on which the sample API answers; each port has a database, queues and KV of its own
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Start with an empty database, queues and KV
    #[arg(long)]
    fresh: bool,
    /// The records that become rows of D1: all, or an index of what the archive holds
    #[arg(long, value_name = "all|index", value_parser = ["all", "index"], hide_possible_values = true)]
    rows: Option<String>,
}

/// Runs `cargo xtask dev`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    interrupt::watch();
    let started = Instant::now();
    let workspace = Workspace::find()?;
    let settings = settings_file::find_path(&workspace, None)?;
    let mut chosen = SettingsFile::read(&settings)?.for_dev();
    if let Some(rows) = &arguments.rows {
        chosen.vars.insert(table::ROWS.name, rows.clone());
    }
    let port = arguments.port;
    let name = match port {
        PORT => "dev".to_owned(),
        _ => format!("dev-{port}"),
    };
    let state = workspace.state_dir().join(&name);
    // Both before minutes of compiling, not after.
    let _lock = claim(&workspace.state_dir().join(format!("{name}.lock")), port)?;
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        bail!(
            "port {port} is taken\nhint: stop the program that listens there, or choose another port with --port"
        );
    }
    setup::run_in(&workspace)?;
    build::all(&workspace)?;

    if arguments.fresh && state.exists() {
        fs::remove_dir_all(&state)
            .with_context(|| format!("{} cannot be removed", state.display()))?;
    }
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
    let token = write_local_variables(&workspace.wrangler_dir().join(".dev.vars"), &chosen)?;
    say("applying the migrations to the local database");
    let config = |name: &str| workspace.wrangler_dir().join(format!("{name}.toml"));
    migrate(&workspace, &config("log-writer"), &state)?;

    say("starting the Workers");
    let configs = WORKERS.map(config);
    let mut server = DevServer::start(&workspace, &configs, &state, port, Output::Inherit)?;
    println!(
        "{}",
        welcome(&server.url(), port, &token, &registry(&state))
    );
    say(format!("ready after {} s", started.elapsed().as_secs()));
    let mut tool = CompiledTool::begin(&workspace)?;
    loop {
        let ended = poll(Duration::from_secs(60), || {
            tool.look()?;
            server.ended()
        })?;
        if let Some(status) = ended {
            bail!("wrangler dev has ended ({status}); its lines above say why");
        }
    }
}

/// Makes sure that no other `cargo xtask dev` has the same state.
fn claim(path: &Path, port: u16) -> Result<Lock> {
    let owner = format!("process {}", std::process::id());
    match Lock::claim(path, &owner)? {
        Claim::Taken(lock) => Ok(lock),
        Claim::HeldBy(owner) => bail!(
            "`cargo xtask dev` runs on port {port} of this checkout already ({owner})\n\
             hint: use it, stop it, or start a second one with a state of its own: cargo xtask dev --port {}",
            port.saturating_add(10)
        ),
    }
}

/// `tailrace`, compiled while the Workers run already, so that the first `cargo tailrace` does not begin with minutes of
/// silence.
struct CompiledTool(Option<ProcessGroup>);

impl CompiledTool {
    fn begin(workspace: &Workspace) -> Result<Self> {
        let mut command = cargo();
        command
            .args(["build", "--quiet", "--package", "tailrace"])
            .current_dir(workspace.root())
            .stdin(std::process::Stdio::null());
        Ok(Self(Some(ProcessGroup::spawn(&mut command)?)))
    }

    /// Says once that `cargo tailrace` is ready, or that it is not.
    fn look(&mut self) -> Result<()> {
        let Some(process) = &mut self.0 else {
            return Ok(());
        };
        if let Some(status) = process.try_wait()? {
            self.0 = None;
            say(if ExitStatus::success(&status) {
                "cargo tailrace is ready"
            } else {
                "cargo tailrace does not compile; the lines above say why"
            });
        }
        Ok(())
    }
}

/// Writes the Workers' local variables: a token of this checkout's own for the sample API, dead letters to KV, since the
/// local runtime drops what is sent to a queue that nobody consumes, and the chosen settings. Lines of the user's own
/// stay. Returns the token.
fn write_local_variables(path: &Path, chosen: &Chosen) -> Result<String> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let (after, token) = local_variables(&before, chosen);
    if after != before {
        fs::write(path, after).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(token)
}

fn local_variables(before: &str, chosen: &Chosen) -> (String, String) {
    let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let token = before
        .lines()
        .find_map(|line| line.strip_prefix("API_TOKEN="))
        .map(|token| token.trim().trim_matches('"').to_owned())
        .filter(|token| !token.is_empty())
        .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    let mut lines = vec![
        "# For local development alone, never committed. `cargo xtask dev` writes the token, and the settings of [dev] in"
            .to_owned(),
        "# tailrace.toml; other lines are yours.".to_owned(),
        format!("API_TOKEN={token}"),
    ];
    if !chosen.vars.contains_key(table::DEAD_LETTERS.name) {
        lines.push("DEAD_LETTERS=kv".to_owned());
    }
    for (name, text) in &chosen.vars {
        lines.push(format!("{name}=\"{text}\""));
    }
    let own = before.lines().filter(|line| {
        !line.starts_with('#') && name(line) != "API_TOKEN" && table::find(&name(line)).is_none()
    });
    lines.extend(own.map(str::to_owned));
    (lines.join("\n") + "\n", token)
}

fn welcome(url: &str, port: u16, token: &str, registry: &Path) -> String {
    format!(
        r#"
Tailrace runs at {url}  (Ctrl-C stops it)

Send an event to the sample API:

  curl -i {url}/events -H "authorization: Bearer {token}" \
    -H "x-correlation-id: my-first-trace" -H "content-type: application/json" \
    -d '{{"type":"user.signup","payload":{{"plan":"pro"}}}}'

A few seconds later, see what it caused across the Workers (the tool is compiled now, which takes a minute or two the
first time):

  cargo tailrace trace my-first-trace --local {port}
  cargo tailrace logs --follow --local {port}

A Worker of your own with tail_consumers = [{{ service = "tail-ingest" }}] joins it as

  WRANGLER_REGISTRY_PATH={registry} npx wrangler dev --port {next}
"#,
        registry = registry.display(),
        next = port.checked_add(3).unwrap_or(8787),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_variables_keep_the_token_and_lines_of_ones_own() {
        let (first, token) = local_variables("", &Chosen::default());
        assert!(first.contains("DEAD_LETTERS=kv"), "{first}");
        let mut chosen = Chosen::default();
        chosen.vars.insert("MIN_LEVEL", "warn".to_owned());
        let (second, same) = local_variables(&format!("{first}MY_OWN=1\n"), &chosen);
        assert_eq!(same, token);
        assert!(second.contains("MIN_LEVEL=\"warn\""), "{second}");
        assert!(second.contains("MY_OWN=1"), "{second}");
        // What is no longer in the file is no longer set.
        let (third, _) = local_variables(&second, &Chosen::default());
        assert_eq!(third, format!("{first}MY_OWN=1\n"));
    }
}
