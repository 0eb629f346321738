//! Messages to their results, in slices of about 2 MB of bodies: read, decode, write, decide; then the next one. What
//! cannot be stored becomes a dead letter after the last slice, so that a dead-letter queue that hangs costs no other
//! message anything. `batch` (the queue) and `drain` (KV) turn the results into acks and deletes.
//!
//! What makes a finished slice safe is the keys of its rows: the verdicts on its messages reach the queue only when the
//! handler ends, and until then all of them may come again.

use std::borrow::Cow;
use std::collections::VecDeque;

use log_record::{DecodeError, Envelope, Reason, RecordView};
use worker_runtime::timestamp::parse_ms;

use crate::d1_error::{ErrorKind, StoreError};
use crate::dead_letter::{DeadLetterWriter, DeadMessage, LetterDraft, LetterSource};
use crate::invocation::Invocation;
use crate::message::{Body, Message, MessageSource};
use crate::ports::Ports;
use crate::settings::Delay;
use crate::stats::BatchStats;
use crate::write::{RecordStatus, SliceRecords, Writer};

/// The bodies of one slice, in bytes. A full batch of 100 messages of 127.5 kB is 12.7 MB, which stands in memory once in
/// the runtime as it is, and at its peak five times more where it is written in one go: as Wasm's text, as the parameter,
/// as JavaScript's (two bytes a character), as the request and as its bytes. An isolate has 128 MB.
const SLICE_BYTES: usize = 2_000_000;

/// Places among the messages that have failed before at which an invocation begins, another one each minute: the same
/// culprits should not use up the splits each time.
const STARTS: u64 = 16;

/// The result for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageResult {
    /// Each of its records is in D1 or in a dead letter: it may be forgotten.
    Done,
    /// It must come again.
    Retry(Delay),
}

/// Processes the messages of one invocation.
#[derive(Debug)]
pub struct Processor<'a, P> {
    invocation: &'a Invocation<'a, P>,
    writer: Writer<'a, P>,
    /// The counts so far.
    pub stats: BatchStats,
}

/// The messages of a slice, each with its index.
type Slice<'m> = Vec<(usize, Cow<'m, Message>)>;

impl<'a, P: Ports> Processor<'a, P> {
    /// Returns a processor for `invocation`.
    pub fn new(invocation: &'a Invocation<'a, P>) -> Self {
        Self {
            invocation,
            writer: Writer::new(invocation),
            stats: BatchStats::default(),
        }
    }

    /// Returns whether nothing more should be written in this invocation.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.writer.stopped_by().is_some()
    }

    /// Processes `messages`, with at most `splits` calls that fail while records are told apart; returns their results, in
    /// their order.
    pub async fn process<M: MessageSource + ?Sized>(
        &mut self,
        messages: &M,
        splits: usize,
    ) -> Vec<MessageResult> {
        self.writer.allow_splits(splits);
        let mut results = vec![MessageResult::Retry(Delay::None); messages.count()];
        let mut dead = Vec::new();
        let mut order = processing_order(messages, self.invocation.now_ms());
        self.stats.messages += messages.count() as u64;
        while !order.is_empty() && self.writer.stopped_by().is_none() && self.invocation.has_room(1)
        {
            let slice = self.read_slice(messages, &mut order, &mut results);
            // (1) If the process dies in here, no message is acked: all come again, and D1 passes over what it has.
            self.process_slice(&slice, &mut results, &mut dead).await;
        }
        if let Some(error) = self.writer.stopped_by() {
            let delay = delay_after(error);
            for index in order {
                set_result(&mut results, index, MessageResult::Retry(delay));
            }
        }
        // (2) If the process dies in here, some dead letters are where they belong and no message is acked: they come
        // again, and the letters may be written twice. See `dead_letter`.
        self.write_dead_letters(messages, &dead, &mut results).await;
        let retried = results
            .iter()
            .filter(|result| **result != MessageResult::Done);
        self.stats.retried_messages += retried.count() as u64;
        (self.stats.d1_calls, self.stats.d1_ms) = self.invocation.d1_calls();
        self.stats.kv_refusals = self.invocation.kv.refusals();
        self.stats.queue_refusals = self.invocation.queue.refusals();
        results
    }

    /// Reads the next slice: messages that are new, or messages that have failed before, never both. What cannot be read
    /// is itself retried.
    fn read_slice<'m, M: MessageSource + ?Sized>(
        &mut self,
        messages: &'m M,
        order: &mut VecDeque<usize>,
        results: &mut [MessageResult],
    ) -> Slice<'m> {
        let mut slice = Slice::new();
        let mut bytes = 0;
        let is_new = |index: usize| messages.attempts(index) <= 1;
        let first_is_new = order.front().map(|index| is_new(*index));
        while bytes < SLICE_BYTES
            && let Some(index) = order.front().copied()
            && Some(is_new(index)) == first_is_new
        {
            order.pop_front();
            if let Ok(message) = messages.read(index) {
                bytes += message.body.as_str().len();
                slice.push((index, message));
            } else {
                self.stats.unreadable += 1;
                set_result(results, index, MessageResult::Retry(Delay::Growing));
            }
        }
        slice
    }

    async fn process_slice(
        &mut self,
        slice: &Slice<'_>,
        results: &mut [MessageResult],
        dead: &mut Vec<DeadMessage>,
    ) {
        let max_attempts = self.invocation.settings.max_attempts;
        let decoded: Vec<Result<Envelope<'_>, (Reason, String)>> = slice
            .iter()
            .map(|(_, message)| decode(&message.body))
            .collect();
        let mut records = SliceRecords::default();
        for ((_, message), envelope) in slice.iter().zip(&decoded) {
            let own = envelope.iter().flat_map(|envelope| &envelope.records);
            records.push_message(own.map(RecordView::raw), message.attempts, max_attempts);
        }
        self.count(&decoded, records.len());

        // Rows first; whatever else must hold them before a message counts as done comes between here and the results.
        let (statuses, error) = self.writer.write_slice(&records, &mut self.stats).await;
        let delay = error.as_ref().map_or(Delay::Growing, delay_after);
        let mut statuses = statuses.into_iter();
        for ((index, _), envelope) in slice.iter().zip(decoded) {
            let own = envelope
                .as_ref()
                .map_or(0, |envelope| envelope.records.len());
            let own: Vec<RecordStatus> = statuses.by_ref().take(own).collect();
            let letters = match envelope {
                Err((reason, detail)) => vec![LetterDraft {
                    reason,
                    detail,
                    source: LetterSource::Body,
                }],
                Ok(_) if own.contains(&RecordStatus::Pending) => {
                    set_result(results, *index, MessageResult::Retry(delay));
                    continue;
                }
                Ok(_) => letters_of(own),
            };
            if letters.is_empty() {
                set_result(results, *index, MessageResult::Done);
            } else {
                dead.push(DeadMessage {
                    index: *index,
                    letters,
                });
            }
        }
    }

    fn count(&mut self, decoded: &[Result<Envelope<'_>, (Reason, String)>], records: usize) {
        self.stats.slices += 1;
        self.stats.records += records as u64;
        let envelopes = decoded.iter().flatten();
        let timestamps = envelopes
            .flat_map(|envelope| &envelope.records)
            .map(RecordView::timestamp);
        // Timestamps sort as text, so one of them is parsed and not all.
        let oldest_ms = timestamps.min().and_then(parse_ms);
        let lag_ms = oldest_ms.map_or(0, |ms| self.invocation.now_ms().saturating_sub(ms));
        self.stats.lag_ms = self.stats.lag_ms.max(lag_ms);
    }

    async fn write_dead_letters<M: MessageSource + ?Sized>(
        &mut self,
        messages: &M,
        dead: &[DeadMessage],
        results: &mut [MessageResult],
    ) {
        if dead.is_empty() {
            return;
        }
        let writer = DeadLetterWriter::new(self.invocation);
        let placed = writer.write_all(messages, dead).await;
        for (message, placed) in dead.iter().zip(placed) {
            // Neither the queue nor KV took them: the message itself is kept.
            let result = if placed {
                MessageResult::Done
            } else {
                MessageResult::Retry(Delay::Long)
            };
            set_result(results, message.index, result);
        }
        writer.add_counts(&mut self.stats);
    }
}

/// Returns the indexes of `messages`: those delivered for the first time before those that have failed before, which may
/// take many calls.
fn processing_order<M: MessageSource + ?Sized>(messages: &M, now_ms: u64) -> VecDeque<usize> {
    let (mut order, mut failed): (Vec<usize>, Vec<usize>) =
        (0..messages.count()).partition(|index| messages.attempts(*index) <= 1);
    let start = failed.len() as u64 * (now_ms / 60_000 % STARTS) / STARTS;
    failed.rotate_left(usize::try_from(start).unwrap_or(0));
    order.extend(failed);
    order.into()
}

fn delay_after(error: &StoreError) -> Delay {
    if error.kind == ErrorKind::OutOfBudget {
        Delay::None
    } else if error.kind.needs_backoff() {
        Delay::Long
    } else {
        Delay::Growing
    }
}

fn set_result(results: &mut [MessageResult], index: usize, result: MessageResult) {
    if let Some(place) = results.get_mut(index) {
        *place = result;
    }
}

/// Decodes a body.
///
/// # Errors
/// The reason for its dead letter, as a code and in words.
pub(crate) fn decode(body: &Body) -> Result<Envelope<'_>, (Reason, String)> {
    let text = match body {
        Body::Text(text) => text,
        Body::Other(_) => return Err((Reason::Undecodable, "the body is not text".to_owned())),
    };
    Envelope::decode(text).map_err(|error| {
        let reason = match error {
            DecodeError::UnsupportedVersion { .. } => Reason::UnsupportedVersion,
            DecodeError::NotAnEnvelope { .. } | DecodeError::Record { .. } => Reason::Undecodable,
        };
        (reason, error.to_string())
    })
}

/// Returns the letters of a message, by what D1 said of its records.
fn letters_of(statuses: Vec<RecordStatus>) -> Vec<LetterDraft> {
    let mut letters: Vec<LetterDraft> = Vec::new();
    for (position, status) in statuses.into_iter().enumerate() {
        let (reason, detail) = match status {
            RecordStatus::Committed | RecordStatus::Pending => continue,
            RecordStatus::Rejected(detail) => (Reason::Rejected, detail),
            RecordStatus::Exhausted(detail) => (Reason::RetriesExhausted, detail),
        };
        let known = letters
            .iter_mut()
            .find(|letter| (letter.reason, &letter.detail) == (reason, &detail));
        match known.map(|letter| &mut letter.source) {
            Some(LetterSource::Records(positions)) => positions.push(position),
            _ => letters.push(LetterDraft {
                reason,
                detail,
                source: LetterSource::Records(vec![position]),
            }),
        }
    }
    letters
}
