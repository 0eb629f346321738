//! Messages to their results, in slices of about 2 MB of bodies: read, decode, write rows, archive, decide; then the next
//! one. What cannot be stored becomes a dead letter after the last slice, so that a dead-letter queue that hangs costs no
//! other message anything. `batch` (the queue) and `drain` (KV) turn the results into acks and deletes.
//!
//! Rows never wait for the archive: they are in D1 before R2 is asked. While R2 is away, the messages come again for the
//! archive's sake; at its last attempt a message no longer waits, and each of its records is a row then. So a bucket that
//! is missing or refuses never makes a dead letter.
//!
//! What makes a finished slice safe is the keys of its rows and of its objects: the verdicts on its messages reach the queue
//! only when the handler ends, and until then all of them may come again.

mod message;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use log_record::archive::Rows;
use log_record::{DecodeError, Envelope, Reason, RecordView};
use worker_runtime::timestamp::parse_ms;

use self::message::SliceMessage;
use crate::archive::{ArchiveError, ArchiveMessage, Archiver};
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
    /// Each of its records is in D1, in the archive or in a dead letter: it may be forgotten.
    Done,
    /// It must come again.
    Retry(Delay),
}

/// Processes the messages of one invocation.
#[derive(Debug)]
pub struct Processor<'a, P> {
    invocation: &'a Invocation<'a, P>,
    writer: Writer<'a, P>,
    archiver: Archiver<'a, P>,
    /// The records that become rows.
    rows: Rows,
    /// The counts so far.
    pub stats: BatchStats,
}

/// The messages of a slice, each with its index.
type Slice<'m> = Vec<(usize, Cow<'m, Message>)>;

/// An envelope, or the reason why a body is not an envelope, as a code and in words.
type Decoded<'m> = Result<Envelope<'m>, (Reason, String)>;

impl<'a, P: Ports> Processor<'a, P> {
    /// Returns a processor for `invocation`.
    pub fn new(invocation: &'a Invocation<'a, P>) -> Self {
        let archiver = Archiver::new(invocation);
        let rows = if archiver.is_on() {
            invocation.settings.rows
        } else {
            // There is nowhere else to keep them.
            Rows::All
        };
        Self {
            invocation,
            writer: Writer::new(invocation),
            archiver,
            rows,
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

    /// Processes one slice: rows, then the archive, then the results.
    async fn process_slice(
        &mut self,
        slice: &Slice<'_>,
        results: &mut [MessageResult],
        dead: &mut Vec<DeadMessage>,
    ) {
        let decoded: Vec<Decoded<'_>> = slice
            .iter()
            .map(|(_, message)| decode(&message.body))
            .collect();
        self.count(&decoded);
        let mut messages: Vec<SliceMessage<'_>> = Vec::new();
        for ((index, message), envelope) in slice.iter().zip(&decoded) {
            match envelope {
                Ok(envelope) => {
                    messages.push(SliceMessage::new(*index, message, envelope, self.rows));
                }
                Err((reason, detail)) => dead.push(DeadMessage {
                    index: *index,
                    letters: vec![LetterDraft {
                        reason: *reason,
                        detail: detail.clone(),
                        source: LetterSource::Body,
                    }],
                }),
            }
        }
        // (3) If the process dies in here, D1 has some rows of the slice, and nothing else has happened: no message is
        // acked, all come again, and D1 passes over the rows that it has.
        let mut delay = self.write_rows(&mut messages).await;
        if self.archiver.is_on() {
            if self.writer.stopped_by().is_none() {
                messages
                    .iter_mut()
                    .for_each(SliceMessage::replace_dead_rows);
                // As (3).
                delay = delay.or(self.write_rows(&mut messages).await);
            }
            // (4) If the process dies in here, the rows are in D1, and the archive has the records or not: see `archive`.
            let missing = self.archive_messages(&mut messages).await;
            // (5) As (3).
            delay = delay.or(self.write_rows(&mut messages).await);
            for message in &mut messages {
                message.retry = missing.get(&message.index).copied();
            }
        }
        for message in messages {
            let delay = delay.unwrap_or(Delay::Growing);
            let pending = message.is_pending().then_some(delay);
            if let Some(delay) = pending.or(message.retry) {
                set_result(results, message.index, MessageResult::Retry(delay));
                continue;
            }
            let letters = letters_of(message.statuses);
            if letters.is_empty() {
                set_result(results, message.index, MessageResult::Done);
            } else {
                dead.push(DeadMessage {
                    index: message.index,
                    letters,
                });
            }
        }
    }

    /// Writes the records that should be rows and are not written yet; returns the delay that D1's error asks for, where
    /// it left some pending.
    async fn write_rows(&mut self, messages: &mut [SliceMessage<'_>]) -> Option<Delay> {
        let max_attempts = self.invocation.settings.max_attempts;
        let mut records = SliceRecords::default();
        for message in &*messages {
            let rows = message.unwritten_rows();
            records.push_message(rows.map(RecordView::raw), message.attempts, max_attempts);
        }
        if records.is_empty() {
            return None;
        }
        let (statuses, error) = self.writer.write_slice(&records, &mut self.stats).await;
        let mut statuses = statuses.into_iter();
        for message in messages {
            message.set_statuses(&mut statuses);
        }
        error.as_ref().map(delay_after)
    }

    /// Archives the messages whose rows are in. Where that fails, a message comes again: its delay is returned by its
    /// index. At its last attempt it waits for R2 no longer, and those of its records that are not rows must become rows.
    async fn archive_messages(
        &mut self,
        messages: &mut [SliceMessage<'_>],
    ) -> HashMap<usize, Delay> {
        let max_attempts = self.invocation.settings.max_attempts;
        let stored = messages.iter().filter(|message| !message.is_pending());
        let candidates: Vec<ArchiveMessage<'_>> = stored.map(SliceMessage::to_archive).collect();
        let errors = self
            .archiver
            .store(&candidates, self.rows, &mut self.stats)
            .await;
        drop(candidates);
        let mut delays = HashMap::new();
        let stored = messages.iter_mut().filter(|message| !message.is_pending());
        for (message, error) in stored.zip(errors) {
            let Some(error) = error else { continue };
            // A budget that is used up says nothing about the bucket.
            let is_waiting = error == ArchiveError::OutOfBudget || message.attempts < max_attempts;
            if is_waiting {
                delays.insert(message.index, delay_without_archive(&error));
            } else {
                let archive = self.stats.archive.get_or_insert_default();
                archive.unarchived += message.records.len() as u64;
                message.is_row.fill(true);
            }
        }
        delays
    }

    fn count(&mut self, decoded: &[Decoded<'_>]) {
        self.stats.slices += 1;
        let records = decoded.iter().flatten().flat_map(|it| &it.records);
        self.stats.records += records.clone().count() as u64;
        // Timestamps sort as text, so one of them is parsed and not all.
        let oldest_ms = records.map(RecordView::timestamp).min().and_then(parse_ms);
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

/// Returns the delay of a message that is not in the archive yet.
fn delay_without_archive(error: &ArchiveError) -> Delay {
    match error {
        ArchiveError::Bucket(_) => Delay::Growing,
        ArchiveError::Catalog(error) => delay_after(error),
        ArchiveError::OutOfBudget => Delay::None,
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
pub(crate) fn decode(body: &Body) -> Decoded<'_> {
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
fn letters_of(statuses: Vec<Option<RecordStatus>>) -> Vec<LetterDraft> {
    let mut letters: Vec<LetterDraft> = Vec::new();
    for (position, status) in statuses.into_iter().enumerate() {
        let (reason, detail) = match status {
            None | Some(RecordStatus::Committed | RecordStatus::Pending) => continue,
            Some(RecordStatus::Rejected(detail)) => (Reason::Rejected, detail),
            Some(RecordStatus::Exhausted(detail)) => (Reason::RetriesExhausted, detail),
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
