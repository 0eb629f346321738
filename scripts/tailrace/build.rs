//! Tells `--version` the commit. Only for builds that are handed to somebody: in a debug build it would have the tool
//! compiled again after each commit.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = if is_release {
        watch_head();
        git(&[
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
            "--abbrev=10",
        ])
        .unwrap_or_else(|| "unknown commit".to_owned())
    } else {
        "debug build".to_owned()
    };
    println!("cargo::rustc-env=TAILRACE_VERSION={version} ({commit})");
}

/// Has this run again when another commit is checked out.
fn watch_head() {
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// Returns what git says; `None` outside a repository and where there is no git.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
