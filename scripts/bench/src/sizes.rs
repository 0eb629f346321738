//! Sizes of what is uploaded.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use checkout::Workspace;
use flate2::{Compression, write::GzEncoder};

use crate::report::{Better, Report, Table};

/// Measures the built Workers.
///
/// # Errors
/// Fails if one has not been built.
pub fn measure(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        "sizes",
        "Sizes",
        "kB",
        Better::Lower,
        "The built Workers. 1 kB is 1,000 bytes; gzip at level 9.",
    );
    for worker in ["log-writer", "tail-ingest"] {
        let build = workspace.root().join(worker).join("build");
        let wasm = read_built(&build.join("index_bg.wasm"))?;
        let script = read_built(&build.join("index.js"))?;
        for (case, size) in [
            ("Wasm, gzip", gzipped_bytes(&wasm)?),
            ("Wasm", wasm.len()),
            ("JavaScript around it, gzip", gzipped_bytes(&script)?),
        ] {
            #[allow(clippy::cast_precision_loss)]
            table.add(case, worker, size as f64 / 1_000.0);
        }
    }
    table
        .lines
        .sort_by_key(|line| !line.case.starts_with("Wasm"));
    table.lines.sort_by_key(|line| line.case != "Wasm, gzip");
    report.tables.push(table);
    Ok(())
}

fn read_built(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} has not been built", path.display()))
}

fn gzipped_bytes(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
