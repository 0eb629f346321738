//! The cron, every minute: KV is drained, then expired rows are deleted, of the archive's catalog and of the logs. All share
//! what one invocation may ask of the platform, and neither can starve the other.
//!
//! Two runs at once do no harm. Both write the same records, which are stored once; both delete the same keys and the same
//! rows; a dead letter may be sent twice, and is stored once when it is replayed.

use worker_runtime::LogLine;

use crate::catalog::{CatalogStats, delete_expired};
use crate::drain::{DrainStats, drain_envelopes, drain_letters};
use crate::invocation::Invocation;
use crate::ports::Ports;
use crate::rotation::{RotationStats, cutoff_ms, rotate};
use crate::settings::Settings;

/// The time between two runs, as `wrangler/log-writer.toml` has it.
pub const INTERVAL_MS: u64 = 60 * 1000;

/// The rest of the calls and of the time after envelopes were drained: for dead letters and the rotation.
const AFTER_ENVELOPES: (usize, u64) = (350, 20_000);

/// The rest after dead letters were drained: for the catalog and the rotation.
const AFTER_LETTERS: (usize, u64) = (150, 10_000);

/// The rest after the catalog: for the rotation.
const AFTER_CATALOG: (usize, u64) = (140, 8_000);

/// The counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CronStats {
    /// The drain's.
    pub drain: DrainStats,
    /// The catalog's.
    pub catalog: CatalogStats,
    /// The rotation's.
    pub rotation: RotationStats,
}

impl CronStats {
    /// Returns the lines to print: none for a run that found nothing to do.
    #[must_use]
    pub fn to_lines(&self) -> Vec<LogLine> {
        let mut lines = Vec::new();
        if self.drain != DrainStats::default() {
            lines.push(self.drain.to_line());
        }
        if self.catalog != CatalogStats::default() {
            lines.push(self.catalog.to_line());
        }
        if self.rotation.rows_deleted > 0 || !self.rotation.is_finished {
            lines.push(self.rotation.to_line());
        }
        lines
    }
}

/// Runs the cron once.
pub async fn run_cron(ports: &impl Ports, settings: &Settings) -> CronStats {
    let invocation = Invocation::of_cron(ports, settings);
    let mut drain = DrainStats::default();
    invocation.reserve(AFTER_ENVELOPES.0, AFTER_ENVELOPES.1);
    drain_envelopes(&invocation, &mut drain).await;
    invocation.reserve(AFTER_LETTERS.0, AFTER_LETTERS.1);
    drain_letters(&invocation, &mut drain).await;
    invocation.reserve(AFTER_CATALOG.0, AFTER_CATALOG.1);
    let catalog = delete_expired(&invocation).await;
    invocation.reserve(0, 0);
    let cutoff_ms = cutoff_ms(invocation.now_ms(), settings.retention_days);
    let rotation = rotate(&invocation, cutoff_ms).await;
    CronStats {
        drain,
        catalog,
        rotation,
    }
}
