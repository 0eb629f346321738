//! Waiting for something to become true, with a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const INTERVAL: Duration = Duration::from_millis(50);

/// Asks until there is an answer or `limit` has passed; `None` then.
///
/// # Errors
/// Whatever `ask` fails with, at once.
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(INTERVAL);
    }
}

/// Asks until there is an answer; an error that names `what` once `limit` has passed.
///
/// # Errors
/// Whatever `ask` fails with, or that the deadline has passed.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    match poll(limit, ask)? {
        Some(answer) => Ok(answer),
        None => bail!("waited {} s for {what}", limit.as_secs()),
    }
}
