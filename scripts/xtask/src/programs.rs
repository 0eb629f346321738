//! Programs that cargo compiles for the whole workspace: the tests, in one go, and those that xtask hands over to. For each
//! set of packages that it is asked for, cargo compiles their dependencies with the features that this set wants, so that a
//! `cargo test` for each package would compile most of them several times.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use checkout::Workspace;
use checkout::process::{self, cargo};
use serde_json::Value;

/// A program with tests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    name: String,
    path: PathBuf,
    /// Its package's folder.
    folder: PathBuf,
    /// True if it is compiled from the package's folder `tests`.
    pub(crate) is_integration: bool,
}

impl Program {
    /// Returns whether it is of the package in `folder`.
    pub(crate) fn is_of(&self, folder: &Path) -> bool {
        self.folder == folder
    }

    /// Returns its name and its package's folder, for whoever waits for it.
    pub(crate) fn title(&self) -> String {
        format!("{} in {}", self.name, self.folder.display())
    }

    /// Returns the command that runs it, as cargo does.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }
}

/// The tests of the workspace, and the operator's tool as cargo compiles it for them.
pub(crate) struct Tests {
    pub(crate) programs: Vec<Program>,
    pub(crate) tool: PathBuf,
}

/// Compiles every test of the workspace.
pub(crate) fn compile_tests(workspace: &Workspace) -> Result<Tests> {
    let messages = run_cargo(workspace, &["test", "--workspace", "--no-run"])?;
    Ok(Tests {
        programs: messages.iter().filter_map(read_message).collect(),
        tool: find_program(&messages, "tailrace")?,
    })
}

/// Compiles the program `name` of the workspace; returns its path.
pub(crate) fn compile_program(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--workspace", "--bin", name];
    find_program(&run_cargo(workspace, &arguments)?, name)
}

/// Returns the path of the program `name` that messages of cargo name.
fn find_program(messages: &[Value], name: &str) -> Result<PathBuf> {
    let is_it = |message: &&Value| {
        message.pointer("/target/name").is_some_and(|it| it == name)
            && message.pointer("/profile/test") == Some(&Value::Bool(false))
    };
    let paths = messages.iter().filter(is_it);
    let mut paths = paths.filter_map(|it| it.get("executable")?.as_str());
    let path = paths.next_back();
    Ok(path
        .with_context(|| format!("cargo names no program {name}"))?
        .into())
}

/// Runs cargo and returns its messages; those for people are on the terminal.
fn run_cargo(workspace: &Workspace, arguments: &[&str]) -> Result<Vec<Value>> {
    let mut command = cargo();
    command
        .args(arguments)
        .args(["--locked", "--message-format=json-render-diagnostics"])
        .current_dir(workspace.root());
    let (status, messages) = process::capture_stdout(&mut command)?;
    if !status.success() {
        bail!("cargo {} failed ({status})", arguments.join(" "));
    }
    messages
        .lines()
        .map(|line| serde_json::from_str(line).context("a message of cargo"))
        .collect()
}

/// Returns the program with tests that a message of cargo is about.
fn read_message(message: &Value) -> Option<Program> {
    let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
    let path = message.get("executable")?.as_str().filter(|_| is_test)?;
    let manifest = Path::new(message.get("manifest_path")?.as_str()?);
    let kinds = message.pointer("/target/kind")?.as_array()?;
    Some(Program {
        name: message.pointer("/target/name")?.as_str()?.to_owned(),
        path: path.into(),
        folder: manifest.parent()?.to_owned(),
        is_integration: kinds.iter().any(|kind| kind == "test"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_names_a_program_only_if_it_holds_tests() {
        let message = |kind: &str, is_test: bool| {
            json!({
                "reason": "compiler-artifact",
                "manifest_path": "/checkout/log-record/Cargo.toml",
                "target": { "kind": [kind], "name": "golden" },
                "profile": { "test": is_test },
                "executable": "/checkout/target/debug/deps/golden-0",
            })
        };
        let golden = read_message(&message("test", true)).unwrap();
        assert!(golden.is_integration && golden.is_of(Path::new("/checkout/log-record")));
        assert!(!read_message(&message("lib", true)).unwrap().is_integration);
        assert_eq!(read_message(&message("bin", false)), None);
        assert_eq!(read_message(&json!({ "reason": "build-finished" })), None);
    }
}
