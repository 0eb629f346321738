//! The result of reading the input, for standard error and the exit code.

use std::process::ExitCode;

use tail_ingest::Counts;

use super::settings::Applied;
use crate::error::{DONE, FAILED, USAGE};
use crate::output::counted;

/// Exit code: stopped by Ctrl-C before the end of the input.
const STOPPED: u8 = 130;

/// Counts of one run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Trace events that were normalized.
    pub(super) events: u64,
    /// Events that could not be read.
    pub(super) broken: u64,
    /// JSON values that are not trace events.
    pub(super) refused: u64,
    /// Lines that are not JSON: wrangler's, and others.
    pub(super) wrangler_lines: u64,
    pub(super) other_lines: u64,
    /// Inputs that cannot be used at all, or not to their end.
    pub(super) unusable: u64,
    pub(super) was_stopped: bool,
    stored: u64,
    excluded: u64,
    below_level: u64,
    sampled_out: u64,
    cut: u64,
}

impl Summary {
    /// Adds what became of one event.
    pub(super) fn add(&mut self, counts: &Counts) {
        self.events += 1;
        self.stored += counts.records as u64;
        self.excluded += counts.excluded as u64;
        self.below_level += counts.below_level as u64;
        self.sampled_out += counts.sampled_out as u64;
        self.cut += counts.cut as u64;
    }

    /// Returns the lines to say at the end.
    pub(super) fn lines(&self, applied: &Applied) -> Vec<String> {
        let mut lines = Vec::new();
        if self.wrangler_lines > 0 {
            lines.push(format!(
                "skipped: {} of wrangler's",
                counted(self.wrangler_lines, "line", "lines")
            ));
        }
        if self.other_lines > 0 {
            lines.push(format!(
                "skipped: {}",
                counted(
                    self.other_lines,
                    "line that is not JSON",
                    "lines that are not JSON"
                )
            ));
        }
        if self.broken > 0 {
            lines.push(format!(
                "not read: {}",
                counted(self.broken, "broken event", "broken events")
            ));
        }
        if self.refused > 0 {
            lines.push(format!(
                "not read: {}",
                counted(
                    self.refused,
                    "value that is not a trace event",
                    "values that are not trace events"
                )
            ));
        }
        lines.push(format!(
            "{}: {} would be stored{}",
            counted(self.events, "trace event", "trace events"),
            counted(self.stored, "record", "records"),
            self.dropped(applied)
        ));
        if self.events + self.broken + self.refused == 0 && self.other_lines > 0 {
            lines.push(
                "hint: trace events are JSON: `npx wrangler tail NAME --format json` prints them"
                    .to_owned(),
            );
        }
        lines
    }

    /// Says what the settings would drop, and what would be cut.
    fn dropped(&self, applied: &Applied) -> String {
        let mut parts = vec![String::new()];
        for (count, why) in [
            (self.below_level, format!("below {}", applied.min_level)),
            (self.sampled_out, format!("outside {}", applied.sample_rate)),
            (
                self.excluded,
                "of EXCLUDED_WORKERS or PIPELINE_WORKERS".to_owned(),
            ),
        ] {
            if count > 0 {
                parts.push(format!(
                    "{} {why} dropped",
                    counted(count, "record", "records")
                ));
            }
        }
        if self.cut > 0 {
            parts.push(format!(
                "{} cut to fit a queue message",
                counted(self.cut, "record", "records")
            ));
        }
        parts.join(", ")
    }

    /// Returns the exit code: what cannot be used at all counts most.
    pub(super) fn exit_code(&self) -> ExitCode {
        let read_nothing = self.events == 0 && self.other_lines + self.wrangler_lines > 0;
        ExitCode::from(if self.unusable > 0 {
            USAGE
        } else if self.broken + self.refused > 0 || read_nothing {
            FAILED
        } else if self.was_stopped {
            STOPPED
        } else {
            DONE
        })
    }
}
