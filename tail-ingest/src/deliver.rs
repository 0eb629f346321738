//! The ladder: message bodies to the queue, else to KV, else counted as not confirmed.
//!
//! The runtime delivers a trace event once and ends a tail call about 30 s after it began, with everything the call
//! holds. A queue that hangs must therefore not use up the time that KV needs: every call is bounded, silence counts as
//! a refusal, and all of it ends within [`DELIVERY_MS`].

use std::iter;

use futures_util::{StreamExt as _, stream};
use log_record::limits::{QUEUE_METADATA_BYTES, SEND_BATCH_BYTES, SEND_BATCH_MESSAGES};
use worker_runtime::retry::retry_delays_ms;
use worker_runtime::{CallError, Clock as _, within};

use crate::pack::Body;
use crate::ports::Ports;

/// The time that one send to the queue has. A healthy queue answers within tenths of a second.
pub const SEND_MS: u64 = 5_000;

/// Silent sends after which the call asks the queue no more. A send cannot be cancelled: it goes on holding one of the
/// six connections that a call may have waiting, and KV needs [`PUTS_AT_A_TIME`] of them.
pub const MAX_SILENCES: usize = 2;

/// The time that the queue has for all bodies, from the call's start: enough for three sends as slow as can be and the
/// delays between them, 5,000 + 150 + 5,000 + 300 + 5,000 = 15,450.
const QUEUE_MS: u64 = 16_000;

/// The time that KV has for all bodies together.
pub const FALLBACK_MS: u64 = 8_000;

/// The time that is left to count and to say so.
const REPORT_MS: u64 = 1_000;

/// The time within which a call ends, from its start: 16,000 + 8,000 + 1,000 = 25,000.
pub const DELIVERY_MS: u64 = QUEUE_MS + FALLBACK_MS + REPORT_MS;

/// Puts to KV that are under way at once: with two silent sends, five of the call's six connections.
pub const PUTS_AT_A_TIME: usize = 3;

/// The places where the records of one call ended, each in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Records that the queue took.
    pub queued: usize,
    /// Records that KV took.
    pub fallback: usize,
    /// Records that neither has confirmed. One of them may still have taken them.
    pub not_confirmed: usize,
    /// The last error of the queue, if there was one.
    pub queue_error: Option<CallError>,
    /// The last error of KV, if there was one.
    pub fallback_error: Option<CallError>,
}

/// Sends every body down the ladder. `started_ms` is the time at which the tail call began; the result is there
/// [`DELIVERY_MS`] later at the latest. `first_answer` is the queue's answer where the first of [`send_groups`] has been
/// sent already: most deliveries are over with it, so the Worker comes here only where there is more to do.
///
/// If the isolate dies at an `.await` in here, the bodies not yet taken are gone: the runtime delivers a trace event
/// once. A body that is taken without an answer, or with a late one, goes on to the next step and comes twice, with the
/// same `log_id`s; D1 keeps one row of each.
pub async fn deliver(
    ports: &impl Ports,
    bodies: &[Body],
    started_ms: u64,
    mut first_answer: Option<Result<(), CallError>>,
) -> Delivery {
    let mut delivery = Delivery::default();
    let mut sender = QueueSender::new(ports, started_ms.saturating_add(QUEUE_MS));
    let mut left = Vec::new();
    for group in send_groups(bodies) {
        if sender.send_group(group, first_answer.take()).await {
            delivery.queued += count_records(group);
        } else {
            left.extend(group);
        }
    }
    delivery.queue_error = sender.last_error;

    let deadline_ms = ports
        .clock()
        .now_ms()
        .saturating_add(FALLBACK_MS)
        .min(started_ms.saturating_add(QUEUE_MS + FALLBACK_MS));
    let puts = left
        .into_iter()
        .map(async |body| (body.records, put_body(ports, body, deadline_ms).await));
    let mut puts = stream::iter(puts).buffer_unordered(PUTS_AT_A_TIME);
    while let Some((records, result)) = puts.next().await {
        match result {
            Ok(()) => delivery.fallback += records,
            Err(error) => {
                delivery.not_confirmed += records;
                keep_error(&mut delivery.fallback_error, error);
            }
        }
    }
    delivery
}

/// Sends groups of bodies to the queue for as long as asking it makes sense.
struct QueueSender<'p, P> {
    ports: &'p P,
    deadline_ms: u64,
    silences: usize,
    last_error: Option<CallError>,
}

impl<'p, P: Ports> QueueSender<'p, P> {
    fn new(ports: &'p P, deadline_ms: u64) -> Self {
        Self {
            ports,
            deadline_ms,
            silences: 0,
            last_error: None,
        }
    }

    /// Offers `group` to the queue, again after each delay; the first time, unless it has been offered and this is the
    /// `answer`. Returns whether the queue took it.
    async fn send_group(
        &mut self,
        group: &[Body],
        mut answer: Option<Result<(), CallError>>,
    ) -> bool {
        for delay_ms in iter::once(0).chain(retry_delays_ms()) {
            let answer = match answer.take() {
                Some(answer) => answer,
                None if self.is_closed() => return false,
                None => self.send_after(delay_ms, group).await,
            };
            match answer {
                Ok(()) => return true,
                Err(error) => {
                    self.silences += usize::from(error.is_silence());
                    keep_error(&mut self.last_error, error);
                }
            }
        }
        false
    }

    /// Sends `group` after a delay, if the time is enough for both.
    async fn send_after(&self, delay_ms: u64, group: &[Body]) -> Result<(), CallError> {
        let clock = self.ports.clock();
        if clock.now_ms() + delay_ms + SEND_MS > self.deadline_ms {
            return Err(CallError::OutOfTime);
        }
        if delay_ms > 0 {
            clock.sleep_ms(delay_ms).await;
        }
        self.ports.send_batch(group, SEND_MS).await
    }

    /// Returns whether no further send makes sense, whatever time is left.
    fn is_closed(&self) -> bool {
        let missing = self
            .last_error
            .as_ref()
            .is_some_and(|it| !it.is_transient());
        missing || self.silences >= MAX_SILENCES
    }
}

/// Puts one body into KV, unless the time for that is over.
async fn put_body(ports: &impl Ports, body: &Body, deadline_ms: u64) -> Result<(), CallError> {
    let clock = ports.clock();
    match deadline_ms.saturating_sub(clock.now_ms()) {
        0 => Err(CallError::OutOfTime),
        left_ms => within(clock, left_ms, ports.put_fallback(body)).await,
    }
}

/// Keeps `error` as the last one. A call that was not made says nothing about its predecessor's trouble.
fn keep_error(last: &mut Option<CallError>, error: CallError) {
    if last.is_none() || error != CallError::OutOfTime {
        *last = Some(error);
    }
}

fn count_records(bodies: &[Body]) -> usize {
    bodies.iter().map(|body| body.records).sum()
}

/// Divides `bodies` into groups that one `sendBatch` takes: at most [`SEND_BATCH_MESSAGES`] messages and
/// [`SEND_BATCH_BYTES`] with what the platform adds to each.
pub fn send_groups(bodies: &[Body]) -> impl Iterator<Item = &[Body]> {
    let mut rest = bodies;
    iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(SEND_BATCH_MESSAGES)
            .take_while(|body| {
                bytes += body.text.len() + QUEUE_METADATA_BYTES;
                bytes <= SEND_BATCH_BYTES
            })
            .count();
        // A body over every limit (none is made) still gets its turn, and its refusal its place on the ladder.
        let (group, after) = rest.split_at_checked(fitting.max(1))?;
        rest = after;
        Some(group)
    })
}
