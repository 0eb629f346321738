//! Asks for what there is of each part, all at once. What cannot be seen is an answer as well.

use std::collections::BTreeMap;

use pipeline_settings::table::RETENTION_DAYS;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::expected::{retention_seconds, worker_name};
use crate::Error;
use crate::cli::PartName;
use crate::client::Client;
use crate::client::d1::Database;
use crate::client::kv::Namespace;
use crate::client::queue_state::{Backlog, QueueState};
use crate::client::queues::{CALL_MESSAGES, Queue};
use crate::client::workers::Deployment;
use crate::letter::{Letter, Origin};
use crate::place::Place;
use crate::sql::Statement;

/// Everything that was seen.
pub(super) struct Seen {
    pub(super) parts: Vec<(PartName, PartSeen)>,
    /// The time for which log-writer keeps rows, where that could be seen.
    pub(super) retention_seconds: Option<i64>,
}

/// A part as it was seen.
pub(super) enum PartSeen {
    /// The local system does not show it.
    NotVisibleLocally(String),
    /// It could not be looked at.
    Unknown(String),
    /// It should be there and is not.
    Missing(String),
    /// A queue, by name.
    Queue(String, QueueSeen),
    /// A database, by name.
    Database(String, DatabaseSeen),
    /// A database's rows.
    Rows(DatabaseSeen),
    /// The first keys of a namespace, by title, and whether there are more.
    Fallback(String, Vec<String>, bool),
    /// The archive's catalog; `None` where there is not an archive, or nothing in it.
    Archive(Option<ArchiveSeen>),
    /// The Workers.
    Workers(WorkersSeen),
}

/// The archive, by its catalog.
pub(super) struct ArchiveSeen {
    /// The times at which the oldest and the newest object were stored.
    pub(super) oldest: String,
    pub(super) newest: String,
    /// Objects of the last day, and their bytes.
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// The Workers.
pub(super) struct WorkersSeen {
    /// Deployed versions of the pipeline's own Workers, by name.
    pub(super) deployed: BTreeMap<String, Option<Deployment>>,
    /// Their settings, by name.
    pub(super) settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Those whose runs are recorded.
    pub(super) attached: Vec<String>,
}

/// A queue.
pub(super) struct QueueSeen {
    pub(super) state: QueueState,
    pub(super) backlog: Result<Backlog, String>,
    /// The first letters by reason; `None` where nobody looked.
    pub(super) letters: Option<Result<BTreeMap<&'static str, u64>, String>>,
}

/// A database.
#[derive(Clone, Debug)]
pub(super) struct DatabaseSeen {
    pub(super) bytes: Option<u64>,
    /// The time of the oldest row.
    pub(super) oldest: Option<String>,
    /// The time of the newest row, and when it was stored by D1's clock.
    pub(super) newest: Option<(String, String)>,
}

/// Asks for `parts`, each once.
pub(super) async fn look(client: &Client, place: &Place, parts: &[PartName]) -> Seen {
    let looker = Looker {
        client,
        place,
        database: OnceCell::new(),
    };
    let mut wanted = parts.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let needs_retention = wanted
        .iter()
        .any(|part| matches!(part, PartName::Database | PartName::Rows));
    let looks = futures_util::future::join_all(wanted.iter().map(|part| looker.look_at(*part)));
    let (seen, retention_seconds) = tokio::join!(looks, looker.retention(needs_retention));
    Seen {
        parts: wanted.into_iter().zip(seen).collect(),
        retention_seconds,
    }
}

struct Looker<'a> {
    client: &'a Client,
    place: &'a Place,
    /// Two parts are about it.
    database: OnceCell<Result<DatabaseSeen, PartError>>,
}

/// The reason why a part is not seen.
#[derive(Clone, Debug)]
enum PartError {
    Missing(String),
    Unknown(String),
}

impl From<Error> for PartError {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing { .. } => Self::Missing(error.to_string()),
            Error::Refused { .. } => Self::Unknown(format!("not visible to the token: {error}")),
            _ => Self::Unknown(error.to_string()),
        }
    }
}

impl From<PartError> for PartSeen {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Missing(text) => Self::Missing(text),
            PartError::Unknown(text) => Self::Unknown(text),
        }
    }
}

impl Looker<'_> {
    async fn look_at(&self, part: PartName) -> PartSeen {
        let found = match part {
            PartName::Queue => self.queue(self.place.queue(), false).await,
            PartName::DeadLetters => self.queue(self.place.dead_letter_queue(), true).await,
            PartName::Database => self
                .database()
                .await
                .map(|seen| PartSeen::Database(self.place.database(), seen)),
            PartName::Rows => self.database().await.map(PartSeen::Rows),
            PartName::Fallback => self.fallback().await,
            PartName::Archive => self.archive().await,
            PartName::Workers => self.workers().await,
        };
        found.unwrap_or_else(PartSeen::from)
    }

    async fn queue(&self, name: String, has_letters: bool) -> Result<PartSeen, PartError> {
        if self.client.is_local() {
            return Ok(PartSeen::NotVisibleLocally(name));
        }
        let Some(state) = self.client.queue_state(&name).await? else {
            return Ok(PartSeen::Missing(format!("no queue named \"{name}\"")));
        };
        let letters = async {
            if has_letters {
                Some(self.letters(&name).await)
            } else {
                None
            }
        };
        let (backlog, letters) = tokio::join!(self.client.backlog(&state), letters);
        let seen = QueueSeen {
            state,
            backlog: backlog.map_err(|error| error.to_string()),
            letters,
        };
        Ok(PartSeen::Queue(name, seen))
    }

    /// Counts the first letters by reason. A look is not a delivery.
    async fn letters(&self, name: &str) -> Result<BTreeMap<&'static str, u64>, String> {
        let peeked = async {
            let queue = Queue::find(self.client, name, "--dead-letter-queue").await?;
            queue.peek(CALL_MESSAGES).await
        };
        let letters = peeked.await.map_err(|error| match error {
            Error::Refused { .. } => "their reasons need Queues: Edit".to_owned(),
            error => error.to_string(),
        })?;
        let mut reasons = BTreeMap::new();
        for letter in letters {
            let reason = Letter::read(letter.body, Origin::Platform).reason.as_str();
            *reasons.entry(reason).or_default() += 1;
        }
        Ok(reasons)
    }

    async fn database(&self) -> Result<DatabaseSeen, PartError> {
        let ask = || async {
            let database = Database::find(self.client, &self.place.database()).await?;
            let oldest = database.query(&crate::sql::oldest_timestamp()).await?;
            let newest = database.query(&newest_row()).await?;
            Ok(DatabaseSeen {
                bytes: database.size_bytes(),
                oldest: cell(&oldest, 0),
                newest: cell(&newest, 0).zip(cell(&newest, 1)),
            })
        };
        self.database.get_or_init(ask).await.clone()
    }

    async fn fallback(&self) -> Result<PartSeen, PartError> {
        let title = self.place.fallback();
        let namespace = Namespace::find(self.client, &title).await?;
        let (keys, more) = namespace.first_keys().await?;
        Ok(PartSeen::Fallback(title, keys, more))
    }

    async fn archive(&self) -> Result<PartSeen, PartError> {
        let database = Database::find(self.client, &self.place.database()).await?;
        let tables = database.query(&archive_tables()).await?;
        if tables.is_empty() {
            return Ok(PartSeen::Archive(None));
        }
        let rows = database.query(&archive_figures()).await?;
        let number = |index: usize| rows.first()?.get(index)?.as_u64();
        let seen = cell(&rows, 0)
            .zip(cell(&rows, 1))
            .map(|(oldest, newest)| ArchiveSeen {
                oldest,
                newest,
                objects: number(2).unwrap_or(0),
                bytes: number(3).unwrap_or(0),
            });
        Ok(PartSeen::Archive(seen))
    }

    async fn workers(&self) -> Result<PartSeen, PartError> {
        if self.client.is_local() {
            return Ok(PartSeen::NotVisibleLocally("Workers".to_owned()));
        }
        let names = ["tail-ingest", "log-writer"].map(|base| worker_name(self.place, base));
        let [ingest, writer] = &names;
        let (attached, first, second, own, other) = tokio::try_join!(
            self.client.tailed_workers(ingest),
            self.client.deployment(ingest),
            self.client.deployment(writer),
            self.client.worker_settings(ingest),
            self.client.worker_settings(writer),
        )?;
        Ok(PartSeen::Workers(WorkersSeen {
            settings: names.iter().cloned().zip([own, other]).collect(),
            deployed: names.into_iter().zip([first, second]).collect(),
            attached,
        }))
    }

    /// Returns how long log-writer keeps rows. Where it cannot be seen, the default is judged by.
    async fn retention(&self, is_needed: bool) -> Option<i64> {
        if !is_needed || self.client.is_local() {
            return None;
        }
        let writer = worker_name(self.place, "log-writer");
        let settings = self.client.worker_settings(&writer).await.ok()?;
        retention_seconds(settings.get(RETENTION_DAYS.name)?)
    }
}

/// Asks for the newest row: `timestamp, created_at`.
#[must_use]
pub fn newest_row() -> Statement {
    Statement {
        sql: "SELECT timestamp, created_at FROM tail_logs WHERE timestamp >= ?1 \
              ORDER BY timestamp DESC, log_id DESC LIMIT 1"
            .to_owned(),
        params: vec![crate::sql::FIRST_TIME.to_owned()],
    }
}

/// Asks for the archive's catalog, which older databases do not have.
fn archive_tables() -> Statement {
    Statement {
        sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'archive_objects'"
            .to_owned(),
        params: Vec::new(),
    }
}

/// Asks when the archive's oldest and newest object were stored, and for the objects and bytes of the last day: all of it by
/// the index on that time.
#[must_use]
pub fn archive_figures() -> Statement {
    Statement {
        sql: "SELECT (SELECT min(stored_at) FROM archive_objects), (SELECT max(stored_at) FROM archive_objects), \
              count(*), coalesce(sum(bytes), 0) FROM archive_objects \
              WHERE stored_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')"
            .to_owned(),
        params: Vec::new(),
    }
}

/// Returns a cell of the first row as text.
fn cell(rows: &[Vec<Value>], index: usize) -> Option<String> {
    rows.first()?.get(index)?.as_str().map(str::to_owned)
}
