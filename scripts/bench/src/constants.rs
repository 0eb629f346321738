//! The constants that the arithmetic begins with, as a run measured them. They stand in `constants.json`, and a run of the
//! bench with `--constants` writes them there.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use checkout::Workspace;
use serde::{Deserialize, Serialize};

use crate::counted::{Counted, TABLE};
use crate::report::Report;
use crate::{d1, end_to_end, maintenance, plan};

/// All of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Figures that are counted, and the same on every machine.
    pub counted: Counted,
    /// Figures that a run in the local runtime measured.
    pub measured: Measured,
}

/// Measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Rows written that D1 bills for deleting a row, of whatever table: no index entry is billed.
    pub written_per_delete: f64,
    /// Rows read for deleting one.
    pub read_per_delete: f64,
    /// Rows that one local D1 takes in a second, with a million in it.
    pub d1_rows_per_second: f64,
    /// Processor time for a log at ten a request, in milliseconds: all of the local workerd, the producer, queue and D1
    /// included, so more than what is billed.
    pub cpu_ms_per_log: f64,
}

impl Constants {
    /// Reads the committed ones.
    ///
    /// # Errors
    /// Fails if the file has others than are known.
    pub fn read() -> Result<Self> {
        serde_json::from_str(include_str!("../constants.json")).context("constants.json")
    }

    /// Takes from `report` what it has measured.
    ///
    /// # Errors
    /// Fails if the report's table has a constant missing.
    pub fn update(&mut self, report: &Report) -> Result<()> {
        if let Some(table) = report.table(TABLE) {
            let values = table.lines.iter().map(|line| {
                let value = round_value(line.samples.median());
                (line.subject.clone(), serde_json::json!(value))
            });
            self.counted = serde_json::from_value(serde_json::Value::Object(values.collect()))?;
        }
        let median = |table: &str, case: &str, subject: &str| {
            let samples = report.table(table)?.samples(case, subject)?;
            Some(round_value(samples.median()))
        };
        let largest = plan::Plan::full();
        let rows = largest.existing_rows.last().copied().unwrap_or_default();
        let case = d1::case(d1::LEAN, rows);
        if let Some(rows) = median("d1-write", &case, d1::LOG_WRITER) {
            self.measured.d1_rows_per_second = rows;
        }
        let case = maintenance::rotation_case(largest.maintenance_rows);
        if let Some(rows) = median("rotation", &case, maintenance::ROWS_READ) {
            self.measured.read_per_delete = rows;
        }
        if let Some(rows) = median("rotation", &case, maintenance::ROWS_WRITTEN) {
            self.measured.written_per_delete = rows;
        }
        let case = largest.loads.first().context("no load")?.label();
        if let Some(us) = median("end-to-end-cpu", &case, end_to_end::RUST) {
            self.measured.cpu_ms_per_log = us / 1e3;
        }
        Ok(())
    }

    /// Writes them to their file in the checkout.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn write(&self, workspace: &Workspace) -> Result<PathBuf> {
        let path = workspace.root().join("scripts/bench/constants.json");
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }
}

/// Rounds to three digits that matter.
fn round_value(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_kept() {
        let close = |value: f64, wanted: f64| (round_value(value) - wanted).abs() < 1e-9;
        assert!(close(67_806.4, 67_800.0) && close(0.041_23, 0.0412) && close(4.0, 4.0));
    }
}
