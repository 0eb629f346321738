//! Options of `tailrace status`.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::global::{FormatArgs, ZoneArgs};
use crate::time::Age;

/// `tailrace status`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace status                                  everything, on one screen
  tailrace status --only queue --only dead-letters
  tailrace status --expect-rows 15m                red where nothing was logged for 15 minutes
  tailrace status -o json | jq '.parts[] | select(.state == \"red\")'
  tailrace status --local                          a running `cargo xtask dev`

Parts:
  queue         the queue of log records: messages, bytes, the oldest one,
                deliveries, the consumer and its settings
  dead-letters  the same of the dead-letter queue; the first 100 by reason
  database      D1's size, and the days until it is full where that comes
                before the retention deletes
  rows          the oldest and the newest row; how late the newest was stored
  fallback      the first 1,000 keys of the KV namespace
  archive       the newest object of the archive, where there is one
  workers       what is deployed, and which Workers are attached

Red is:
  queue, dead-letters  deliveries are paused; the queue or its consumer is
                       missing, or set otherwise than `cargo xtask deploy`
                       sets it; the oldest message of `queue` is older than
                       --max-oldest-message; there are more dead letters than
                       --max-dead-letters
  database             D1 is fuller than --max-database
  rows                 the oldest row is more than --max-past-retention older
                       than the retention; with --expect-rows, no row is newer
  fallback             a key is older than --max-key-age
A red line names the section of the runbook. What the token may not see is
`unknown`; what the local system does not show is not red.

Each limit is also a key of a context, without the dashes in front and with _ for -:
  [context.default.status]
  max_dead_letters = 10
  expect_rows = \"15m\"

Exit codes: 0 nothing is red; 1 something is red; 2 the command line cannot be used; 3 a part could not be looked at, and \
nothing seen is red.")]
pub struct Status {
    /// Look at this part alone; repeatable
    #[arg(long, value_name = "PART")]
    pub only: Vec<PartName>,
    /// The form of the results.
    #[command(flatten)]
    pub format: FormatArgs,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
    /// The limits.
    #[command(flatten)]
    pub limits: StatusLimits,
    /// The names of the queues and of the KV namespace.
    #[command(flatten)]
    pub names: super::QueueNames,
}

/// The limits beyond which something is red, as far as they are given.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Limits")]
pub struct StatusLimits {
    /// Red where the oldest message of the queue is older [default: 10m]
    #[arg(long, value_name = "AGE")]
    pub max_oldest_message: Option<Age>,
    /// Red where there are more dead letters [default: 0]
    #[arg(long, value_name = "COUNT")]
    pub max_dead_letters: Option<u64>,
    /// Red where a key of the fallback is older [default: 15m]
    #[arg(long, value_name = "AGE")]
    pub max_key_age: Option<Age>,
    /// Red where D1 is fuller, in percent of 10 GB [default: 80]
    #[arg(long, value_name = "PERCENT")]
    pub max_database: Option<u64>,
    /// Red where the oldest row is that much older than the retention [default: 1d]
    #[arg(long, value_name = "AGE")]
    pub max_past_retention: Option<Age>,
    /// Take this for the retention [default: that of log-writer]
    #[arg(long, value_name = "AGE")]
    pub retention: Option<Age>,
    /// Red where no row is newer
    #[arg(long, value_name = "AGE")]
    pub expect_rows: Option<Age>,
}

impl StatusLimits {
    /// Returns these limits, and where one is not given that of `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            max_oldest_message: self.max_oldest_message.or(others.max_oldest_message),
            max_dead_letters: self.max_dead_letters.or(others.max_dead_letters),
            max_key_age: self.max_key_age.or(others.max_key_age),
            max_database: self.max_database.or(others.max_database),
            max_past_retention: self.max_past_retention.or(others.max_past_retention),
            retention: self.retention.or(others.retention),
            expect_rows: self.expect_rows.or(others.expect_rows),
        }
    }
}

/// A part of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartName {
    /// The queue of log records.
    Queue,
    /// The dead-letter queue.
    DeadLetters,
    /// D1's size.
    Database,
    /// The rows of D1.
    Rows,
    /// The KV fallback.
    Fallback,
    /// The archive in R2.
    Archive,
    /// The deployed Workers, and those attached.
    Workers,
}

impl PartName {
    /// Every part, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Queue,
        Self::DeadLetters,
        Self::Database,
        Self::Rows,
        Self::Fallback,
        Self::Archive,
        Self::Workers,
    ];

    /// Returns the name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::DeadLetters => "dead-letters",
            Self::Database => "database",
            Self::Rows => "rows",
            Self::Fallback => "fallback",
            Self::Archive => "archive",
            Self::Workers => "workers",
        }
    }
}
