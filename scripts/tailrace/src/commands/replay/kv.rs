//! Letters from the KV fallback: envelopes that the queue refused (log-writer drains these by itself every few minutes)
//! and dead letters that their queue refused; with `--local`, all dead letters. A key is deleted only after what it holds
//! is published.

use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use log_record::fallback::{DEAD_LETTERS, ENVELOPES};

use super::Job;
use super::ledger::Ledger;
use crate::client::queues::MessageBody;
use crate::letter::{Letter, Origin};
use crate::{Error, time};

/// Keys worked on together: their letters share messages.
const CHUNK_KEYS: usize = 20;

/// Replays, or counts, what the fallback holds. Values are read ahead; publishing and deleting are done in order.
pub(super) async fn run(job: &Job<'_>, ledger: &mut Ledger<'_, '_>) -> Result<(), Error> {
    let namespace = job.fallback().await?;
    // Cloudflare's clock, as the keys have it, which counts in whole seconds here: this machine's may be slow, and what
    // it takes for yet to come would stay, unsaid.
    let begun = time::stored(namespace.found_at + SignedDuration::from_secs(1));
    let mut keys = Vec::new();
    for (prefix, origin) in [
        (ENVELOPES, Origin::Fallback),
        (DEAD_LETTERS, Origin::Reported),
    ] {
        let mut listed = namespace.list_keys(prefix).await?;
        // What is put there while this runs may be what was replayed: a key has its time in it.
        listed.retain(|key| key.get(prefix.len()..).is_some_and(|rest| *rest < *begun));
        keys.extend(listed.into_iter().map(|key| (key, origin)));
    }
    ledger.progress.expect(keys.len());
    let mut unread = keys.len();
    let mut reading = stream::iter(keys)
        .map(|(key, origin)| async move {
            let value = namespace.get(&key).await;
            (key, origin, value)
        })
        .buffered(job.at_once())
        .chunks(CHUNK_KEYS);
    while !ledger.is_over()
        && let Some(values) = reading.next().await
    {
        for (key, origin, value) in values {
            match value {
                Err(error) => ledger.fail(error),
                Ok(value) => {
                    unread -= 1;
                    // One without a value was drained by log-writer meanwhile.
                    let Some(value) = value else { continue };
                    let letter = Letter::read(MessageBody::from(value), origin);
                    let since_ms = parse_key_time(&key);
                    ledger.enter(&key, letter, since_ms, false).await;
                }
            }
        }
        // (1) If the process dies in here, every key is still there: all of it is published again, and stored once.
        for key in ledger.publish().await {
            // (2) If the process dies in here, the same.
            if let Err(error) = namespace.delete(&key).await {
                ledger.fail(error);
                break;
            }
            ledger.confirm_gone(key);
        }
    }
    ledger.leave_unseen(unread as u64);
    Ok(())
}

/// Returns when a key was made, in milliseconds since 1970: it has the time in it.
fn parse_key_time(key: &str) -> Option<i64> {
    let (_, rest) = key.split_once('/')?;
    let (time, _) = rest.split_once("Z-")?;
    time::millis(&format!("{time}Z"))
}
