//! The outside, as delivery needs it: a queue, a key-value store and a clock. `edge` implements it on the Workers
//! runtime, the native tests with fakes that refuse, hesitate and never answer.

use worker_runtime::{CallError, Clock};

use crate::pack::Body;

/// The places where bodies can go, and the time.
pub trait Ports {
    /// Returns the clock.
    fn clock(&self) -> &impl Clock;

    /// Sends `bodies`, which fit one call, to the queue, each as a message of text. Waits `limit_ms` milliseconds for its
    /// answer: the timer starts with the call and is cleared when the queue answers.
    ///
    /// # Errors
    /// The queue did not take them, its answer was lost, or it did not answer in time ([`CallError::TimedOut`]).
    fn send_batch(
        &self,
        bodies: &[Body],
        limit_ms: u64,
    ) -> impl Future<Output = Result<(), CallError>>;

    /// Puts `body` into the KV fallback under a new key.
    ///
    /// # Errors
    /// KV did not take it, or its answer was lost.
    fn put_fallback(&self, body: &Body) -> impl Future<Output = Result<(), CallError>>;
}
