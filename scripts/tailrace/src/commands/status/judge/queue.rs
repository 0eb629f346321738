//! Judges a queue.

use jiff::Timestamp;

use super::super::expected::Expected;
use super::super::look::QueueSeen;
use super::super::report::{Finding, QueueFacts};
use super::{CHANGED, Limits, SLOW, finding};
use crate::cli::PartName;
use crate::client::queue_state::Consumer;
use crate::time::age_shown;

/// Judges a queue: its deliveries, its consumer, its settings and the age of its oldest message.
pub(super) fn judge_queue(
    part: PartName,
    name: String,
    seen: &QueueSeen,
    limits: &Limits,
    expected: &Expected,
    now: Timestamp,
    red: &mut Vec<Finding>,
) -> QueueFacts {
    let state = &seen.state;
    let backlog = seen.backlog.clone().unwrap_or_default();
    let oldest_seconds = backlog
        .oldest_ms
        .filter(|ms| *ms > 0 && backlog.messages != Some(0))
        .map(|ms| {
            let ms = i64::try_from(ms).unwrap_or(i64::MAX);
            now.as_millisecond().saturating_sub(ms).max(0) / 1000
        });
    if state.delivery_paused {
        let text = format!("the deliveries of {name} are paused");
        red.push(finding("delivery_paused", text, SLOW));
    }
    let is_dead_letters = part == PartName::DeadLetters;
    let wanted = if is_dead_letters {
        &expected.pull
    } else {
        &expected.writer
    };
    judge_consumers(&name, &state.consumers, wanted, red);
    if is_dead_letters
        && let Some(seconds) = state.retention_seconds
        && seconds != expected.dead_letter_seconds
    {
        let text = format!(
            "{name} keeps messages for {} and not for {}",
            shown(seconds),
            shown(expected.dead_letter_seconds)
        );
        red.push(finding("settings", text, CHANGED));
    }
    if let (false, Some(seconds)) = (is_dead_letters, oldest_seconds)
        && seconds > limits.oldest_message
    {
        let text = format!(
            "the oldest message of {name} is {} old (limit {})",
            age_shown(seconds),
            age_shown(limits.oldest_message)
        );
        red.push(finding("oldest_message", text, SLOW));
    }
    QueueFacts {
        queue: name,
        messages: backlog.messages,
        bytes: backlog.bytes,
        oldest_seconds,
        delivery_paused: state.delivery_paused,
        retention_seconds: state.retention_seconds,
        consumers: state.consumers.clone(),
    }
}

/// Shows seconds as an age.
fn shown(seconds: u64) -> String {
    age_shown(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Judges the consumers against the one that there should be.
fn judge_consumers(name: &str, found: &[Consumer], wanted: &Consumer, red: &mut Vec<Finding>) {
    let Some(consumer) = found.iter().find(|one| {
        one.kind == wanted.kind && (wanted.script.is_none() || one.script == wanted.script)
    }) else {
        let others: Vec<_> = found
            .iter()
            .map(|one| one.script.clone().unwrap_or_else(|| one.kind.clone()))
            .collect();
        let wanted = wanted.script.as_deref().unwrap_or("HTTP pull");
        let text = if others.is_empty() {
            format!("{name} has no consumer; it should be {wanted}")
        } else {
            format!(
                "{name} has the consumer {} and not {wanted}",
                others.join(", ")
            )
        };
        red.push(finding("consumer_missing", text, CHANGED));
        return;
    };
    let numbers = [
        ("max_batch_size", consumer.batch_size, wanted.batch_size),
        (
            "max_batch_timeout (ms)",
            consumer.max_wait_time_ms,
            wanted.max_wait_time_ms,
        ),
        ("max_retries", consumer.max_retries, wanted.max_retries),
        (
            "max_concurrency",
            consumer.max_concurrency,
            wanted.max_concurrency,
        ),
    ];
    let mut differences: Vec<_> = numbers
        .into_iter()
        .filter_map(|(name, found, wanted)| {
            let (found, wanted) = (found?, wanted?);
            (found != wanted).then(|| format!("{name} is {found} and not {wanted}"))
        })
        .collect();
    // A consumer without one says nothing about it.
    if let Some(wanted) = &wanted.dead_letter_queue
        && consumer.dead_letter_queue.as_ref() != Some(wanted)
    {
        let found = consumer.dead_letter_queue.as_deref().unwrap_or("missing");
        differences.push(format!("dead_letter_queue is {found} and not {wanted}"));
    }
    if !differences.is_empty() {
        let text = format!("the consumer of {name}: {}", differences.join(", "));
        red.push(finding("settings", text, CHANGED));
    }
}
