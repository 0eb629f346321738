//! The reasons for which an outside call (a queue, KV, D1, R2) did not do its work.

use thiserror::Error;

/// An outside call that did not do its work. Carries the platform's own words, never a payload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The call was refused; a later one may succeed.
    #[error("{0}")]
    Refused(String),
    /// The call did not answer in time. It may still have done its work.
    #[error("no answer within {limit_ms} ms")]
    TimedOut {
        /// The time that the call had, in milliseconds.
        limit_ms: u64,
    },
    /// The call was not made: its time was used up before.
    #[error("not tried: no time was left")]
    OutOfTime,
    /// The Worker's configuration has no such binding: no later call can succeed.
    #[error("binding {0} is missing")]
    MissingBinding(&'static str),
}

impl CallError {
    /// Returns whether a later call may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::MissingBinding(_))
    }

    /// Returns whether the call did not answer.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}
