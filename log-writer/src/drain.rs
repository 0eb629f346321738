//! What fell into KV, brought back: envelopes that the queue refused go to D1, dead letters that their queue refused go
//! to that queue. Runs every few minutes. `settle` does the writing, exactly as for queue messages.
//!
//! Two drains at once do no harm: both write the same records, which are stored once; both delete the same keys; a dead
//! letter may be sent twice, and is stored once when it is replayed.

use log_record::fallback;
use serde::Serialize;

use crate::budget::Budget;
use crate::ports::{Clock, DeadLetterQueue, Fallback, Ports, Refused};
use crate::settings::{Route, Settings};
use crate::settle::{Body, Inbound, Settled, settle};
use crate::tally::{self, Tally};
use crate::time;

/// Keys of each kind in one run. Listing, reading and deleting both kinds takes 2 × (1 + 200 + 200) = 802 of the 1,000
/// operations on KV that an invocation may make (KV limits), which leaves some for dead letters.
const KEYS: u32 = 200;

/// Envelopes written in one go: 32 × 127.5 kB is 4 MB.
const KEYS_AT_ONCE: usize = 32;

/// A run ends before the next one starts.
const TIME_MS: u64 = 4 * 60 * 1000;

/// The time between two runs, as `wrangler/log-writer.toml` has it.
const TICK_MS: u64 = 5 * 60 * 1000;

/// How long an envelope waits in KV for D1 before its records become dead letters. KV keeps it for two days at least, so
/// that no record can run out of time there.
const PATIENCE_MS: u64 = time::DAY_MS;

/// After so many refusals in a row the dead-letter queue is taken to be down; a single one may be about the letter.
const REFUSALS: u32 = 3;

/// The counts of a drain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// As for a batch; `messages` are KV values, `redelivered` those that stay in KV.
    #[serde(flatten)]
    pub tally: Tally,
    /// Envelopes that are in D1 or buried now, and gone from KV.
    pub envelopes: u64,
    /// Dead letters that went from KV to their queue.
    pub letters_moved: u64,
    /// Whether KV held more than one run takes, or something could not be taken.
    pub more: bool,
}

impl Drained {
    /// The log line.
    #[must_use]
    pub fn line(&self) -> String {
        tally::line("drain", self)
    }
}

/// Drains KV, a bounded part of it.
pub async fn drain(ports: &impl Ports, settings: &Settings) -> Drained {
    let mut drained = Drained::default();
    let mut budget = Budget::for_ms(ports.clock(), TIME_MS);
    let envelopes = envelopes(ports, settings, &mut budget, &mut drained).await;
    let letters = letters(ports, settings, &budget, &mut drained).await;
    for refused in [envelopes, letters] {
        if refused.is_err() {
            drained.tally.kv_refusals += 1;
            drained.more = true;
        }
    }
    drained
}

async fn envelopes(
    ports: &impl Ports,
    settings: &Settings,
    budget: &mut Budget,
    drained: &mut Drained,
) -> Result<(), Refused> {
    // (1) Reads only.
    let page = ports.kv().list(fallback::ENVELOPES, KEYS).await?;
    drained.more |= page.more;
    for keys in page.keys.chunks(KEYS_AT_ONCE) {
        let mut inbounds = Vec::new();
        let mut held = Vec::new();
        for key in keys {
            // (2) Reads only. A key without a value was drained by another run.
            if let Some(text) = ports.kv().get(key).await? {
                inbounds.push(inbound(key, text, ports.clock().now_ms(), settings));
                held.push(key);
            }
        }
        // (3) If the process dies in here, every key is still there: the next run writes the same records, which D1
        // passes over, and buries the same letters.
        let settled = settle(ports, settings, budget, &inbounds, &mut drained.tally).await;
        for (key, settled) in held.iter().zip(&settled) {
            if *settled == Settled::Done {
                // (4) If the process dies in here, the key is there or not; its records are in D1 or buried.
                ports.kv().delete(key).await?;
                drained.envelopes += 1;
            }
        }
        let stays = settled
            .iter()
            .filter(|settled| **settled != Settled::Done)
            .count();
        drained.more |= stays > 0;
        if stays > 0 && stays == settled.len() {
            // D1 is not well, or nothing takes dead letters: what is left waits for the next run.
            break;
        }
    }
    Ok(())
}

async fn letters(
    ports: &impl Ports,
    settings: &Settings,
    budget: &Budget,
    drained: &mut Drained,
) -> Result<(), Refused> {
    if settings.dead_letters == Route::Kv {
        // There is no queue to bring them to: `tailrace replay` takes them from KV.
        return Ok(());
    }
    // (5) Reads only.
    let page = ports.kv().list(fallback::DEAD_LETTERS, KEYS).await?;
    drained.more |= page.more;
    let mut refusals = 0;
    for key in &page.keys {
        if budget.is_over(ports.clock()) || refusals == REFUSALS {
            drained.more = true;
            break;
        }
        // (6) Reads only.
        let Some(text) = ports.kv().get(key).await? else {
            continue;
        };
        // (7) If the process dies in here or before the delete is done, the letter is on the queue and in KV: the next
        // run sends it once more, and replaying both stores each record once.
        if ports.queue().send(&text).await.is_err() {
            drained.tally.queue_refusals += 1;
            drained.more = true;
            refusals += 1;
            continue;
        }
        refusals = 0;
        ports.kv().delete(key).await?;
        drained.letters_moved += 1;
    }
    Ok(())
}

/// A KV value as if a queue had delivered it: a key is `envelope/<timestamp>-<id>`. The runs since then are its
/// deliveries; the last one of those is due when patience is at its end.
fn inbound(key: &str, text: String, now_ms: u64, settings: &Settings) -> Inbound {
    let name = key.strip_prefix(fallback::ENVELOPES).unwrap_or(key);
    let (timestamp, id) = name
        .split_once('Z')
        .and_then(|(time, rest)| Some((format!("{time}Z"), rest.strip_prefix('-')?)))
        .unwrap_or((String::new(), name));
    let since_ms = time::parse_ms(&timestamp);
    let age_ms = since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
    let runs = u32::try_from(age_ms / TICK_MS).unwrap_or(u32::MAX);
    let attempts = if age_ms > PATIENCE_MS {
        runs.max(settings.max_attempts)
    } else {
        runs.min(settings.max_attempts.saturating_sub(1))
    };
    Inbound {
        id: id.to_owned(),
        timestamp: since_ms.map_or_else(|| time::iso(now_ms), |_| timestamp),
        attempts,
        body: Body::Text(text),
    }
}
