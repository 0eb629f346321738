//! Compiles Workers to Wasm with worker-build, where their sources have changed since the last time.
//!
//! The Wasm that is run and uploaded has no names of functions: they are a tenth of it. `build/index_bg.names` has them, for
//! stack traces: a line for each `wasm-function[N]`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};
use checkout::process::cargo;
use checkout::workspace::RUST_WORKERS;
use checkout::{Fingerprint, Workspace};

use crate::setup::{self, WASM_TARGET};
use crate::step::{execute, say, take_turn};

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
    let is_chosen = |name: &str| arguments.workers.iter().any(|it| it == name);
    build(&workspace, |name| {
        arguments.workers.is_empty() || is_chosen(name)
    })
}

/// Compiles every Worker.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    build(workspace, |_| true)
}

/// Compiles the Workers of the names that are wanted, where their sources have changed.
fn build(workspace: &Workspace, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
    if Worker::outdated(workspace, &is_wanted)?.is_empty() {
        return Ok(());
    }
    let _turn = take_turn(workspace)?;
    // Another command may have built them meanwhile.
    let outdated = Worker::outdated(workspace, &is_wanted)?;
    if outdated.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = outdated.iter().map(|worker| worker.name).collect();
    say(format!("compiling {} to Wasm", names.join(", ")));
    compile(workspace, &names)?;
    say(format!("bundling {}", names.join(", ")));
    // wasm-opt uses one core.
    thread::scope(|scope| {
        let threads: Vec<_> = outdated
            .iter()
            .map(|worker| scope.spawn(|| worker.bundle(workspace)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => bail!("bundling a Worker panicked"),
            })
    })
}

/// Compiles Workers side by side. worker-build compiles one after another, and finds this done.
fn compile(workspace: &Workspace, names: &[&str]) -> Result<()> {
    let mut command = cargo();
    command
        .args(["build", "--lib", "--release", "--target", WASM_TARGET])
        // As worker-build calls cargo.
        .env("WASM_BINDGEN_USE_JS_SYS", "1")
        .current_dir(workspace.root());
    for name in names {
        command.args(["--package", name]);
    }
    execute(&mut command).context("a Worker does not compile to Wasm")
}

/// Options of wasm-opt for the Wasm that worker-build leaves. The features are those that worker-build allows, and the SIMD
/// that `.cargo/config.toml` turns on; no more, since the runtime must know them.
const WASM_OPT: [&str; 9] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-simd",
    "--enable-multivalue",
    "--enable-reference-types",
    "--enable-exception-handling",
    "-O3",
];

/// A Worker that is compiled from Rust.
struct Worker {
    name: &'static str,
    folder: PathBuf,
    /// The fingerprint of its sources.
    wanted: String,
}

impl Worker {
    /// Returns the wanted Workers that are to be built.
    fn outdated(workspace: &Workspace, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Self>> {
        let mut workers = Vec::new();
        for (name, folder) in RUST_WORKERS {
            if is_wanted(name) {
                workers.push(Self::read(workspace, name, folder)?);
            }
        }
        workers.retain(|worker| !worker.is_built());
        Ok(workers)
    }

    fn read(workspace: &Workspace, name: &'static str, folder: &str) -> Result<Self> {
        let folder = workspace.root().join(folder);
        let mut wanted = Fingerprint::new(workspace.root());
        wanted.add_text(&WASM_OPT.join(" "));
        for path in sources(workspace, &folder) {
            wanted.add_path(&path)?;
        }
        Ok(Self {
            name,
            folder,
            wanted: wanted.finish(),
        })
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("build/.stamp")
    }

    fn is_built(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|found| found == self.wanted)
    }

    /// Makes what wrangler runs of what cargo has compiled.
    fn bundle(&self, workspace: &Workspace) -> Result<()> {
        let npm = workspace.npm_bin_dir();
        execute(
            workspace
                .command("worker-build")?
                .args(["--release", "--no-opt"])
                .env(
                    "WASM_BINDGEN_BIN",
                    workspace.tools_dir().join("bin/wasm-bindgen"),
                )
                .env("ESBUILD_BIN", npm.join("esbuild"))
                .current_dir(&self.folder),
        )
        .with_context(|| format!("{} cannot be bundled", self.name))?;
        optimise(workspace, &self.folder.join("build"))
            .with_context(|| format!("{} cannot be optimised", self.name))?;
        let stamp = self.stamp();
        fs::write(&stamp, &self.wanted)
            .with_context(|| format!("{} cannot be written", stamp.display()))
    }
}

/// Optimises the Wasm, and puts the names of the functions in a file of their own.
fn optimise(workspace: &Workspace, build: &Path) -> Result<()> {
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
