//! The pace of calls to the API. Cloudflare counts 1,200 calls in five minutes for each user, the dashboard's and other
//! tools' included, and D1 runs one statement at a time, log-writer's included.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Calls in [`WINDOW`]: what Cloudflare allows, less some for everyone else.
const CALLS: usize = 1_000;

/// The window over which Cloudflare counts calls.
const WINDOW: Duration = Duration::from_secs(300);

/// Statements that may wait for D1 at once.
const STATEMENTS: usize = 2;

/// Keeps calls below the API's limit, and statements from queueing up before D1.
#[derive(Debug)]
pub(super) struct Pace {
    /// The times of the latest calls; `None` where calls are not counted.
    calls: Option<Mutex<VecDeque<Instant>>>,
    statements: Semaphore,
}

impl Pace {
    pub(super) fn of_the_api() -> Self {
        Self {
            calls: Some(Mutex::default()),
            statements: Semaphore::new(STATEMENTS),
        }
    }

    pub(super) fn unlimited() -> Self {
        Self {
            calls: None,
            statements: Semaphore::new(STATEMENTS),
        }
    }

    /// Lets no second statement wait for D1.
    pub(super) fn one_statement(&self) {
        self.statements.forget_permits(STATEMENTS - 1);
    }

    /// Waits until one more call stays below the limit; a call that is not `limited` is not counted.
    pub(super) async fn wait(&self, limited: bool) {
        let Some(calls) = self.calls.as_ref().filter(|_| limited) else {
            return;
        };
        loop {
            let due = {
                let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                while calls.front().is_some_and(|call| *call + WINDOW <= now) {
                    calls.pop_front();
                }
                if calls.len() < CALLS {
                    calls.push_back(now);
                    return;
                }
                calls.front().map_or(now, |call| *call + WINDOW)
            };
            tokio::time::sleep_until(due).await;
        }
    }

    /// Waits for a turn to ask D1; the turn ends where the permit is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.statements.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock of the test is virtual: it moves by exactly what is slept.
    #[tokio::test(start_paused = true)]
    async fn calls_stay_below_the_limit_in_every_window() {
        let pace = Pace::of_the_api();
        let mut made = Vec::new();
        for _ in 0..2_500 {
            pace.wait(true).await;
            made.push(Instant::now());
        }
        for (index, call) in made.iter().enumerate() {
            let within = made[index..]
                .iter()
                .take_while(|other| **other - *call < WINDOW);
            assert!(within.count() <= CALLS);
        }
        // What is not counted does not wait.
        let before = Instant::now();
        pace.wait(false).await;
        assert_eq!(Instant::now(), before);
    }
}
