//! Compiles Workers to Wasm with worker-build, where their sources have changed since the last time.
//!
//! The Wasm that is run and uploaded has no names of functions: they are a tenth of it. `build/index_bg.names` has them, for
//! stack traces: a line for each `wasm-function[N]`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use checkout::workspace::RUST_WORKERS;
use checkout::{Fingerprint, Workspace};

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

/// Options of wasm-opt for the Wasm that worker-build leaves. The features are those that worker-build allows, and the SIMD
/// that `.cargo/config.toml` turns on; no more, since the runtime must know them.
const WASM_OPT: [&str; 10] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-simd",
    "--enable-multivalue",
    "--enable-reference-types",
    "--enable-exception-handling",
    "-O3",
    "--converge",
];

fn worker(workspace: &Workspace, name: &str, folder: &str) -> Result<()> {
    let folder = workspace.root().join(folder);
    let build = folder.join("build");
    let stamp = build.join(".stamp");
    let mut wanted = Fingerprint::new(workspace.root());
    wanted.add_text(&WASM_OPT.join(" "));
    for path in sources(workspace, &folder) {
        wanted.add_path(&path)?;
    }
    let wanted = wanted.finish();
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
    strip(workspace, &build).with_context(|| format!("{name} cannot be stripped"))?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

/// Puts the names of the functions in a file of their own.
fn strip(workspace: &Workspace, build: &Path) -> Result<()> {
    let wasm = build.join("index_bg.wasm");
    // The order counts: the names are those of the optimised functions.
    let names = format!("--symbolmap={}", build.join("index_bg.names").display());
    execute(
        workspace
            .command("wasm-opt")?
            .args(WASM_OPT)
            .args([&names, "--strip-debug", "--output"])
            .args([&wasm, &wasm]),
    )
}

/// Everything that can change what a Worker compiles to.
fn sources(workspace: &Workspace, folder: &Path) -> Vec<PathBuf> {
    let root = workspace.root();
    let shared = [
        "log-record",
        "log-record/pipeline-settings",
        "log-record/worker-runtime",
        "producers/producer-log",
    ]
    .map(|crate_folder| root.join(crate_folder));
    let crates = shared.iter().map(PathBuf::as_path).chain([folder]);
    crates
        .flat_map(|folder| [folder.join("src"), folder.join("Cargo.toml")])
        .chain(
            [
                ".cargo/config.toml",
                "Cargo.toml",
                "Cargo.lock",
                "wrangler/package-lock.json",
            ]
            .map(|file| root.join(file)),
        )
        .collect()
}
