//! Runs the whole system locally, and says what to try.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use e2e::dev_server::{DevServer, Output, registry};
use e2e::workspace::WORKERS;
use e2e::{Workspace, poll, system};

use crate::step::{cargo, execute, say};
use crate::{build, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The port on which the sample API answers
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Start with an empty database, queues and KV
    #[arg(long)]
    fresh: bool,
}

/// `cargo xtask dev`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let port = arguments.port;
    // Before minutes of compiling, not after.
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        bail!("port {port} is taken: stop what listens there, or choose another with --port");
    }
    setup::run_in(&workspace)?;
    build::all(&workspace)?;
    // What the welcome says to try next must not begin with a minute of silence.
    execute(
        cargo()
            .args(["build", "--package", "tailrace"])
            .current_dir(workspace.root()),
    )?;

    let state = workspace.state_dir().join("dev");
    if arguments.fresh && state.exists() {
        fs::remove_dir_all(&state)
            .with_context(|| format!("{} cannot be removed", state.display()))?;
    }
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
    let token = local_variables(&workspace.wrangler_dir().join(".dev.vars"))?;
    say("applying the migrations to the local database");
    let config = |name: &str| workspace.wrangler_dir().join(format!("{name}.toml"));
    system::migrate(&workspace, &config("log-writer"), &state)?;

    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed))
        .context("Ctrl-C cannot be handled")?;
    say("starting the Workers");
    let configs = WORKERS.map(config);
    let mut server = DevServer::start(&workspace, &configs, &state, port, Output::Inherit)?;
    println!(
        "{}",
        welcome(&server.url(), port, &token, &registry(&state))
    );

    while !stop.load(Ordering::Relaxed) {
        if let Some(status) = poll(Duration::from_secs(1), || {
            if stop.load(Ordering::Relaxed) {
                return Ok(Some(None));
            }
            Ok(server.ended()?.map(Some))
        })?
        .flatten()
        {
            bail!("wrangler dev has ended ({status}); its lines above say why");
        }
    }
    say("stopping");
    Ok(())
}

/// Makes the Workers' local variables, unless they are there: a token of this checkout's own for the sample API, and
/// dead letters to KV, since the local runtime drops what is sent to a queue that nobody consumes. Returns the token.
fn local_variables(path: &Path) -> Result<String> {
    if let Ok(text) = fs::read_to_string(path) {
        let token = text
            .lines()
            .find_map(|line| line.strip_prefix("API_TOKEN="))
            .map(|token| token.trim_matches('"').to_owned());
        return token.with_context(|| {
            format!(
                "{} has no API_TOKEN: add one, or remove the file to have it made anew",
                path.display()
            )
        });
    }
    let token = uuid::Uuid::new_v4().simple().to_string();
    let text = format!(
        "# For local development alone; made by `cargo xtask dev`, never committed.\n\
         API_TOKEN={token}\nDEAD_LETTERS=kv\n"
    );
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(token)
}

fn welcome(url: &str, port: u16, token: &str, registry: &Path) -> String {
    format!(
        r#"
Tailrace runs at {url}  (Ctrl-C stops it)

Send an event to the sample API:

  curl -i {url}/events -H "authorization: Bearer {token}" \
    -H "x-correlation-id: my-first-trace" -H "content-type: application/json" \
    -d '{{"type":"user.signup","payload":{{"plan":"pro"}}}}'

A few seconds later, see what it caused across the Workers:

  cargo tailrace trace my-first-trace --local {port}
  cargo tailrace logs --follow --local {port}

A Worker of your own with tail_consumers = [{{ service = "tail-ingest" }}] joins it as

  WRANGLER_REGISTRY_PATH={registry} npx wrangler dev --port {next}
"#,
        registry = registry.display(),
        next = port.checked_add(3).unwrap_or(8787),
    )
}
