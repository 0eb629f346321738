//! Tests in JavaScript, for built Workers in Node: `node/` has them and the runtime that they put around a Worker.

use anyhow::{Result, ensure};
use checkout::{Workspace, process};

/// Runs the tests in `file`, of this crate's folder `node/`, with the pinned Node.
///
/// # Errors
/// Fails if one of them fails or is skipped, or there is none; with the report.
pub fn run_node_tests(workspace: &Workspace, file: &str) -> Result<()> {
    let path = workspace.harness_dir().join("node").join(file);
    let mut command = workspace.command("node")?;
    command.args(["--test", "--test-reporter=tap"]).arg(&path);
    let printed = process::capture(&mut command)?;
    let (report, errors) = (printed.stdout, printed.stderr);
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
        printed.status.success() && passed > 0 && count("tests") == Some(passed),
        "the tests in {} fail:\n{report}\n{errors}",
        path.display()
    );
    Ok(())
}
