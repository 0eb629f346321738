//! When to try again within one invocation: the only module that names the `backoff` crate, which is no longer
//! maintained (see `deny.toml`). Sleeping is the caller's, with the runtime's own timer; `consume` knows the delays
//! between redeliveries.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

/// How often a call is tried again.
pub const RETRIES: usize = 3;

/// The delay before the first retry, in milliseconds; each further one is twice as long: 100, 200, 400.
const FIRST_MS: u64 = 100;

/// How far a delay may stray from that, so that Workers that failed together do not come back together: half to one
/// and a half times.
const JITTER: f64 = 0.5;

/// The delays before each retry, in milliseconds.
pub fn delays_ms() -> impl Iterator<Item = u64> {
    let mut policy = ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(FIRST_MS))
        .with_multiplier(2.0)
        .with_randomization_factor(JITTER)
        .with_max_elapsed_time(None)
        .build();
    std::iter::from_fn(move || policy.next_backoff())
        .take(RETRIES)
        .map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_retries_after_100_200_and_400_ms_give_or_take_half() {
        for _ in 0..100 {
            let delays: Vec<u64> = delays_ms().collect();
            assert_eq!(delays.len(), 3);
            for (delay, nominal) in delays.iter().zip([100, 200, 400]) {
                assert!(
                    (nominal / 2..=nominal * 3 / 2).contains(delay),
                    "{delays:?}"
                );
            }
        }
    }

    #[test]
    fn delays_are_jittered() {
        let first: Vec<u64> = delays_ms().collect();
        assert!((0..100).any(|_| delays_ms().ne(first.iter().copied())));
    }
}
