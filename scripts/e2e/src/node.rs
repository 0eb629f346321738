//! Tests in JavaScript, for built Workers in Node: `node/` has them and the runtime that they put around a Worker.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::Workspace;

/// Runs the tests in `file`, of this crate's folder `node/`, with the pinned Node.
///
/// # Errors
/// When one of them fails or is skipped, or there is none; with the report.
pub fn run_node_tests(workspace: &Workspace, file: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("node")
        .join(file);
    let output = workspace
        .command("node")?
        .args(["--test", "--test-reporter=tap"])
        .arg(&path)
        .output()
        .context("node did not start")?;
    let report = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let count = |what: &str| -> Option<u64> {
        let prefix = format!("# {what} ");
        let line = report
            .lines()
            .rev()
            .find_map(|it| it.strip_prefix(&prefix))?;
        line.trim().parse().ok()
    };
    let passed = count("pass").unwrap_or_default();
    ensure!(
        output.status.success() && passed > 0 && count("tests") == Some(passed),
        "the tests in {} fail:\n{report}\n{errors}",
        path.display()
    );
    Ok(())
}
