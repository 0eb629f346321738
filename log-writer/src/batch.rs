//! One batch of queue messages: `slice` does the work, and the results become verdicts.

use crate::invocation::Invocation;
use crate::message::MessageSource;
use crate::ports::Ports;
use crate::settings::Settings;
use crate::slice::{MessageResult, Processor};
use crate::stats::BatchStats;
use crate::write::SPLITS;

/// The answer to the queue about one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every record is in D1, in the archive or in a dead letter: forget the message.
    Ack,
    /// Deliver it again.
    Retry {
        /// Not before this many seconds.
        delay_seconds: u32,
    },
}

/// Processes `messages`; the verdicts are in their order.
pub async fn process_batch<M: MessageSource + ?Sized>(
    ports: &impl Ports,
    settings: &Settings,
    messages: &M,
) -> (Vec<Verdict>, BatchStats) {
    let invocation = Invocation::of_batch(ports, settings);
    let mut processor = Processor::new(&invocation);
    // (1) If the process dies in here, no message has its verdict: all come again. D1 passes over the rows that it has, by
    // their key, and a dead letter that is written twice is stored once when it is replayed.
    let results = processor.process(messages, SPLITS).await;
    let verdicts = results
        .into_iter()
        .enumerate()
        .map(|(index, result)| match result {
            MessageResult::Done => Verdict::Ack,
            MessageResult::Retry(delay) => Verdict::Retry {
                delay_seconds: settings.retry_delay_seconds(messages.attempts(index), delay),
            },
        })
        .collect();
    (verdicts, processor.stats)
}
