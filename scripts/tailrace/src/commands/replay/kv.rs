//! Letters from the KV fallback: envelopes that the queue refused (log-writer drains these by itself every few minutes)
//! and dead letters that their queue refused; with `--local`, all dead letters. A key is deleted only after what it holds
//! is published.

use std::future::ready;
use std::string::FromUtf8Error;

use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};
use log_record::Reason;
use log_record::fallback::{DEAD_LETTERS, ENVELOPES};

use super::letter::{Content, Left, Letter, Origin};
use super::tally::Tally;
use super::target::{Sent, Target};
use super::{Job, fallback};
use crate::Error;
use crate::client::kv::Namespace;
use crate::time;

/// Keys worked on together: their letters share messages.
const CHUNK_KEYS: usize = 20;

/// What a key held.
struct Taken {
    key: String,
    letter: Letter,
    /// Why it stays, if it does.
    left: Option<Left>,
    /// Whether it was published, and its keys are deleted.
    published: bool,
    deleted: bool,
}

/// What some keys hold.
struct Read {
    /// How many keys that are.
    keys: usize,
    /// What those hold that are still there, and why a letter among it has no body, if so.
    letters: Vec<(String, Letter, Option<Left>)>,
    /// Why a body could not be read, if so.
    failure: Option<Error>,
}

/// Replays, or counts, what the fallback holds.
///
/// # Errors
/// Where nothing could be begun.
pub async fn run(job: &mut Job<'_>, tally: &mut Tally) -> Result<(), Error> {
    let namespace = fallback(job.client, job.place).await?;
    let target = job.target.take();
    let mut listed = false;
    let result = go(job, tally, &namespace, target.as_ref(), &mut listed).await;
    job.target = target;
    match result {
        Err(error) if listed => {
            tally.failure.get_or_insert(error);
            Ok(())
        }
        result => result,
    }
}

async fn go(
    job: &mut Job<'_>,
    tally: &mut Tally,
    namespace: &Namespace<'_>,
    target: Option<&Target<'_>>,
    listed: &mut bool,
) -> Result<(), Error> {
    let mut room = job.args.limit.unwrap_or(usize::MAX);
    // Cloudflare's clock, as the keys have it, which counts in whole seconds here: this machine's may be slow, and what it
    // takes for yet to come would stay, unsaid.
    let begun = time::stored(namespace.found_at + TimeDelta::seconds(1));
    'prefixes: for (prefix, origin) in [
        (ENVELOPES, Origin::Fallback),
        (DEAD_LETTERS, Origin::Reported),
    ] {
        let mut cursor: Option<String> = None;
        loop {
            let page = namespace.keys(prefix, cursor.as_deref()).await?;
            *listed = true;
            let mut keys = page.names;
            // What is put there while this runs may be what was replayed: keys are in the order of their times.
            keys.retain(|key| key.get(prefix.len()..).is_some_and(|rest| *rest < *begun));
            tally.expect(tally.total() + keys.len() as u64);
            let stopped = !chunks(job, tally, namespace, target, origin, &keys, &mut room).await;
            if stopped || job.stop.is_asked() {
                break 'prefixes;
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Works on `keys`, of which `room` are taken at most; answers whether to go on.
async fn chunks(
    job: &mut Job<'_>,
    tally: &mut Tally,
    namespace: &Namespace<'_>,
    target: Option<&Target<'_>>,
    origin: Origin,
    keys: &[String],
    room: &mut usize,
) -> bool {
    let args = job.args;
    let stop = job.stop.clone();
    let mut unread = keys.len();
    let mut go_on = true;
    let bodies = target.is_some() || job.export.is_some();
    let mut reading = stream::iter(keys.chunks(CHUNK_KEYS))
        .take_while(|_| ready(!stop.is_asked()))
        .map(|keys| read(namespace, keys, origin, bodies.then_some(&args.reason)))
        .buffered(usize::from(args.concurrency));
    // Values are read ahead; publishing and deleting are done in order, a chunk at a time.
    loop {
        if *room == 0 {
            tally.limited = true;
            break;
        }
        let Some(chunk) = reading.next().await else {
            break;
        };
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                tally.failure.get_or_insert(error);
                go_on = false;
                break;
            }
        };
        unread -= chunk.keys;
        if let Some(error) = chunk.failure {
            // What was read is worked on first.
            tally.failure.get_or_insert(error);
            go_on = false;
        }
        let (asked_for, others): (Vec<_>, Vec<_>) = chunk
            .letters
            .into_iter()
            .partition(|(_, letter, _)| letter.is_asked_for(&args.reason));
        tally.leave_many(Left::NotAsked, others.len() as u64);
        let mut letters = Vec::new();
        for (key, letter, lacks) in asked_for {
            if *room == 0 {
                tally.unseen += 1;
                continue;
            }
            if let (Some(why), true) = (lacks, job.export.is_some()) {
                tally.lack(why);
            }
            let left = match (&letter.content, target) {
                (Content::Body(_), Some(Target::Database(_))) => Some(Left::NoQueue),
                (_, Some(_)) => lacks.or_else(|| letter.left(&args.reason)),
                (_, None) => None,
            };
            *room -= usize::from(left.is_none());
            letters.push(Taken {
                key,
                letter,
                left,
                published: false,
                deleted: false,
            });
        }
        for taken in &letters {
            let age_ms = age_ms(job, taken);
            tally.see(&taken.letter, age_ms);
        }
        let exported = export(job, &letters);
        let failure = match (exported, target) {
            (Err(error), _) => Some((error, false)),
            (Ok(()), Some(target)) => settle(namespace, target, &mut letters).await,
            (Ok(()), None) => None,
        };
        if target.is_some() {
            for taken in &letters {
                match (taken.left, taken.published, taken.deleted) {
                    (Some(left), ..) => tally.leave(left),
                    (None, false, _) => tally.leave(Left::NotPublished),
                    (None, true, false) => {
                        tally.replay(taken.letter.records().len() as u64);
                        tally.leave(Left::NotSettled);
                    }
                    (None, true, true) => tally.replay(taken.letter.records().len() as u64),
                }
            }
        }
        if let Some((error, others_may_fare_better)) = failure {
            tally.failure.get_or_insert(error);
            go_on &= others_may_fare_better;
        }
        if !go_on {
            break;
        }
    }
    // Stopped on the way.
    tally.unseen += unread as u64;
    go_on
}

/// Writes letters to the export, before any of them may be taken away.
fn export(job: &mut Job<'_>, letters: &[Taken]) -> Result<(), Error> {
    let Some(export) = &mut job.export else {
        return Ok(());
    };
    for taken in letters {
        export.write(&taken.key, &taken.letter)?;
    }
    export.flush()
}

/// How long ago a letter was given up, or put into KV: a key has the time in it.
fn age_ms(job: &Job<'_>, taken: &Taken) -> Option<i64> {
    let from_key = || {
        let (_, rest) = taken.key.split_once('/')?;
        let (time, _) = rest.split_once("Z-")?;
        time::millis(&format!("{time}Z"))
    };
    let since_ms = taken.letter.failed_ms.or_else(from_key)?;
    Some(job.now.timestamp_millis() - since_ms)
}

/// Reads the values of `keys`, and, where asked for, the bodies that letters of these reasons keep apart.
async fn read(
    namespace: &Namespace<'_>,
    keys: &[String],
    origin: Origin,
    bodies: Option<&Vec<Reason>>,
) -> Result<Read, Error> {
    let mut letters = Vec::new();
    let mut failure = None;
    for key in keys {
        // A key without a value was drained by log-writer meanwhile.
        let Some(value) = namespace.get(key).await? else {
            continue;
        };
        let mut letter = Letter::read(
            String::from_utf8(value).map_err(FromUtf8Error::into_bytes),
            origin,
        );
        let mut lacks = None;
        if let Content::BodyKey(apart) = &letter.content
            && bodies.is_some_and(|reasons| letter.is_asked_for(reasons))
        {
            // After one call that failed for good, the next would too.
            let body = match &failure {
                None => namespace.get(apart).await.map_err(Some),
                Some(_) => Err(None),
            };
            match body {
                Ok(Some(body)) => letter.fetched(body),
                Ok(None) => lacks = Some(Left::BodyGone),
                Err(error) => {
                    failure = failure.or(error);
                    lacks = Some(Left::BodyNotRead);
                }
            }
        }
        letters.push((key.clone(), letter, lacks));
    }
    Ok(Read {
        keys: keys.len(),
        letters,
        failure,
    })
}

/// Publishes what is to be replayed, then deletes its keys. A failure comes with whether to go on.
async fn settle(
    namespace: &Namespace<'_>,
    target: &Target<'_>,
    letters: &mut [Taken],
) -> Option<(Error, bool)> {
    let mut chosen: Vec<_> = letters
        .iter_mut()
        .filter(|taken| taken.left.is_none())
        .collect();
    let contents: Vec<_> = chosen
        .iter()
        .map(|taken| taken.letter.content.clone())
        .collect();
    let contents: Vec<_> = contents.iter().collect();
    // (1) If the process dies in here, every key is still there: all of it is published again, and stored once.
    let Sent {
        published,
        too_large,
        failure,
        go_on,
    } = target.send(&contents).await;
    let mut failure = failure.map(|error| (error, go_on));
    for (index, taken) in chosen.iter_mut().enumerate() {
        if too_large.contains(&index) {
            taken.left = Some(Left::TooLarge);
        }
        taken.published = published.get(index) == Some(&true);
        if !taken.published {
            continue;
        }
        // (2) If the process dies in here, the same. The letter goes before the body it names.
        let keys = std::iter::once(&taken.key).chain(&taken.letter.body_key);
        taken.deleted = true;
        for key in keys {
            if let Err(error) = namespace.delete(key).await {
                taken.deleted = false;
                // The first failure is the cause that is told, and this one ends the run even so.
                let (first, _) = failure.take().unwrap_or((error, false));
                failure = Some((first, false));
                break;
            }
        }
    }
    failure
}
