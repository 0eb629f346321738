//! What each tool takes. The comments are a part of what the assistant reads.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

/// `logs`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsInput {
    /// Terms that must all hold: `level:warn` (exactly), `level>=warn`, `worker:api-*`, `status:5xx`, `path:/orders` (a
    /// prefix), `kind:exception`, `ms>=500`, `id:BEGINNING`, `order.id:42` (a member of the line's data), `"free text"`.
    /// `a,b` is either, `-` negates.
    pub(super) query: Option<String>,
    /// The start: an age such as 15m or 1h30m, or a time such as 2026-11-23T10:00. 1h unless given.
    pub(super) since: Option<String>,
    /// The end, as `since`; now unless given.
    pub(super) until: Option<String>,
    /// Records, at most 500; 50 unless given.
    pub(super) limit: Option<u16>,
}

/// `trace`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TraceInput {
    /// A correlation id, a request id or a Ray ID, or the beginning of one, of at least four characters.
    pub(super) id: String,
    /// Records, at most 500; 200 unless given.
    pub(super) limit: Option<u16>,
}

/// `stats`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatsInput {
    /// Only these Workers.
    #[serde(default)]
    pub(super) workers: Vec<String>,
    /// The start: an age such as 15m or 1h30m, or a time such as 2026-11-23T10:00. 1h unless given.
    pub(super) since: Option<String>,
    /// The end, as `since`; now unless given.
    pub(super) until: Option<String>,
}

/// `status`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusInput {
    /// Only these parts; all of them unless given.
    #[serde(default)]
    pub(super) parts: Vec<Part>,
}

/// A part of the pipeline.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Part {
    Queue,
    DeadLetters,
    Database,
    Rows,
    Fallback,
    Archive,
    Workers,
}

/// `sql`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlInput {
    /// The statement.
    pub(super) statement: String,
    /// Rows, at most 1,000; 100 unless given.
    pub(super) limit: Option<u16>,
    /// Run it although its plan reads all of `tail_logs`. That can take the database many seconds, in which nothing is
    /// recorded: narrow the statement instead, and ask the user first.
    #[serde(default)]
    pub(super) allow_scan: bool,
}
