//! New rows as they are stored: one look at D1 for all live tabs, each of which takes the rows that it asks for. The look
//! begins with the first tab, and ends with the last. `logs --follow` looks the same way, so no row is missed, and none is
//! sent twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::desk::{Desk, Rank, lock};
use super::rows::ListRow;
use crate::Error;
use crate::commands::logs::follow::Follower;
use crate::query::Query;
use crate::record::Row;

/// The time from one look at D1 to the next.
const INTERVAL: Duration = Duration::from_secs(2);

/// The longest delay, in seconds, with which a row may be stored and still be shown.
const LATE_SECONDS: u32 = 6 * 3600;

/// Looks that a tab may fall behind.
const BEHIND: usize = 16;

/// The answer of one look.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// New rows, by timestamp.
    Rows(Arc<Vec<Row>>),
    /// An error, as the page shows it.
    Failure(Arc<str>),
}

impl Found {
    /// Returns the rows that `query` means, as the page reads them.
    pub(super) fn to_json(&self, query: &Query) -> String {
        match self {
            Self::Failure(failure) => failure.to_string(),
            Self::Rows(rows) => {
                let rows: Vec<_> = rows
                    .iter()
                    .filter(|row| query.matches(row))
                    .map(|row| ListRow::from(row.clone()))
                    .collect();
                json!({"rows": rows}).to_string()
            }
        }
    }
}

/// The look that is under way, if a tab is live.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<Option<broadcast::Sender<Found>>>);

impl Looks {
    /// Joins the look, or begins it.
    pub(super) fn join(self: &Arc<Self>, desk: &Arc<Desk>) -> broadcast::Receiver<Found> {
        let mut current = lock(&self.0);
        if let Some(sender) = &*current {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BEHIND);
        *current = Some(sender.clone());
        let look = Look {
            looks: Arc::clone(self),
            desk: Arc::clone(desk),
            sender,
        };
        tokio::spawn(look.run());
        receiver
    }
}

struct Look {
    looks: Arc<Looks>,
    desk: Arc<Desk>,
    sender: broadcast::Sender<Found>,
}

impl Look {
    async fn run(self) {
        let started = Instant::now();
        let mut follower = None;
        loop {
            let next = Instant::now() + INTERVAL;
            follower = self.look(follower).await;
            while let Some(one) = follower.take() {
                let began = Instant::now();
                let (one, went_deeper) = self.deepen(one, started.elapsed()).await;
                follower = one;
                // log-writer waits in the same line.
                tokio::time::sleep(began.elapsed()).await;
                if !went_deeper || Instant::now() >= next {
                    break;
                }
            }
            tokio::time::sleep_until(next).await;
            if self.has_ended() {
                return;
            }
        }
    }

    /// Begins to follow, or looks at the latest rows.
    async fn look(&self, follower: Option<Follower>) -> Option<Follower> {
        let (answer, _) = self
            .desk
            .ask(Rank::Live, move |database| async move {
                match follower {
                    Some(mut follower) => {
                        let rows = follower.poll(database).await;
                        Ok((Some(follower), rows))
                    }
                    None => match Follower::start(database, Query::default(), LATE_SECONDS).await {
                        Ok(follower) => Ok((Some(follower), Ok(Vec::new()))),
                        Err(error) => Ok((None, Err(error))),
                    },
                }
            })
            .await;
        match answer {
            Ok((follower, rows)) => {
                self.send(rows);
                follower
            }
            Err(error) => {
                self.send(Err(error));
                None
            }
        }
    }

    /// Takes one slice of a look at rows that are late; returns whether one was due.
    async fn deepen(&self, mut follower: Follower, elapsed: Duration) -> (Option<Follower>, bool) {
        let (answer, _) = self
            .desk
            .ask(Rank::Live, move |database| async move {
                let rows = follower.deepen(database, elapsed).await;
                Ok((follower, rows))
            })
            .await;
        match answer {
            Ok((follower, rows)) => {
                let was_due = rows.is_some();
                if let Some(rows) = rows.filter(|rows| !matches!(rows, Ok(rows) if rows.is_empty()))
                {
                    self.send(rows);
                }
                (Some(follower), was_due)
            }
            Err(error) => {
                self.send(Err(error));
                (None, false)
            }
        }
    }

    fn send(&self, rows: Result<Vec<Row>, Error>) {
        let found = match rows {
            Ok(rows) => Found::Rows(Arc::new(rows)),
            Err(error) => {
                let failure = json!({"error": error.to_string(), "hint": error.next_step()});
                Found::Failure(failure.to_string().into())
            }
        };
        // Nobody may be there any more.
        let _ = self.sender.send(found);
    }

    /// Returns whether the last tab has gone, and takes the look out if so.
    fn has_ended(&self) -> bool {
        let mut current = lock(&self.looks.0);
        let ended = self.sender.receiver_count() == 0;
        if ended {
            *current = None;
        }
        ended
    }
}
