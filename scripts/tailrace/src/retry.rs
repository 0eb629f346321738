//! Retries of calls. The one user of `backoff`, which is unmaintained (RUSTSEC-2025-0012): to move to another
//! crate is to rewrite `Policy::delays`.
//!
//! Every call this tool makes may be made twice: reads change nothing, acks and deletes are idempotent, and what is
//! published twice meets `ON CONFLICT DO NOTHING` (the key is the timestamp and the log id). A pull alone has a price: one
//! whose answer is lost is a delivery of messages that nobody sees until their lease is over.

use std::future::Future;
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

use crate::Error;

/// The longest `Retry-After` that is waited for. Cloudflare's API limit is counted over five minutes.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// A wait longer than this is announced, so that nobody takes the tool for hung.
const ANNOUNCED: Duration = Duration::from_secs(4);

/// The number of calls, and the delays between them.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The first delay; each following one is about twice as long, with jitter.
    pub first: Duration,
    /// Calls in all, the first included.
    pub attempts: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(300),
            attempts: 5,
        }
    }
}

impl Policy {
    /// The delays between the calls: one less than there are calls.
    fn delays(self) -> impl Iterator<Item = Duration> {
        let mut backoff = ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            multiplier: 2.0,
            randomization_factor: 0.3,
            max_interval: Duration::from_secs(20),
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        std::iter::from_fn(move || backoff.next_backoff()).take(self.attempts.saturating_sub(1))
    }
}

/// The meaning of a failed call.
#[derive(Debug)]
pub enum Failure {
    /// The same call will fail again.
    Permanent(Error),
    /// It may work later; the server may have said when.
    Transient {
        /// The error to report when there are no attempts left.
        error: Error,
        /// From `Retry-After`.
        after: Option<Duration>,
    },
}

/// Calls `call` until it succeeds, fails for good or has used its attempts. A `Retry-After` is honoured: never sooner,
/// and no longer than five minutes.
///
/// # Errors
/// The last failure.
pub async fn retry<T, F, C>(policy: Policy, mut call: C) -> Result<T, Error>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T, Failure>>,
{
    let mut delays = policy.delays();
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(Failure::Permanent(error)) => return Err(error),
            Err(Failure::Transient { error, after }) => {
                let Some(delay) = delays.next() else {
                    return Err(error);
                };
                let delay = delay.max(after.unwrap_or_default().min(RETRY_AFTER_MAX));
                if delay > ANNOUNCED {
                    crate::output::note(&format!("{error}; trying again in {} s", delay.as_secs()));
                }
                tokio::time::sleep(delay).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn transient(after: Option<Duration>) -> Failure {
        Failure::Transient {
            error: Error::Usage("down".to_owned()),
            after,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_transient_failure_is_tried_as_often_as_allowed() {
        let calls = Cell::new(0);
        let result: Result<(), _> = retry(Policy::default(), || {
            calls.set(calls.get() + 1);
            async { Err(transient(None)) }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(calls.get(), Policy::default().attempts);
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_failure_is_not_tried_again() {
        let calls = Cell::new(0);
        let result: Result<(), _> = retry(Policy::default(), || {
            calls.set(calls.get() + 1);
            async { Err(Failure::Permanent(Error::NoToken)) }
        })
        .await;
        assert!(matches!(result, Err(Error::NoToken)));
        assert_eq!(calls.get(), 1);
    }

    /// The clock of the test is virtual: it moves by exactly what is slept.
    #[tokio::test(start_paused = true)]
    async fn retry_after_is_waited_for_and_bounded() {
        for (asked, least, most) in [(30, 30, 31), (100_000, 300, 301)] {
            let started = Instant::now();
            let calls = Cell::new(0);
            retry(Policy::default(), || {
                calls.set(calls.get() + 1);
                let first = calls.get() == 1;
                async move {
                    if first {
                        Err(transient(Some(Duration::from_secs(asked))))
                    } else {
                        Ok(())
                    }
                }
            })
            .await
            .unwrap();
            let waited = started.elapsed().as_secs();
            assert!((least..=most).contains(&waited), "waited {waited} s");
        }
    }
}
