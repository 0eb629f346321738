//! Installs what is missing: the Wasm target, the tools from crates.io into `.tools/`, the npm tools into
//! `wrangler/node_modules/`. Quick when nothing is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};
use e2e::Workspace;
use toml_edit::DocumentMut;

use crate::inputs::fingerprint;
use crate::step::{cargo, execute, output, say};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Where the prebuilt wasm-bindgen is, for those who can reach it.
const WASM_BINDGEN_RELEASES: &str =
    "https://github.com/wasm-bindgen/wasm-bindgen/releases/download";

/// Installs what `workspace` lacks.
pub(crate) fn run_in(workspace: &Workspace) -> Result<()> {
    wasm_target()?;
    c_compiler()?;
    // npm mostly waits for the network, cargo for the processor.
    thread::scope(|scope| {
        let npm = scope.spawn(|| npm_packages(workspace));
        let cargo = worker_build(workspace).and_then(|()| wasm_bindgen(workspace));
        match npm.join() {
            Ok(npm) => npm.and(cargo),
            Err(_) => bail!("installing the npm packages panicked"),
        }
    })
}

/// `cargo xtask setup`.
pub(crate) fn run() -> Result<()> {
    run_in(&Workspace::find()?)?;
    say("everything is installed");
    Ok(())
}

fn wasm_target() -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))
        .context("rustc does not run: install Rust with rustup, from https://rustup.rs")?;
    let library = Path::new(&sysroot).join("lib/rustlib").join(WASM_TARGET);
    if library.exists() {
        return Ok(());
    }
    say(format!("installing the Rust target {WASM_TARGET}"));
    if output(Command::new("rustup").arg("--version")).is_none() {
        bail!(
            "the Rust target {WASM_TARGET} is missing, and there is no rustup to add it: install rustup from \
             https://rustup.rs, or the target with your system's packages"
        );
    }
    execute(Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

fn c_compiler() -> Result<()> {
    if output(Command::new("cc").arg("--version")).is_none() {
        bail!(
            "there is no C compiler `cc`: install one (Debian: apt-get install build-essential; macOS: xcode-select --install)"
        );
    }
    Ok(())
}

fn npm_packages(workspace: &Workspace) -> Result<()> {
    let folder = workspace.wrangler_dir();
    let stamp = folder.join("node_modules/.tailrace-stamp");
    let wanted = fingerprint(
        &[
            folder.join("package.json"),
            folder.join("package-lock.json"),
        ],
        &[],
    )?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let Some(version) = output(Command::new("npm").arg("--version")) else {
        bail!(
            "there is no npm: install Node.js 20 or newer with npm, from https://nodejs.org or your system's packages"
        );
    };
    say(format!(
        "installing wrangler and its Node from npm, with npm {version}"
    ));
    execute(
        Command::new("npm")
            // The machine's own Node only installs; the one that runs wrangler is among the packages.
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder),
    )
    .context(
        "npm could not install the packages of wrangler/package-lock.json; the lines above say why",
    )?;
    let node = output(workspace.command("node")?.arg("--version"));
    let wrangler = output(workspace.command("wrangler")?.arg("--version"));
    if node.is_none() || wrangler.is_none() {
        bail!(
            "npm has installed the packages, but {} does not run: their install scripts may have been left out; try \
             `npm rebuild` in wrangler/",
            if node.is_none() { "node" } else { "wrangler" }
        );
    }
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

fn worker_build(workspace: &Workspace) -> Result<()> {
    let version = pinned(workspace)?;
    let tool = workspace.tools_dir().join("bin/worker-build");
    if output(Command::new(&tool).arg("--version")).is_some_and(|found| found.ends_with(&version)) {
        return Ok(());
    }
    say(format!(
        "installing worker-build {version} from crates.io (compiles for 2 to 5 minutes, once)"
    ));
    cargo_install(workspace, "worker-build", &version).context(
        "worker-build could not be installed; where the lines above name OpenSSL, install its headers (Debian: apt-get \
         install pkg-config libssl-dev)",
    )
}

/// The version in Cargo.toml's `[workspace.metadata.tools]`.
fn pinned(workspace: &Workspace) -> Result<String> {
    let manifest = read_toml(&workspace.root().join("Cargo.toml"))?;
    let version = manifest
        .get("workspace")
        .and_then(|item| item.get("metadata"))
        .and_then(|item| item.get("tools"))
        .and_then(|item| item.get("worker-build"))
        .and_then(|item| item.as_str());
    Ok(version
        .context("Cargo.toml has no workspace.metadata.tools.worker-build")?
        .to_owned())
}

fn wasm_bindgen(workspace: &Workspace) -> Result<()> {
    let version = locked(workspace, "wasm-bindgen")?;
    let tool = workspace.tools_dir().join("bin/wasm-bindgen");
    if output(Command::new(&tool).arg("--version")).is_some_and(|found| found.ends_with(&version)) {
        return Ok(());
    }
    if download_wasm_bindgen(&version, &tool) {
        return Ok(());
    }
    say(format!(
        "installing wasm-bindgen {version} from crates.io (compiles for 1 to 3 minutes, once)"
    ));
    cargo_install(workspace, "wasm-bindgen-cli", &version)
}

/// Takes the prebuilt program where it can be reached and runs here; otherwise nothing has changed.
fn download_wasm_bindgen(version: &str, tool: &Path) -> bool {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-musl",
        ("linux", "aarch64") => "aarch64-unknown-linux-musl",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        _ => return false,
    };
    let name = format!("wasm-bindgen-{version}-{platform}");
    let url = format!("{WASM_BINDGEN_RELEASES}/{version}/{name}.tar.gz");
    say(format!("looking for a prebuilt wasm-bindgen {version}"));
    let Some(folder) = tool.parent() else {
        return false;
    };
    if fs::create_dir_all(folder).is_err() {
        return false;
    }
    let archive = folder.join("wasm-bindgen.tar.gz");
    let fetched = output(
        Command::new("curl")
            .args([
                "--fail",
                "--silent",
                "--location",
                "--connect-timeout",
                "10",
            ])
            .args(["--max-time", "120", "--proto", "=https", "--output"])
            .arg(&archive)
            .arg(&url),
    )
    .is_some()
        && output(
            Command::new("tar")
                .arg("-xzf")
                .arg(&archive)
                .arg("-C")
                .arg(folder)
                .args(["--strip-components", "1"])
                .arg(format!("{name}/wasm-bindgen")),
        )
        .is_some();
    // Left over or not, the archive is no longer needed.
    let _ = fs::remove_file(&archive);
    fetched
        && output(Command::new(tool).arg("--version")).is_some_and(|found| found.ends_with(version))
}

/// The version of `package` in Cargo.lock.
fn locked(workspace: &Workspace, package: &str) -> Result<String> {
    let lock = read_toml(&workspace.root().join("Cargo.lock"))?;
    let packages = lock
        .get("package")
        .and_then(|item| item.as_array_of_tables())
        .context("Cargo.lock names no packages")?;
    packages
        .iter()
        .find(|table| table.get("name").and_then(|name| name.as_str()) == Some(package))
        .and_then(|table| table.get("version")?.as_str())
        .map(str::to_owned)
        .with_context(|| format!("{package} is not in Cargo.lock"))
}

/// Installs `package` into `.tools/`, with its own lockfile where the registry still has all it names.
fn cargo_install(workspace: &Workspace, package: &str, version: &str) -> Result<()> {
    let tools = workspace.tools_dir();
    let target: PathBuf = tools.join("target");
    let install = |locked: bool| {
        let mut command = cargo();
        command
            .args([
                "install",
                package,
                "--version",
                &format!("={version}"),
                "--root",
            ])
            .arg(&tools)
            .arg("--target-dir")
            .arg(&target)
            // These run for seconds at a time: what counts is how soon they are there.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .current_dir(&tools);
        if locked {
            command.arg("--locked");
        }
        execute(&mut command)
    };
    fs::create_dir_all(&tools).with_context(|| format!("{} cannot be made", tools.display()))?;
    let installed = install(true).or_else(|_| {
        say(format!(
            "{package}'s own lockfile does not hold any more; trying without it"
        ));
        install(false)
    });
    // Hundreds of megabytes that nothing needs again; if some stay, they only take room.
    let _ = fs::remove_dir_all(&target);
    installed
}

fn read_toml(path: &Path) -> Result<DocumentMut> {
    fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?
        .parse()
        .with_context(|| format!("{} is no TOML", path.display()))
}
