//! Dead letters on their way: cut to fit a message, sent to the queue, or put in KV where the queue does not take them.
//! Their form is `log_record::dead_letter`; `slice` decides which messages have some.
//!
//! Four messages are written at a time. The queue has 5 s a call and 60 s for all letters of an invocation, then KV has the
//! same; what found no place stays on `tail-logs`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{DeadLetterHead, Reason, RecordView, WIRE_VERSION, fallback};
use worker_runtime::CallError;
use worker_runtime::timestamp::format_ms;

use crate::invocation::Invocation;
use crate::message::{Message, MessageSource};
use crate::ports::{DeadLetterQueue, Fallback, Ports};
use crate::settings::{BODY_TTL_SECONDS, FALLBACK_TTL_SECONDS, Route};
use crate::slice::decode;
use crate::stats::BatchStats;

/// Calls under way at once. A call holds a connection while it waits, and there are six.
const AT_ONCE: usize = 4;

/// A message that leaves dead letters behind.
#[derive(Debug)]
pub(crate) struct DeadMessage {
    /// Its index among the messages. Its body is read again when the letters are written, since the bodies of all of them
    /// would not fit memory.
    pub(crate) index: usize,
    /// The letters.
    pub(crate) letters: Vec<LetterDraft>,
}

/// A letter before its payload is read.
#[derive(Debug)]
pub(crate) struct LetterDraft {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    pub(crate) source: LetterSource,
}

/// The payload of a letter.
#[derive(Debug)]
pub(crate) enum LetterSource {
    /// The message's records at these positions.
    Records(Vec<usize>),
    /// The message's body as it came.
    Body,
}

/// Writes the dead letters of one invocation.
pub(crate) struct DeadLetterWriter<'a, P> {
    invocation: &'a Invocation<'a, P>,
    failed_at: String,
    counts: RefCell<Counts>,
}

#[derive(Default)]
struct Counts {
    letters: BTreeMap<Reason, u64>,
    records: u64,
    fallback_writes: u64,
}

/// The letters of one message while they are written.
struct Letters<'w, P> {
    writer: &'w DeadLetterWriter<'w, P>,
    message: &'w Message,
    keys: usize,
}

impl<'a, P: Ports> DeadLetterWriter<'a, P> {
    /// Returns a writer for `invocation`, whose time for dead letters begins now.
    pub(crate) fn new(invocation: &'a Invocation<'a, P>) -> Self {
        invocation.start_dead_letters();
        Self {
            invocation,
            failed_at: format_ms(invocation.now_ms()),
            counts: RefCell::default(),
        }
    }

    /// Writes the letters of the `dead` among `messages`; returns for each whether all of its letters found a place.
    pub(crate) async fn write_all<M: MessageSource + ?Sized>(
        &self,
        messages: &M,
        dead: &[DeadMessage],
    ) -> Vec<bool> {
        iter(dead)
            .map(|message| async { self.write_message(messages, message).await.is_ok() })
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    /// Adds what was counted to `stats`.
    pub(crate) fn add_counts(self, stats: &mut BatchStats) {
        let counts = self.counts.into_inner();
        for (reason, count) in counts.letters {
            *stats.dead_letters.entry(reason).or_default() += count;
        }
        stats.dead_letter_records += counts.records;
        stats.fallback_writes += counts.fallback_writes;
        stats.queue_refusals = self.invocation.queue.refusals();
        stats.kv_refusals = self.invocation.kv.refusals();
    }

    async fn write_message<M: MessageSource + ?Sized>(
        &self,
        messages: &M,
        dead: &DeadMessage,
    ) -> Result<(), CallError> {
        let message = messages.read(dead.index)?;
        let mut letters = Letters {
            writer: self,
            message: &message,
            keys: 0,
        };
        for draft in &dead.letters {
            match &draft.source {
                LetterSource::Body => letters.write_body(draft).await?,
                LetterSource::Records(positions) => {
                    letters.write_records(draft, positions).await?;
                }
            }
        }
        Ok(())
    }
}

impl<P: Ports> Letters<'_, P> {
    /// Writes the records at `positions` in as few letters as fit.
    async fn write_records(
        &mut self,
        draft: &LetterDraft,
        positions: &[usize],
    ) -> Result<(), CallError> {
        let body = &self.message.body;
        let envelope = decode(body).map_err(|(_, detail)| CallError::Refused(detail))?;
        let records = positions
            .iter()
            .filter_map(|position| envelope.records.get(*position))
            .map(RecordView::raw);
        let mut letter = Vec::new();
        let mut bytes = 0;
        for record in records {
            if record.len() > RECORD_BYTES {
                // It filled a message alone, and leaves no room for the rest of a letter.
                let body = format!(r#"{{"v":{WIRE_VERSION},"records":[{record}]}}"#);
                self.write_large_body(draft, &body).await?;
                self.writer.counts.borrow_mut().records += 1;
                continue;
            }
            if bytes + record.len() + 1 > RECORD_BYTES {
                self.write_some_records(draft, &letter).await?;
                letter.clear();
                bytes = 0;
            }
            bytes += record.len() + 1;
            letter.push(record);
        }
        if letter.is_empty() {
            return Ok(());
        }
        self.write_some_records(draft, &letter).await
    }

    async fn write_some_records(
        &mut self,
        draft: &LetterDraft,
        records: &[&str],
    ) -> Result<(), CallError> {
        let text = encoded(self.head(draft).with_records(records))?;
        self.place_letter(draft.reason, &text).await?;
        self.writer.counts.borrow_mut().records += records.len() as u64;
        Ok(())
    }

    /// Writes the message body as it came.
    async fn write_body(&mut self, draft: &LetterDraft) -> Result<(), CallError> {
        let message = self.message;
        let body = message.body.as_str();
        let text = encoded(self.head(draft).with_body(body))?;
        if text.len() <= MESSAGE_BODY_BYTES {
            return self.place_letter(draft.reason, &text).await;
        }
        self.write_large_body(draft, body).await
    }

    /// Puts a body in KV and writes a letter that names its key.
    async fn write_large_body(&mut self, draft: &LetterDraft, body: &str) -> Result<(), CallError> {
        let key = self.next_key(fallback::BODIES);
        // (1) If the process dies in here, the body may lie in KV without a letter. The message is not acked: it comes
        // again, and the same key is written again.
        self.put(&key, body, BODY_TTL_SECONDS).await?;
        let text = encoded(self.head(draft).with_body_key(&key))?;
        self.place_letter(draft.reason, &text).await
    }

    /// Sends one letter to the queue, or keeps it in KV.
    async fn place_letter(&mut self, reason: Reason, text: &str) -> Result<(), CallError> {
        let invocation = self.writer.invocation;
        let is_sent = invocation.settings.dead_letters == Route::Queue && {
            // (2) If the process dies in here, the letter may be on the queue while the message is not acked: the
            // message comes again and may leave the letter twice. Replaying both stores each record once, by its key.
            // The same holds when the queue took the letter but did not answer in time, and KV keeps it as well.
            let send = invocation.ports.queue().send(text);
            invocation.ask(&invocation.queue, send).await.is_ok()
        };
        if !is_sent {
            let key = self.next_key(fallback::DEAD_LETTERS);
            // (3) If the process dies in here, the message comes again, and the same key is written again.
            self.put(&key, text, FALLBACK_TTL_SECONDS).await?;
        }
        let mut counts = self.writer.counts.borrow_mut();
        *counts.letters.entry(reason).or_default() += 1;
        Ok(())
    }

    async fn put(&self, key: &str, value: &str, ttl_seconds: u64) -> Result<(), CallError> {
        let invocation = self.writer.invocation;
        let put = invocation.ports.kv().put(key, value, ttl_seconds);
        invocation.ask(&invocation.kv, put).await?;
        self.writer.counts.borrow_mut().fallback_writes += 1;
        Ok(())
    }

    fn head<'d>(&'d self, draft: &'d LetterDraft) -> DeadLetterHead<'d> {
        DeadLetterHead::new(
            draft.reason,
            &draft.detail,
            self.message.attempts,
            &self.writer.failed_at,
        )
    }

    /// Returns a key made of the message's id and time alone: writing the letters again writes the same keys, not more.
    fn next_key(&mut self, prefix: &str) -> String {
        let unique = format!("{}-{}", self.message.id, self.keys);
        self.keys += 1;
        fallback::key(prefix, &self.message.timestamp, &unique)
    }
}

fn encoded(letter: serde_json::Result<String>) -> Result<String, CallError> {
    letter.map_err(|error| CallError::Refused(format!("a dead letter cannot be written: {error}")))
}
