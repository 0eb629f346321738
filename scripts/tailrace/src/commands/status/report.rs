//! The answer: parts, each with what was seen of it and what is red about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::PartName;
use crate::client::Client;
use crate::client::queue_state::Consumer;
use crate::client::workers::Deployment;
use crate::place::Place;
use crate::time;

/// The state of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing about it is red.
    Ok,
    /// It is not in use.
    Off,
    /// The local system does not show it.
    NotVisibleLocally,
    /// It could not be looked at.
    Unknown,
    /// Somebody has to act.
    Red,
}

/// The JSON form of the answer.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The time of the look.
    pub at: String,
    /// The account's id; absent for the local system.
    pub account_id: Option<String>,
    /// The account's name, where it is known.
    pub account_name: Option<String>,
    /// The environment; absent for the main one.
    pub env: Option<String>,
    /// The port of the local system; absent for an account.
    pub local: Option<u16>,
    /// The worst state of a part.
    pub state: State,
    /// The parts that were asked for.
    pub parts: Vec<Part>,
}

impl Report {
    /// Puts the parts together.
    #[must_use]
    pub(super) fn new(client: &Client, place: &Place, at: Timestamp, parts: Vec<Part>) -> Self {
        let account = client.account();
        let has = |state| parts.iter().any(|part| part.state == state);
        let state = [State::Red, State::Unknown]
            .into_iter()
            .find(|state| has(*state))
            .unwrap_or(State::Ok);
        Self {
            at: time::stored(at),
            account_id: account.as_ref().map(|account| account.id.clone()),
            account_name: account
                .map(|account| account.name)
                .filter(|name| !name.is_empty()),
            env: place.env.clone(),
            local: place.local,
            state,
            parts,
        }
    }
}

/// One part of the pipeline.
#[derive(Debug, Serialize)]
pub struct Part {
    /// Its name.
    pub part: PartName,
    /// Its state.
    pub state: State,
    /// The reasons why it is red.
    pub red: Vec<Finding>,
    /// The reason why it, or a detail of it, could not be looked at.
    pub unknown: Option<String>,
    /// The details that were seen.
    pub seen: Option<Facts>,
}

/// Something that is red.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The condition that holds, in one word for programs.
    pub condition: &'static str,
    /// The same for a person, with the values in question.
    pub text: String,
    /// The section of the documentation that says what to do.
    pub runbook: String,
}

/// A part as it was seen.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Facts {
    /// The queue of log records.
    Queue(QueueFacts),
    /// The dead-letter queue.
    DeadLetters(DeadLetterFacts),
    /// D1's size.
    Database(DatabaseFacts),
    /// The rows of D1.
    Rows(RowFacts),
    /// The KV fallback.
    Fallback(FallbackFacts),
    /// The archive in R2.
    Archive(ArchiveFacts),
    /// The Workers.
    Workers(WorkerFacts),
}

/// A queue. The platform calls the figures of its backlog approximate.
#[derive(Debug, Serialize)]
pub struct QueueFacts {
    /// Its name.
    pub queue: String,
    /// Messages that are not acknowledged.
    pub messages: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// The age of the oldest of them.
    pub oldest_seconds: Option<i64>,
    /// True if somebody paused its deliveries.
    pub delivery_paused: bool,
    /// The time for which it keeps a message.
    pub retention_seconds: Option<u64>,
    /// Its consumers.
    pub consumers: Vec<Consumer>,
}

/// The dead-letter queue.
#[derive(Debug, Serialize)]
pub struct DeadLetterFacts {
    /// The queue.
    #[serde(flatten)]
    pub queue: QueueFacts,
    /// The letters that were looked at, by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The number of letters that were looked at, of the first 100.
    pub counted: u64,
}

/// D1's size.
#[derive(Debug, Serialize)]
pub struct DatabaseFacts {
    /// Its name.
    pub database: String,
    /// Its bytes.
    pub bytes: u64,
    /// The most that it can hold.
    pub limit_bytes: u64,
    /// The days until it is full at the speed at which it has grown; absent where the retention deletes before.
    pub days_until_full: Option<u64>,
}

/// The rows of D1.
#[derive(Debug, Serialize)]
pub struct RowFacts {
    /// The time of the oldest row; absent where there are none.
    pub oldest: Option<String>,
    /// The time of the newest row.
    pub newest: Option<String>,
    /// The age of the newest row.
    pub newest_seconds: Option<i64>,
    /// The time from the newest row's own time to its storing.
    pub lag_seconds: Option<i64>,
    /// The time for which rows are kept.
    pub retention_seconds: i64,
}

/// The KV fallback.
#[derive(Debug, Serialize)]
pub struct FallbackFacts {
    /// The title of its namespace.
    pub namespace: String,
    /// Keys that were listed, at most 1,000.
    pub keys: u64,
    /// True if there are more.
    pub more: bool,
    /// The listed keys by what is under them.
    pub kinds: BTreeMap<&'static str, u64>,
    /// The age of the oldest listed key.
    pub oldest_seconds: Option<i64>,
}

/// The archive in R2, as its catalog has it.
#[derive(Debug, Serialize)]
pub struct ArchiveFacts {
    /// The time at which the oldest object was stored.
    pub oldest: String,
    /// The time at which the newest object was stored.
    pub newest: String,
    /// The age of the newest object.
    pub newest_seconds: Option<i64>,
    /// Objects that were stored within the last 24 hours.
    pub objects_last_day: u64,
    /// Their bytes, as they are stored.
    pub bytes_last_day: u64,
}

/// The Workers.
#[derive(Debug, Serialize)]
pub struct WorkerFacts {
    /// The deployed versions of the pipeline's own Workers; absent where there are none.
    pub deployed: BTreeMap<String, Option<Deployment>>,
    /// Settings of these Workers that are not as `tailrace.toml` has them, where there is one.
    pub differing: Vec<DifferingSetting>,
    /// The Workers whose runs are recorded.
    pub attached: Vec<String>,
}

/// A setting that is not as `tailrace.toml` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferingSetting {
    /// The Worker.
    pub worker: String,
    /// The setting.
    pub name: &'static str,
    /// The value that the Worker runs with.
    pub deployed: String,
    /// The value in the file; the default where the file says nothing.
    pub configured: String,
}
