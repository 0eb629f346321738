//! One batch of queue messages. `settle` does the work; this turns what became of each message into its verdict.

use crate::budget::Budget;
use crate::ports::Ports;
use crate::settings::Settings;
use crate::settle::{Inbound, Settled, settle};
use crate::tally::Tally;

/// What to tell the queue of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every record is in D1 or buried: forget the message.
    Ack,
    /// Deliver it again.
    Retry {
        /// Not before so many seconds.
        delay_seconds: u32,
    },
}

/// Consumes `messages`; the verdicts are in their order.
pub async fn consume(
    ports: &impl Ports,
    settings: &Settings,
    messages: &[Inbound],
) -> (Vec<Verdict>, Tally) {
    let mut tally = Tally::default();
    let mut budget = Budget::new(ports.clock());
    // (1) If the process dies in here, no message has its verdict: all come again. What was written is passed over by
    // its key, and what was buried may be buried twice, to be stored once when it is replayed.
    let settled = settle(ports, settings, &mut budget, messages, &mut tally).await;
    let verdicts = messages
        .iter()
        .zip(settled)
        .map(|(message, settled)| match settled {
            Settled::Done => Verdict::Ack,
            Settled::Stay { pause } => Verdict::Retry {
                delay_seconds: settings.retry_delay_seconds(message.attempts, pause),
            },
        })
        .collect();
    (verdicts, tally)
}
