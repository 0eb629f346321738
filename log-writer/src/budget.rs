//! How much one invocation may ask of D1, so that it ends by itself long before the platform ends it.

use crate::ports::Clock;

/// D1's limit is 1,000 queries per invocation (D1 limits); what settles the last messages needs none.
const STATEMENTS: usize = 900;

/// A queue consumer and a cron may run for 15 minutes (Workers limits). A D1 call itself ends after 30 s, so this
/// leaves minutes to send dead letters.
const TIME_MS: u64 = 5 * 60 * 1000;

/// What is left of it.
#[derive(Clone, Debug)]
pub struct Budget {
    deadline_ms: u64,
    statements: usize,
}

impl Budget {
    /// A whole budget, from now.
    pub fn new(clock: &impl Clock) -> Self {
        Self::for_ms(clock, TIME_MS)
    }

    /// A budget that ends after `ms` milliseconds.
    pub fn for_ms(clock: &impl Clock, ms: u64) -> Self {
        Self {
            deadline_ms: clock.now_ms().saturating_add(ms),
            statements: STATEMENTS,
        }
    }

    /// Takes `statements` from it; false where it does not hold as many, or time is up.
    pub fn take(&mut self, statements: usize, clock: &impl Clock) -> bool {
        if self.is_over(clock) || statements > self.statements {
            return false;
        }
        self.statements -= statements;
        true
    }

    /// Whether time is up.
    pub fn is_over(&self, clock: &impl Clock) -> bool {
        clock.now_ms() >= self.deadline_ms
    }
}
