//! Every locked package compiles with the oldest Rust that Cargo.toml promises, and is compiled once for all Workers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

use std::collections::BTreeSet;
use std::process::Command;

use checkout::Workspace;
use checkout::workspace::RUST_WORKERS;
use serde_json::Value;

/// The packages that people compile: Tailrace's own, and the programs that build and check it.
const MANIFESTS: [&str; 3] = [
    "Cargo.toml",
    "scripts/build-tools/Cargo.toml",
    "scripts/check-tools/Cargo.toml",
];

/// Reads `1.91` or `1.85.1`.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

/// Returns the packages of `manifest` for this machine and for Wasm, and what each wants of Rust.
fn packages(workspace: &Workspace, manifest: &str) -> Vec<(String, Option<String>)> {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(rustc.stdout).unwrap();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--manifest-path", manifest])
        .args(["--filter-platform", host.unwrap()])
        .args(["--filter-platform", "wasm32-unknown-unknown"])
        .current_dir(workspace.root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |package: &Value, name| package[name].as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let name = text(package, "name").unwrap();
            let version = text(package, "version").unwrap();
            (format!("{name} {version}"), text(package, "rust_version"))
        })
        .collect()
}

#[test]
fn no_package_wants_a_newer_rust_than_ours() {
    let workspace = Workspace::find().unwrap();
    let own = packages(&workspace, "Cargo.toml");
    let xtask = own.iter().find(|(name, _)| name.starts_with("xtask "));
    let ours = xtask.unwrap().1.clone().unwrap();
    for manifest in MANIFESTS {
        let mut newer = Vec::new();
        for (name, wanted) in packages(&workspace, manifest) {
            if wanted.is_some_and(|wanted| version(&wanted) > version(&ours)) {
                newer.push(name);
            }
        }
        assert!(newer.is_empty(), "{manifest}, against {ours}: {newer:#?}");
    }
}

/// Returns what `workers` are compiled from: packages with their features.
fn compiled(workspace: &Workspace, workers: &[&str]) -> BTreeSet<String> {
    let packages = workers.iter().flat_map(|worker| ["--package", worker]);
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--target", "wasm32-unknown-unknown"])
        .args(["--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p} {f}", "--no-dedupe"])
        .args(packages)
        .current_dir(workspace.root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_package_has_the_same_features_in_every_worker() {
    let workspace = Workspace::find().unwrap();
    let names = RUST_WORKERS.map(|(name, _)| name);
    let together = compiled(&workspace, &names);
    for name in names {
        let alone = compiled(&workspace, &[name]);
        let anew: Vec<_> = alone.difference(&together).collect();
        assert!(anew.is_empty(), "{name} compiles these anew: {anew:#?}");
    }
}
