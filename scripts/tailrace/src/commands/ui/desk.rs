//! D1 in turns. D1 runs one statement at a time, goes on when its client has hung up, and log-writer waits in the same
//! line: so the whole server has one turn to give, however many tabs ask. The next turn goes to the question of the
//! highest rank that has waited longest; a question whose tab has gone is not asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::Error;
use crate::client::d1::Database;

/// The time for which the oldest row is taken to be the oldest: that row only ever becomes a later one.
const OLDEST_FOR: Duration = Duration::from_secs(60);

/// The order in which D1 is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Rows, a record.
    Rows,
    /// A trace.
    Trace,
    /// New rows.
    Live,
    /// Histogram and facets.
    Counts,
}

/// The one place that asks D1.
#[derive(Debug)]
pub(super) struct Desk {
    database: &'static Database<'static>,
    turns: Arc<Turns>,
    oldest: Mutex<Option<(Instant, Option<i64>)>>,
}

impl Desk {
    pub(super) fn new(database: &'static Database<'static>) -> Self {
        Self {
            database,
            turns: Arc::default(),
            oldest: Mutex::default(),
        }
    }

    /// Asks D1 when it is the caller's turn; returns the answer and the longest that a statement took. What was begun is
    /// not given up when the caller has gone: D1 would go on with it, and the next statement would wait behind it.
    pub(super) async fn ask<T, F>(
        &self,
        rank: Rank,
        question: impl FnOnce(&'static Database<'static>) -> F,
    ) -> (Result<T, Error>, Duration)
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let turn = self.turns.take(rank).await;
        let database = self.database;
        let answer = question(database);
        let asked = tokio::spawn(async move {
            let _turn = turn;
            let _ = database.take_slowest();
            let answer = answer.await;
            (answer, database.take_slowest())
        });
        asked.await.unwrap_or_else(|error| {
            let error = Error::io("ask D1")(std::io::Error::other(error));
            (Err(error), Duration::ZERO)
        })
    }

    /// Returns the oldest row's time in milliseconds since 1970; `None` where there are no rows.
    pub(super) async fn oldest_ms(&self, rank: Rank) -> Result<Option<i64>, Error> {
        let known = *lock(&self.oldest);
        if let Some((read, oldest @ Some(_))) = known
            && read.elapsed() < OLDEST_FOR
        {
            return Ok(oldest);
        }
        let (answer, _) = self.ask(rank, crate::search::oldest_ms).await;
        let oldest = answer?;
        *lock(&self.oldest) = Some((Instant::now(), oldest));
        Ok(oldest)
    }
}

/// The turn, and the questions that wait for it.
#[derive(Debug, Default)]
struct Turns {
    line: Mutex<Line>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Line {
    taken: bool,
    arrived: u64,
    waiting: BTreeSet<(Rank, u64)>,
}

/// The right to ask, until it is dropped.
#[derive(Debug)]
struct Turn(Arc<Turns>);

/// A place in the line, until it is dropped.
struct Waiting {
    turns: Arc<Turns>,
    place: (Rank, u64),
}

impl Turns {
    async fn take(self: &Arc<Self>, rank: Rank) -> Turn {
        let waiting = self.line_up(rank);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            {
                let mut line = lock(&self.line);
                if !line.taken && line.waiting.first() == Some(&waiting.place) {
                    line.taken = true;
                    return Turn(Arc::clone(self));
                }
            }
            changed.await;
        }
    }

    fn line_up(self: &Arc<Self>, rank: Rank) -> Waiting {
        let mut line = lock(&self.line);
        line.arrived += 1;
        let place = (rank, line.arrived);
        line.waiting.insert(place);
        Waiting {
            turns: Arc::clone(self),
            place,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.turns.line).waiting.remove(&self.place);
        self.turns.changed.notify_waiters();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.0.line).taken = false;
        self.0.changed.notify_waiters();
    }
}

/// Takes a lock, whoever panicked with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has `ranks` wait, in this order, behind a turn that is taken; returns the order in which they get theirs. Those that
    /// are `gone` leave the line before.
    async fn order(ranks: &[(Rank, bool)]) -> Vec<usize> {
        let turns: Arc<Turns> = Arc::default();
        let taken = turns.take(Rank::Counts).await;
        let served: Arc<Mutex<Vec<usize>>> = Arc::default();
        let mut tasks = Vec::new();
        for (index, (rank, gone)) in ranks.iter().copied().enumerate() {
            let (turns, served) = (Arc::clone(&turns), Arc::clone(&served));
            let task = tokio::spawn(async move {
                let _turn = turns.take(rank).await;
                lock(&served).push(index);
            });
            tokio::task::yield_now().await;
            if gone {
                task.abort();
            } else {
                tasks.push(task);
            }
        }
        tokio::task::yield_now().await;
        drop(taken);
        for task in tasks {
            task.await.unwrap();
        }
        lock(&served).clone()
    }

    #[tokio::test]
    async fn rows_come_first_then_traces_then_counts() {
        let line = [
            (Rank::Counts, false),
            (Rank::Rows, false),
            (Rank::Live, false),
            (Rank::Trace, false),
            (Rank::Rows, false),
        ];
        assert_eq!(order(&line).await, [1, 4, 3, 2, 0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_asks_beside_another() {
        let turns: Arc<Turns> = Arc::default();
        let asking = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..40)
            .map(|index| {
                let (turns, asking) = (Arc::clone(&turns), Arc::clone(&asking));
                tokio::spawn(async move {
                    let rank = if index % 2 == 0 {
                        Rank::Rows
                    } else {
                        Rank::Counts
                    };
                    let _turn = turns.take(rank).await;
                    *lock(&asking) += 1;
                    tokio::task::yield_now().await;
                    assert_eq!(*lock(&asking), 1);
                    *lock(&asking) -= 1;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_has_gone_is_not_asked_for() {
        let line = [
            (Rank::Rows, true),
            (Rank::Counts, false),
            (Rank::Live, true),
        ];
        assert_eq!(order(&line).await, [1]);
    }
}
