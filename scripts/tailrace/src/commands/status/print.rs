//! The answer for a person: a line for each part, and below it what is red, with the section of the runbook.

use std::fmt::Write as _;

use super::report::{
    ArchiveFacts, DatabaseFacts, DeadLetterFacts, Facts, FallbackFacts, Part, QueueFacts, Report,
    RowFacts, State, WorkerFacts,
};
use crate::output::{self, counted, size_shown};
use crate::time::{self, Zone, age_shown};

/// Columns of a part's name and of its state.
const NAME_COLUMNS: usize = 14;
const STATE_COLUMNS: usize = 9;

/// Attached Workers that are named.
const ATTACHED_SHOWN: usize = 20;

/// Returns the report, line by line.
pub(super) fn render(report: &Report, zone: &Zone, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![output::paint(
        output::FAINT,
        &format!("at {}", time::shown(&report.at, zone)),
    )];
    for part in &report.parts {
        let mut text = part.seen.as_ref().map(|facts| describe(facts, zone));
        if part.state == State::Off {
            text = Some("not in use".to_owned());
        }
        let mut said: Vec<String> = text.into_iter().collect();
        said.extend(part.unknown.clone());
        let name = output::pad(part.part.as_str(), NAME_COLUMNS);
        let indent = NAME_COLUMNS + STATE_COLUMNS;
        let mut head = Some(format!("{name}{}", state_word(part.state)));
        for text in said.iter().flat_map(|text| wrap(text, indent, width)) {
            let head = head.take().unwrap_or_else(|| " ".repeat(indent));
            lines.push(format!("{head}{text}"));
        }
        lines.extend(head.take());
        lines.extend(red_lines(part, indent, width));
    }
    lines
}

/// Returns what is red about a part, line by line.
fn red_lines(part: &Part, indent: usize, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &part.red {
        let text = format!("{}: see {}", output::safe(&finding.text), finding.runbook);
        for text in wrap(&text, indent, width) {
            let text = output::paint(output::BAD, &text);
            lines.push(format!("{:indent$}{text}", ""));
        }
    }
    lines
}

/// Divides a text into lines that fit behind `indent` columns.
fn wrap(text: &str, indent: usize, width: Option<usize>) -> Vec<String> {
    let text = output::safe(text);
    match width {
        Some(width) => output::wrap(&text, width.saturating_sub(indent)),
        None => vec![text],
    }
}

fn state_word(state: State) -> String {
    let (word, style) = match state {
        State::Ok => ("ok", output::BAR),
        State::Off => ("off", output::FAINT),
        State::NotVisibleLocally => ("-", output::FAINT),
        State::Unknown => ("unknown", output::level_style("warn")),
        State::Red => ("RED", output::BAD),
    };
    output::paint(style, &output::pad(word, STATE_COLUMNS))
}

/// Returns what was seen of a part, in one line.
pub(crate) fn describe(facts: &Facts, zone: &Zone) -> String {
    match facts {
        Facts::Queue(queue) => describe_queue(queue),
        Facts::DeadLetters(letters) => describe_letters(letters),
        Facts::Database(database) => describe_database(database),
        Facts::Rows(rows) => describe_rows(rows, zone),
        Facts::Fallback(fallback) => describe_fallback(fallback),
        Facts::Archive(archive) => describe_archive(archive, zone),
        Facts::Workers(workers) => describe_workers(workers, zone),
    }
}

fn describe_queue(queue: &QueueFacts) -> String {
    let mut text = format!("{}:", queue.queue);
    match queue.messages {
        Some(0) => text.push_str(" empty"),
        Some(messages) => {
            let _ = write!(text, " {}", counted(messages, "message", "messages"));
            if let Some(bytes) = queue.bytes {
                let _ = write!(text, ", {}", size_shown(bytes));
            }
            if let Some(seconds) = queue.oldest_seconds {
                let _ = write!(text, ", the oldest {} old", age_shown(seconds));
            }
        }
        None => text.push_str(" how many messages is not known"),
    }
    for consumer in &queue.consumers {
        let name = consumer.script.as_deref().unwrap_or(&consumer.kind);
        let _ = write!(text, "; consumer {name}");
    }
    text
}

fn describe_letters(letters: &DeadLetterFacts) -> String {
    let mut text = describe_queue(&letters.queue);
    if letters.counted > 0 {
        let reasons: Vec<_> = letters
            .reasons
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        let _ = write!(
            text,
            "; of the first {}: {}",
            letters.counted,
            reasons.join(", ")
        );
    }
    text
}

fn describe_database(database: &DatabaseFacts) -> String {
    let percent = database.bytes.saturating_mul(100) / database.limit_bytes.max(1);
    let mut text = format!(
        "{}: {} of {} ({percent}%)",
        database.database,
        size_shown(database.bytes),
        size_shown(database.limit_bytes)
    );
    if let Some(days) = database.days_until_full {
        let when = match days {
            0 => "within a day".to_owned(),
            days => format!("in about {}", counted(days, "day", "days")),
        };
        let _ = write!(text, ", full {when}, before the retention deletes");
    }
    text
}

fn describe_rows(rows: &RowFacts, zone: &Zone) -> String {
    let (Some(oldest), Some(newest)) = (&rows.oldest, &rows.newest) else {
        return "none".to_owned();
    };
    let mut text = format!("newest {}", time::shown(newest, zone));
    if let Some(seconds) = rows.newest_seconds {
        let _ = write!(text, ", {} ago", age_shown(seconds));
    }
    if let Some(seconds) = rows.lag_seconds {
        let _ = write!(text, ", stored {} after it was logged", age_shown(seconds));
    }
    let _ = write!(
        text,
        "; oldest {}, kept for {}",
        time::shown(oldest, zone),
        age_shown(rows.retention_seconds)
    );
    text
}

fn describe_fallback(fallback: &FallbackFacts) -> String {
    if fallback.keys == 0 {
        return format!("{}: empty", fallback.namespace);
    }
    let kinds: Vec<_> = fallback
        .kinds
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let mut text = format!(
        "{}: {}{} ({})",
        fallback.namespace,
        if fallback.more { "more than " } else { "" },
        counted(fallback.keys, "key", "keys"),
        kinds.join(", ")
    );
    if let Some(seconds) = fallback.oldest_seconds {
        let _ = write!(text, ", the oldest {} old", age_shown(seconds));
    }
    text
}

fn describe_archive(archive: &ArchiveFacts, zone: &Zone) -> String {
    let mut text = format!(
        "newest object stored {}",
        time::shown(&archive.newest, zone)
    );
    if let Some(seconds) = archive.newest_seconds {
        let _ = write!(text, ", {} ago", age_shown(seconds));
    }
    let _ = write!(
        text,
        "; {} of the last day, {}; oldest {}",
        counted(archive.objects_last_day, "object", "objects"),
        size_shown(archive.bytes_last_day),
        time::shown(&archive.oldest, zone)
    );
    text
}

fn describe_workers(workers: &WorkerFacts, zone: &Zone) -> String {
    let mut parts = Vec::new();
    for (name, deployment) in &workers.deployed {
        let Some(deployment) = deployment else {
            parts.push(format!("{name} is not deployed"));
            continue;
        };
        let versions: Vec<_> = deployment
            .versions
            .iter()
            .map(|version| {
                let id: String = version.id.chars().take(8).collect();
                if version.percentage == 100 {
                    id
                } else {
                    format!("{id} at {}%", version.percentage)
                }
            })
            .collect();
        let since = deployment
            .created_on
            .as_deref()
            .map_or_else(String::new, |time| {
                format!(" since {}", time::shown(time, zone))
            });
        parts.push(format!("{name} {}{since}", versions.join(" and ")));
    }
    let mut attached = counted(
        workers.attached.len() as u64,
        "attached Worker",
        "attached Workers",
    );
    if !workers.attached.is_empty() {
        let shown = workers
            .attached
            .get(..ATTACHED_SHOWN)
            .unwrap_or(&workers.attached);
        let _ = write!(attached, ": {}", shown.join(", "));
        if shown.len() < workers.attached.len() {
            attached.push_str(", …");
        }
    }
    parts.push(attached);
    for one in &workers.differing {
        let quoted = |value: &str| match value {
            "" => "empty".to_owned(),
            value => value.to_owned(),
        };
        parts.push(format!(
            "{} has {} {}, tailrace.toml {}",
            one.worker,
            one.name,
            quoted(&one.deployed),
            quoted(&one.configured)
        ));
    }
    parts.join("; ")
}
