//! When to try again: the only module that names `backoff` (unmaintained; see deny.toml), so that it can be replaced in
//! an hour. `send` does the trying, `edge` the sleeping.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// Tries after the first.
pub const RETRIES: usize = 3;

const FIRST_DELAY_MS: u64 = 100;

/// The delays between tries: about 100, 200 and 400 ms, each 25% more or less by chance, so that the isolates that met
/// the same fault do not all come back at once.
#[derive(Debug)]
pub struct Delays {
    backoff: ExponentialBackoff,
    left: usize,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            backoff: ExponentialBackoffBuilder::new()
                .with_initial_interval(Duration::from_millis(FIRST_DELAY_MS))
                .with_multiplier(2.0)
                .with_randomization_factor(0.25)
                .with_max_elapsed_time(None)
                .build(),
            left: RETRIES,
        }
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        self.backoff.next_backoff()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_delays_that_double_give_or_take_a_quarter() {
        let delays: Vec<_> = Delays::default().map(|delay| delay.as_millis()).collect();
        assert_eq!(delays.len(), RETRIES);
        for (delay, about) in delays.iter().zip([100, 200, 400]) {
            assert!(
                (about * 3 / 4 - 1..=about * 5 / 4).contains(delay),
                "{delays:?}"
            );
        }
    }
}
