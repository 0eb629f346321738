//! Deadlines. A binding may hang: its call then never answers, and the runtime ends the invocation with everything it
//! held. So every outside call is bounded, and silence counts as a refusal.

use std::pin::pin;

use futures_util::future::{Either, select};

use crate::{CallError, Clock};

/// Waits for `call`, for `limit_ms` milliseconds at most. The timer starts with the call and is cleared when the call
/// answers. A call that is given up cannot be cancelled: its late answer is ignored.
///
/// # Errors
/// The call's own error, or [`CallError::TimedOut`].
pub async fn within<T>(
    clock: &impl Clock,
    limit_ms: u64,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match select(pin!(call), pin!(clock.sleep_ms(limit_ms))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => Err(CallError::TimedOut { limit_ms }),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::testing::PausedClock;

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_time_is_returned() {
        let clock = PausedClock::new(5);
        let call = async {
            clock.sleep_ms(99).await;
            Ok(1)
        };
        assert_eq!(within(&clock, 100, call).await, Ok(1));
        assert_eq!(clock.now_ms(), 104);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error_at_the_limit() {
        let clock = PausedClock::new(5);
        let answer = within(&clock, 100, pending::<Result<(), CallError>>()).await;
        assert_eq!(answer, Err(CallError::TimedOut { limit_ms: 100 }));
        assert_eq!(clock.now_ms(), 105);
    }
}
