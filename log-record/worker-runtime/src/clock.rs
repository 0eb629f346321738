//! Time as a value: below the edge, nothing reads a clock of its own.

/// The time, and a timer. In production the time stands still while a Worker computes and moves across I/O.
pub trait Clock {
    /// Returns the milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Completes after `ms` milliseconds. Dropping the future clears the timer.
    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()>;
}
