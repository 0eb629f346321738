//! Start-up: a new workerd process until its Worker answers. With Wasm that is compiling and instantiating it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use checkout::Workspace;
use tempfile::TempDir;

use crate::normalize::{DIRECT, RUST};
use crate::plan::Plan;
use crate::report::{Better, Report, Table};
use crate::workerd::{self, Module, Workerd};

/// log-writer.
pub const WRITER: &str = "Rust, log-writer";

/// Measures how long Workers take to start, in turn.
///
/// # Errors
/// Fails if one does not start.
pub fn measure(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let folder = TempDir::new()?;
    let direct = folder.path().join("direct.js");
    workerd::bundle_script(workspace, "baselines/direct/worker.ts", &direct)?;
    let built = |name: &str| -> Vec<Module> {
        let build: PathBuf = workspace.root().join(name).join("build");
        vec![
            Module::new("index.js", build.join("index.js")),
            Module::new("index_bg.wasm", build.join("index_bg.wasm")),
        ]
    };
    let subjects = [
        (DIRECT, vec![Module::new("worker.js", direct)]),
        (RUST, built("tail-ingest")),
        (WRITER, built("log-writer")),
    ];
    let mut table = Table::new(
        "startup",
        "Start-up",
        "ms",
        Better::Lower,
        "From starting a bare workerd with this one Worker to its first answer; what the process itself takes is the same \
         for all. Wall time and processor time.",
    );
    for round in 0..=plan.startup_rounds {
        for (name, modules) in &subjects {
            let started = Instant::now();
            let workerd = Workerd::start(workspace, modules, None)?;
            let wall = started.elapsed();
            let cpu = workerd.processor_time()?;
            if round > 0 {
                table.add("wall", name, wall.as_secs_f64() * 1e3);
                table.add("CPU", name, cpu.as_secs_f64() * 1e3);
            }
        }
    }
    table.lines.sort_by_key(|line| line.case != "wall");
    report.tables.push(table);
    Ok(())
}
