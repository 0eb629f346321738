//! A clock for native tests: tokio's time, paused (`#[tokio::test(start_paused = true)]`), which jumps to the next timer
//! whenever nothing else can go on. Hours pass in a moment, and in the right order.

use std::time::Duration;

use tokio::time::Instant;

use crate::Clock;

/// Tells tokio's time as milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct PausedClock {
    start: Instant,
    start_ms: u64,
}

impl PausedClock {
    /// Returns a clock that shows `start_ms` now. To be called within a tokio runtime.
    #[must_use]
    pub fn new(start_ms: u64) -> Self {
        Self {
            start: Instant::now(),
            start_ms,
        }
    }

    /// Returns the milliseconds that have passed since the clock was made.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Clock for PausedClock {
    fn now_ms(&self) -> u64 {
        self.start_ms.saturating_add(self.elapsed_ms())
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
