//! Letters from the KV fallback: envelopes that the queue refused (log-writer drains these by itself every few minutes)
//! and dead letters that their queue refused; with `--local`, all dead letters. A key is deleted only after what it holds
//! is published.

use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use log_record::fallback::{DEAD_LETTERS, ENVELOPES};

use super::ledger::Ledger;
use super::letter::{Letter, Origin};
use super::publish::Target;
use super::{Job, find_fallback};
use crate::client::kv::Namespace;
use crate::client::queues::MessageBody;
use crate::{Error, time};

/// Keys worked on together: their letters share messages.
const CHUNK_KEYS: usize = 20;

/// Replays, or counts, what the fallback holds.
pub(super) async fn run<'a>(job: &'a Job<'a>, ledger: &mut Ledger<'a>) -> Result<(), Error> {
    let namespace = find_fallback(job).await?;
    ledger.fallback = Some(namespace.clone());
    // Cloudflare's clock, as the keys have it, which counts in whole seconds here: this machine's may be slow, and what
    // it takes for yet to come would stay, unsaid.
    let begun = time::stored(namespace.found_at + SignedDuration::from_secs(1));
    let mut listed = false;
    for (prefix, origin) in [
        (ENVELOPES, Origin::Fallback),
        (DEAD_LETTERS, Origin::Reported),
    ] {
        let mut cursor: Option<String> = None;
        loop {
            let page = match namespace.keys(prefix, cursor.as_deref()).await {
                Ok(page) => page,
                Err(error) if !listed => return Err(error),
                Err(error) => {
                    ledger.fail(error);
                    return Ok(());
                }
            };
            listed = true;
            let mut keys = page.names;
            // What is put there while this runs may be what was replayed: keys are in the order of their times.
            keys.retain(|key| key.get(prefix.len()..).is_some_and(|rest| *rest < *begun));
            replay_keys(job, ledger, &namespace, origin, &keys).await;
            // Beyond a limit the keys are counted.
            if ledger.is_over() && ledger.room() > 0 {
                return Ok(());
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Works on `keys`. Values are read ahead; publishing and deleting are done in order, a chunk at a time.
async fn replay_keys(
    job: &Job<'_>,
    ledger: &mut Ledger<'_>,
    namespace: &Namespace<'_>,
    origin: Origin,
    keys: &[String],
) {
    let mut unread = keys.len();
    let mut reading = stream::iter(keys)
        .map(|key| async move { (key, namespace.get(key).await) })
        .buffered(usize::from(job.args.concurrency) * CHUNK_KEYS / 4)
        .chunks(CHUNK_KEYS);
    ledger
        .progress
        .expect((ledger.entries.len() + unread) as u64);
    while !ledger.is_over()
        && let Some(values) = reading.next().await
    {
        let mut chosen = Vec::new();
        for (key, value) in values {
            match value {
                Ok(value) => {
                    unread -= 1;
                    // One without a value was drained by log-writer meanwhile.
                    let Some(value) = value else { continue };
                    let mut letter = Letter::read(MessageBody::from(value), origin);
                    let since_ms = parse_key_time(key);
                    if ledger.enter(key, &mut letter, since_ms, false).await {
                        chosen.push((key, letter));
                    }
                }
                Err(error) => ledger.fail(error),
            }
        }
        if let Some(target) = &job.target {
            replay_letters(target, ledger, namespace, &chosen).await;
        }
        let done = ledger.entries.len() as u64;
        ledger.progress.set_done(done);
    }
    ledger.leave_unseen(unread as u64);
}

/// Publishes letters, then deletes their keys.
async fn replay_letters(
    target: &Target<'_>,
    ledger: &mut Ledger<'_>,
    namespace: &Namespace<'_>,
    chosen: &[(&String, Letter)],
) {
    let (keys, letters): (Vec<_>, Vec<_>) = chosen.iter().map(|(key, one)| (*key, one)).unzip();
    if !ledger.flush_export(&keys) {
        return;
    }
    // (1) If the process dies in here, every key is still there: all of it is published again, and stored once.
    let sent = target.publish(&letters).await;
    for key in ledger.settle(&keys, sent) {
        // (2) If the process dies in here, the same.
        match namespace.delete(key).await {
            Ok(()) => ledger.confirm_gone(key),
            Err(error) => ledger.fail(error),
        }
    }
}

/// Returns when a key was made, in milliseconds since 1970: it has the time in it.
fn parse_key_time(key: &str) -> Option<i64> {
    let (_, rest) = key.split_once('/')?;
    let (time, _) = rest.split_once("Z-")?;
    time::millis(&format!("{time}Z"))
}
