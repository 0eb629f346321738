//! Brings back what fell into KV: envelopes that the queue refused go to D1, dead letters that their queue refused go to
//! that queue. `slice` does the writing, exactly as for queue messages.
//!
//! A run goes through the keys page by page, oldest first, for as long as it may. A key that cannot be moved stays, and
//! the run passes it.

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use log_record::{Level, fallback};
use serde::Serialize;
use worker_runtime::timestamp::{DAY_MS, format_ms, parse_ms};
use worker_runtime::{CallError, LogLine};

use crate::cron::INTERVAL_MS;
use crate::invocation::Invocation;
use crate::message::{Body, Message};
use crate::ports::{DeadLetterQueue, Fallback, Ports};
use crate::settings::{Route, Settings};
use crate::slice::{MessageResult, Processor};
use crate::stats::BatchStats;

/// The keys of one bulk read at most (KV limits: 100).
const KEYS_AT_ONCE: usize = 100;

/// The keys of the first bulk read, before anything is known of their size: 32 × 127.5 kB is 4 MB.
const FIRST_KEYS: usize = 32;

/// The values of one bulk read, in bytes, about.
const READ_BYTES: usize = 4_000_000;

/// Sends and deletes under way at once. A call holds a connection while it waits, and there are six.
const CALLS_AT_ONCE: usize = 4;

/// Calls that may fail while the records of one bulk read are told apart: what does not move must not use up those of all
/// that lies behind it.
const SPLITS_A_READ: usize = 40;

/// The time that an envelope waits in KV for D1 before its records may become dead letters. KV keeps it for 30 days.
const PATIENCE_MS: u64 = DAY_MS;

/// After this many refusals in a row the dead-letter queue is taken to be down; fewer may be about the letters.
const REFUSALS: u32 = 100;

/// The counts of a drain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DrainStats {
    /// As for a batch; `messages` are envelopes, `retried_messages` those that stay in KV.
    #[serde(flatten)]
    pub batch: BatchStats,
    /// Envelopes that are in D1 or in dead letters now, and gone from KV.
    pub envelopes: u64,
    /// Dead letters that went from KV to their queue.
    pub letters_moved: u64,
    /// KV holds more than this run could take.
    pub more: bool,
}

impl DrainStats {
    /// Returns the log line.
    #[must_use]
    pub fn to_line(&self) -> LogLine {
        let message = format!(
            "{} envelopes and {} dead letters moved out of KV; {}",
            self.envelopes,
            self.letters_moved,
            self.batch.summary()
        );
        let level = match self.batch.level() {
            Level::Info if self.more => Level::Warn,
            level => level,
        };
        LogLine::new(level, "drain", &message, self)
    }
}

/// Drains the envelopes, as many as `invocation` may.
pub async fn drain_envelopes(invocation: &Invocation<'_, impl Ports>, stats: &mut DrainStats) {
    let mut processor = Processor::new(invocation);
    let result = move_envelopes(invocation, &mut processor, stats).await;
    stats.more |= result.is_err();
    stats.batch = processor.stats;
    stats.batch.kv_refusals = invocation.kv.refusals();
}

async fn move_envelopes<P: Ports>(
    invocation: &Invocation<'_, P>,
    processor: &mut Processor<'_, P>,
    stats: &mut DrainStats,
) -> Result<(), CallError> {
    let mut reader = Reader::new(invocation, fallback::ENVELOPES);
    while let Some(values) = reader.next_values().await? {
        let now_ms = invocation.now_ms();
        let (keys, messages): (Vec<String>, Vec<Message>) = values
            .into_iter()
            .map(|(key, text)| {
                let message = to_message(&key, text, now_ms, invocation.settings);
                (key, message)
            })
            .unzip();
        // (1) If the process dies in here, every key is still there: the next run writes the same records, which D1
        // passes over, and the same dead letters.
        let results = processor.process(messages.as_slice(), SPLITS_A_READ).await;
        let done = keys.iter().zip(&results);
        let done = done.filter(|(_, result)| **result == MessageResult::Done);
        // (2) If the process dies in here, the key is there or not; its records are in D1 or in a dead letter.
        let deletes = done.map(|(key, _)| delete(invocation, key));
        let answers: Vec<Result<(), CallError>> =
            iter(deletes).buffered(CALLS_AT_ONCE).collect().await;
        let gone = answers.iter().filter(|answer| answer.is_ok()).count();
        stats.envelopes += gone as u64;
        stats.more |= gone < keys.len();
        if results.iter().all(|result| *result != MessageResult::Done) && processor.is_stopped() {
            // D1 is not well: what is left waits for the next run.
            break;
        }
    }
    stats.more |= reader.has_more();
    Ok(())
}

/// Drains the dead letters, as many as `invocation` may.
pub async fn drain_letters(invocation: &Invocation<'_, impl Ports>, stats: &mut DrainStats) {
    if invocation.settings.dead_letters == Route::Kv {
        // There is no queue to bring them to: `tailrace replay` takes them from KV.
        return;
    }
    let result = move_letters(invocation, stats).await;
    stats.more |= result.is_err();
    stats.batch.kv_refusals = invocation.kv.refusals();
    stats.batch.queue_refusals = invocation.queue.refusals();
}

async fn move_letters(
    invocation: &Invocation<'_, impl Ports>,
    stats: &mut DrainStats,
) -> Result<(), CallError> {
    let mut reader = Reader::new(invocation, fallback::DEAD_LETTERS);
    let mut refusals = 0;
    while refusals < REFUSALS
        && !invocation.queue.is_silent()
        && let Some(values) = reader.next_values().await?
    {
        // (3) If the process dies in here, a letter may be on the queue and in KV: the next run sends it once more, and
        // replaying both stores each record once.
        let moves = values.iter().map(async |(key, text)| {
            let send = invocation.ports.queue().send(text);
            invocation.ask(&invocation.queue, send).await?;
            delete(invocation, key).await
        });
        let mut moves = iter(moves).buffered(CALLS_AT_ONCE);
        while let Some(moved) = moves.next().await {
            if moved.is_ok() {
                stats.letters_moved += 1;
                refusals = 0;
            } else {
                stats.more = true;
                refusals += 1;
            }
        }
    }
    stats.more |= reader.has_more();
    Ok(())
}

async fn delete(invocation: &Invocation<'_, impl Ports>, key: &str) -> Result<(), CallError> {
    let delete = invocation.ports.kv().delete(key);
    invocation.ask(&invocation.kv, delete).await
}

/// Reads the values under a prefix, oldest first, a few megabytes at a time.
struct Reader<'a, P> {
    invocation: &'a Invocation<'a, P>,
    prefix: &'static str,
    keys: Vec<String>,
    page: Page,
    keys_at_once: usize,
}

/// The next page of keys.
enum Page {
    First,
    After(String),
    None,
}

impl<'a, P: Ports> Reader<'a, P> {
    fn new(invocation: &'a Invocation<'a, P>, prefix: &'static str) -> Self {
        Self {
            invocation,
            prefix,
            keys: Vec::new(),
            page: Page::First,
            keys_at_once: FIRST_KEYS,
        }
    }

    /// Returns whether keys are left.
    fn has_more(&self) -> bool {
        !self.keys.is_empty() || !matches!(self.page, Page::None)
    }

    /// Returns the next keys and their values; `None` after the last ones, and where this invocation has no room for
    /// them. A key without a value was drained by another run.
    async fn next_values(&mut self) -> Result<Option<Vec<(String, String)>>, CallError> {
        let Invocation { ports, kv, .. } = self.invocation;
        while self.keys.is_empty() {
            let cursor = match &self.page {
                Page::First => None,
                Page::After(cursor) => Some(cursor.as_str()),
                Page::None => return Ok(None),
            };
            if !self.invocation.has_room(1) {
                return Ok(None);
            }
            // (4) Reads only.
            let list = ports.kv().list(self.prefix, cursor);
            let page = self.invocation.ask(kv, list).await?;
            self.keys = page.keys;
            self.page = page.cursor.map_or(Page::None, Page::After);
        }
        // Room for the read, and for sending and deleting each key.
        let mut count = self.keys_at_once.min(self.keys.len());
        while count > 0 && !self.invocation.has_room(2 * count + 1) {
            count /= 2;
        }
        if count == 0 {
            return Ok(None);
        }
        let rest = self.keys.split_off(count);
        let keys = std::mem::replace(&mut self.keys, rest);
        // (5) Reads only.
        let values = self.invocation.ask(kv, ports.kv().get_many(&keys)).await?;
        let values: Vec<(String, String)> = keys
            .into_iter()
            .zip(values)
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let bytes: usize = values.iter().map(|(_, value)| value.len()).sum();
        self.keys_at_once = (READ_BYTES * values.len())
            .checked_div(bytes)
            .unwrap_or(KEYS_AT_ONCE)
            .clamp(FIRST_KEYS / 2, KEYS_AT_ONCE);
        Ok(Some(values))
    }
}

/// Returns a KV value as if a queue had delivered it: a key is `envelope/<timestamp>-<id>`. The runs since then are its
/// deliveries; the last attempt is due when patience is at its end.
fn to_message(key: &str, text: String, now_ms: u64, settings: &Settings) -> Message {
    let name = key.strip_prefix(fallback::ENVELOPES).unwrap_or(key);
    let (timestamp, id) = name
        .split_once('Z')
        .and_then(|(time, rest)| Some((format!("{time}Z"), rest.strip_prefix('-')?)))
        .unwrap_or((String::new(), name));
    let since_ms = parse_ms(&timestamp);
    let age_ms = since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
    let runs = u32::try_from(age_ms / INTERVAL_MS).unwrap_or(u32::MAX);
    let attempts = if age_ms > PATIENCE_MS {
        runs.max(settings.max_attempts)
    } else {
        runs.min(settings.max_attempts.saturating_sub(1)).max(1)
    };
    Message {
        id: id.to_owned(),
        timestamp: since_ms.map_or_else(|| format_ms(now_ms), |_| timestamp),
        attempts,
        body: Body::Text(text),
    }
}
