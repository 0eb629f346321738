//! Holds what was seen against the limits and against what was deployed.

mod queue;

use std::collections::BTreeMap;

use jiff::Timestamp;
use log_record::fallback;
use pipeline_settings::table::RETENTION_DAYS;

use super::expected::{Expected, retention_seconds};
use super::look::{DatabaseSeen, PartSeen};
use super::report::{
    ArchiveFacts, DatabaseFacts, DeadLetterFacts, Facts, FallbackFacts, Finding, Part, RowFacts,
    State, WorkerFacts,
};
use crate::cli::{PartName, StatusLimits};
use crate::output::{counted, size_shown};
use crate::time::{self, Age, age_shown};

/// The most that a D1 database holds. (D1 limits: 10 GB.)
const DATABASE_BYTES_MAX: u64 = 10_000_000_000;

/// A day in seconds.
const DAY: i64 = 86_400;

/// The document with the runbook, and its sections.
const RUNBOOK: &str = "docs/runbook.md";
const SLOW: &str = "d1-is-down-or-slow";
const CHANGED: &str = "a-queue-is-not-as-deployed";
const LETTERS: &str = "the-dead-letter-queue-fills";
const KEYS: &str = "the-kv-namespace-fills";
const FULL: &str = "the-database-is-full";
const OLD_ROWS: &str = "old-logs-are-not-deleted";
const NOTHING: &str = "nothing-arrives";

/// The limits beyond which something is red.
pub(super) struct Limits {
    oldest_message: i64,
    dead_letters: u64,
    key_age: i64,
    database_percent: u64,
    past_retention: i64,
    retention: i64,
    expect_rows: Option<i64>,
}

impl Limits {
    /// Takes the defaults where a limit is not given.
    pub(super) fn new(given: &StatusLimits, retention: Option<i64>) -> Self {
        let seconds = |age: Option<Age>, default| age.map_or(default, Age::seconds);
        Self {
            oldest_message: seconds(given.max_oldest_message, 600),
            dead_letters: given.max_dead_letters.unwrap_or(0),
            key_age: seconds(given.max_key_age, 900),
            database_percent: given.max_database.unwrap_or(80),
            past_retention: seconds(given.max_past_retention, DAY),
            retention: retention
                .or_else(|| retention_seconds(RETENTION_DAYS.default))
                .unwrap_or(i64::MAX / 2),
            expect_rows: given.expect_rows.map(Age::seconds),
        }
    }
}

/// Judges a part.
pub(super) fn judge(
    part: PartName,
    seen: PartSeen,
    limits: &Limits,
    expected: &Expected,
    now: Timestamp,
) -> Part {
    let mut red = Vec::new();
    let mut unknown = None;
    let mut state = State::Ok;
    let seen = match seen {
        PartSeen::NotVisibleLocally(name) => {
            state = State::NotVisibleLocally;
            unknown = Some(format!("{name}: not visible locally"));
            None
        }
        PartSeen::Unknown(reason) => {
            state = State::Unknown;
            unknown = Some(reason);
            None
        }
        PartSeen::Missing(text) => {
            let section = match part {
                PartName::Queue | PartName::DeadLetters => CHANGED,
                _ => NOTHING,
            };
            red.push(finding("missing", text, section));
            None
        }
        PartSeen::Queue(name, seen) => {
            if let Err(reason) = &seen.backlog {
                state = State::Unknown;
                unknown = Some(format!("its messages: {reason}"));
            }
            let letters = seen.letters.clone();
            let facts = queue::judge_queue(part, name, &seen, limits, expected, now, &mut red);
            Some(match letters {
                None => Facts::Queue(facts),
                Some(letters) => {
                    let reasons = letters.unwrap_or_else(|reason| {
                        unknown.get_or_insert(reason);
                        BTreeMap::new()
                    });
                    let counted = reasons.values().sum();
                    if facts.messages.unwrap_or(0).max(counted) > limits.dead_letters {
                        let count = facts.messages.unwrap_or(0).max(counted);
                        let text = counted_letters(count);
                        red.push(finding("dead_letters", text, LETTERS));
                    }
                    Facts::DeadLetters(DeadLetterFacts {
                        queue: facts,
                        reasons,
                        counted,
                    })
                }
            })
        }
        PartSeen::Database(name, seen) => {
            if let Some(bytes) = seen.bytes {
                Some(Facts::Database(judge_size(
                    name, bytes, &seen, limits, now, &mut red,
                )))
            } else {
                state = State::Unknown;
                unknown = Some("D1 did not say how large it is".to_owned());
                None
            }
        }
        PartSeen::Rows(seen) => Some(Facts::Rows(judge_rows(&seen, limits, now, &mut red))),
        PartSeen::Fallback(title, keys, more) => {
            let facts = judge_keys(title, &keys, more, limits, now, &mut red);
            Some(Facts::Fallback(facts))
        }
        PartSeen::Archive(None) => {
            state = State::Off;
            None
        }
        PartSeen::Archive(Some(seen)) => Some(Facts::Archive(ArchiveFacts {
            newest_seconds: age(&seen.newest, now),
            oldest: seen.oldest,
            newest: seen.newest,
            objects_last_day: seen.objects,
            bytes_last_day: seen.bytes,
        })),
        PartSeen::Workers(seen) => Some(Facts::Workers(WorkerFacts {
            differing: expected.differing(&seen.deployed, &seen.settings),
            deployed: seen.deployed,
            attached: seen.attached,
        })),
    };
    if !red.is_empty() {
        state = State::Red;
    }
    Part {
        part,
        state,
        red,
        unknown,
        seen,
    }
}

fn finding(condition: &'static str, text: impl Into<String>, section: &str) -> Finding {
    Finding {
        condition,
        text: text.into(),
        runbook: format!("{RUNBOOK}#{section}"),
    }
}

fn counted_letters(count: u64) -> String {
    counted(count, "dead letter", "dead letters")
}

fn judge_size(
    database: String,
    bytes: u64,
    seen: &DatabaseSeen,
    limits: &Limits,
    now: Timestamp,
    red: &mut Vec<Finding>,
) -> DatabaseFacts {
    let percent = bytes.saturating_mul(100) / DATABASE_BYTES_MAX;
    if percent >= limits.database_percent {
        let text = format!(
            "{database} has {} of {}, {percent}% (limit {}%)",
            size_shown(bytes),
            size_shown(DATABASE_BYTES_MAX),
            limits.database_percent
        );
        red.push(finding("database_size", text, FULL));
    }
    let oldest = seen.oldest.as_deref().and_then(|oldest| age(oldest, now));
    DatabaseFacts {
        database,
        bytes,
        limit_bytes: DATABASE_BYTES_MAX,
        days_until_full: oldest
            .and_then(|seconds| days_until_full(bytes, seconds, limits.retention)),
    }
}

/// Returns the days until a database is full that took `seconds` to grow to `bytes`; `None` where the retention deletes
/// before, or where too little time has passed to tell.
fn days_until_full(bytes: u64, seconds: i64, retention: i64) -> Option<u64> {
    let left = u64::try_from(retention - seconds).ok()?;
    let elapsed = u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds >= 3_600)?;
    let room = u128::from(DATABASE_BYTES_MAX.saturating_sub(bytes));
    let until_full = room * u128::from(elapsed) / u128::from(bytes.max(1));
    let until_full = u64::try_from(until_full).ok()?;
    (until_full < left).then_some(until_full / 86_400)
}

fn judge_rows(
    seen: &DatabaseSeen,
    limits: &Limits,
    now: Timestamp,
    red: &mut Vec<Finding>,
) -> RowFacts {
    let oldest_seconds = seen.oldest.as_deref().and_then(|oldest| age(oldest, now));
    let newest_seconds = seen
        .newest
        .as_ref()
        .and_then(|(newest, _)| age(newest, now));
    if let Some(seconds) = oldest_seconds
        && seconds > limits.retention + limits.past_retention
    {
        let text = format!(
            "the oldest row is {} old, and rows are kept for {}",
            age_shown(seconds),
            age_shown(limits.retention)
        );
        red.push(finding("past_retention", text, OLD_ROWS));
    }
    if let Some(limit) = limits.expect_rows
        && newest_seconds.is_none_or(|seconds| seconds > limit)
    {
        let text = match newest_seconds {
            Some(seconds) => format!(
                "the newest row is {} old (expected within {})",
                age_shown(seconds),
                age_shown(limit)
            ),
            None => format!("there are no rows (expected within {})", age_shown(limit)),
        };
        red.push(finding("no_rows", text, NOTHING));
    }
    RowFacts {
        oldest: seen.oldest.clone(),
        newest: seen.newest.as_ref().map(|(newest, _)| newest.clone()),
        newest_seconds,
        lag_seconds: seen.newest.as_ref().and_then(|(newest, stored)| {
            // D1's clock writes `2026-11-23 17:57:06`, in UTC.
            let stored = time::millis(&format!("{}Z", stored.replace(' ', "T")))?;
            Some((stored - time::millis(newest)?).max(0) / 1000)
        }),
        retention_seconds: limits.retention,
    }
}

fn judge_keys(
    namespace: String,
    keys: &[String],
    more: bool,
    limits: &Limits,
    now: Timestamp,
    red: &mut Vec<Finding>,
) -> FallbackFacts {
    let mut kinds = BTreeMap::new();
    let mut oldest: Option<(i64, &str)> = None;
    for key in keys {
        let (kind, rest) = split_key(key);
        *kinds.entry(kind).or_default() += 1;
        // The time, then a hyphen and a UUID.
        let seconds = rest
            .split_once('Z')
            .and_then(|(time, _)| age(&format!("{time}Z"), now));
        if let Some(seconds) = seconds
            && oldest.is_none_or(|(older, _)| seconds > older)
        {
            oldest = Some((seconds, key));
        }
    }
    if let Some((seconds, key)) = oldest
        && seconds > limits.key_age
    {
        let text = format!(
            "the key {key} of {namespace} is {} old (limit {})",
            age_shown(seconds),
            age_shown(limits.key_age)
        );
        red.push(finding("key_age", text, KEYS));
    }
    FallbackFacts {
        namespace,
        keys: keys.len() as u64,
        more,
        kinds,
        oldest_seconds: oldest.map(|(seconds, _)| seconds),
    }
}

/// Divides a key into what is under it and the rest of its name.
fn split_key(key: &str) -> (&'static str, &str) {
    [
        (fallback::ENVELOPES, "envelopes"),
        (fallback::DEAD_LETTERS, "dead letters"),
        (fallback::BODIES, "bodies"),
    ]
    .into_iter()
    .find_map(|(prefix, kind)| Some((kind, key.strip_prefix(prefix)?)))
    .unwrap_or(("others", key))
}

/// Returns the age of a stored time in seconds.
fn age(stored: &str, now: Timestamp) -> Option<i64> {
    let millis = time::millis(stored)?;
    Some((now.as_millisecond() - millis).max(0) / 1000)
}

#[cfg(test)]
mod tests;
