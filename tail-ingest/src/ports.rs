//! The outside, as delivery needs it: a queue, a key-value store and a clock. `edge` implements it on the Workers
//! runtime, the native tests with fakes that refuse, hesitate and never answer.

use worker_runtime::{CallError, Clock};

use crate::pack::Body;

/// The places where bodies can go, and the time.
pub trait Ports {
    /// Returns the clock.
    fn clock(&self) -> &impl Clock;

    /// Sends `bodies`, which fit one call, to the queue, each as a message of text.
    ///
    /// # Errors
    /// The queue did not take them, or its answer was lost.
    fn send_batch(&self, bodies: &[Body]) -> impl Future<Output = Result<(), CallError>>;

    /// Puts `body` into the KV fallback under a new key.
    ///
    /// # Errors
    /// KV did not take it, or its answer was lost.
    fn put_fallback(&self, body: &Body) -> impl Future<Output = Result<(), CallError>>;
}
