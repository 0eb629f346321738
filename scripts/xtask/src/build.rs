//! Compiles Workers to Wasm with worker-build, where their sources have changed since the last time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use e2e::Workspace;
use e2e::workspace::RUST_WORKERS;

use crate::inputs::fingerprint;
use crate::setup;
use crate::step::{execute, say};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The Workers to compile: log-writer, tail-ingest, queue-consumer, triggers-api
    workers: Vec<String>,
}

/// `cargo xtask build`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    setup::run_in(&workspace)?;
    let known = |name: &String| RUST_WORKERS.iter().any(|(worker, _)| worker == name);
    if let Some(unknown) = arguments.workers.iter().find(|name| !known(name)) {
        let names: Vec<&str> = RUST_WORKERS.iter().map(|(name, _)| *name).collect();
        bail!("no Worker {unknown}: there are {}", names.join(", "));
    }
    for (name, folder) in RUST_WORKERS {
        if arguments.workers.is_empty() || arguments.workers.iter().any(|wanted| wanted == name) {
            worker(&workspace, name, folder)?;
        }
    }
    Ok(())
}

/// Compiles every Worker.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    RUST_WORKERS
        .iter()
        .try_for_each(|(name, folder)| worker(workspace, name, folder))
}

fn worker(workspace: &Workspace, name: &str, folder: &str) -> Result<()> {
    let folder = workspace.root().join(folder);
    let build = folder.join("build");
    let stamp = build.join(".stamp");
    let wanted = fingerprint(&sources(workspace, &folder), &[])?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    say(format!("compiling {name} to Wasm"));
    let npm = workspace.npm_bin_dir();
    execute(
        workspace
            .command("worker-build")?
            .arg("--release")
            .env(
                "WASM_BINDGEN_BIN",
                workspace.tools_dir().join("bin/wasm-bindgen"),
            )
            .env("WASM_OPT_BIN", npm.join("wasm-opt"))
            .env("ESBUILD_BIN", npm.join("esbuild"))
            .current_dir(&folder),
    )
    .with_context(|| format!("{name} does not compile to Wasm"))?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

/// Everything that can change what a Worker compiles to.
fn sources(workspace: &Workspace, folder: &Path) -> Vec<PathBuf> {
    let root = workspace.root();
    let shared =
        ["log-record", "producers/producer-log"].map(|crate_folder| root.join(crate_folder));
    let crates = shared.iter().map(PathBuf::as_path).chain([folder]);
    crates
        .flat_map(|folder| [folder.join("src"), folder.join("Cargo.toml")])
        .chain(
            ["Cargo.toml", "Cargo.lock", "wrangler/package-lock.json"].map(|file| root.join(file)),
        )
        .collect()
}
