//! The delays between tries: the only module that names the `backoff` crate, which is unmaintained (RUSTSEC-2025-0012,
//! see `deny.toml`), so that it can be replaced in an hour. It computes; sleeping is the caller's.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

/// Tries after the first.
pub const RETRIES: usize = 3;

/// The delay before the first retry; each further one is twice as long: 100, 200, 400 ms.
const FIRST_DELAY_MS: u64 = 100;

/// The share by which a delay may stray, so that Workers that failed together do not come back together: each is half to
/// one and a half times as long.
const JITTER: f64 = 0.5;

/// Returns the delays before each retry, in milliseconds.
pub fn retry_delays_ms() -> impl Iterator<Item = u64> {
    // Made when the first delay is asked for, since most calls ask for none: it reads the clock.
    let mut policy = None;
    let build = || {
        ExponentialBackoffBuilder::new()
            .with_initial_interval(Duration::from_millis(FIRST_DELAY_MS))
            .with_multiplier(2.0)
            .with_randomization_factor(JITTER)
            .with_max_elapsed_time(None)
            .build()
    };
    std::iter::from_fn(move || policy.get_or_insert_with(build).next_backoff())
        .take(RETRIES)
        .map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_retries_after_about_100_200_and_400_ms() {
        for _ in 0..100 {
            let delays: Vec<u64> = retry_delays_ms().collect();
            assert_eq!(delays.len(), RETRIES);
            for (delay, nominal) in delays.iter().zip([100, 200, 400]) {
                let range = nominal / 2 - 1..=nominal * 3 / 2;
                assert!(range.contains(delay), "{delays:?}");
            }
        }
    }

    #[test]
    fn delays_differ_from_run_to_run() {
        let first: Vec<u64> = retry_delays_ms().collect();
        assert!((0..100).any(|_| retry_delays_ms().ne(first.iter().copied())));
    }
}
