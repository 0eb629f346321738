//! The summary that a run ends with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::table::{Entry, SkipReason, State};
use crate::letter::Letter;
use crate::{output, time};

/// Ids that are named of many.
const NAMED: usize = 10;

/// The ages letters are grouped by: below how many hours, and in words that sort as they do.
const AGES: [(i64, &str); 4] = [
    (1, "0 to 1 hour"),
    (24, "1 to 24 hours"),
    (96, "1 to 4 days"),
    (i64::MAX, "4 days and more"),
];

/// The way that a dry run looked at the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Look {
    #[error("nothing was changed")]
    Harmless,
    #[error("nothing was changed; saw only the first 100: --all leases and counts every one")]
    FirstOnly,
    #[error("each was leased and given back, which is a delivery")]
    Leased,
}

/// The counts, in their JSON form as well.
#[derive(Debug, Default, Serialize)]
pub(super) struct ReplaySummary {
    /// Letters replayed, and records in them.
    pub(super) replayed: u64,
    pub(super) records: u64,
    /// Letters left, by why.
    pub(super) left: BTreeMap<SkipReason, u64>,
    /// Letters that were exported without their bodies, by why.
    #[serde(rename = "export_lacks")]
    pub(super) lacking: BTreeMap<SkipReason, u64>,
    /// Messages that stay and have few deliveries left: the id, and how many.
    #[serde(skip)]
    pub(super) scarce: BTreeMap<String, u32>,
    /// Messages that were put back as new ones.
    pub(super) requeued: u64,
    /// The way that a dry run looked; nothing where it is not one.
    pub(super) look: Option<Look>,
    pub(super) seen: u64,
    /// Letters, or records, by heading and words.
    pub(super) groups: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// The table at the end.
    pub(super) letters: BTreeMap<String, Entry>,
}

impl ReplaySummary {
    /// Counts a letter that is looked at.
    pub(super) fn count_letter(&mut self, letter: &Letter, age_ms: Option<i64>) {
        self.seen += 1;
        let reason = format!("{} ({})", letter.reason, letter.origin.words());
        let mut add = |heading, words| {
            *self
                .groups
                .entry(heading)
                .or_default()
                .entry(words)
                .or_default() += 1;
        };
        add("by_reason", reason);
        let is_below = |age: i64| move |(hours, _): &&(i64, &str)| age / 3_600_000 < *hours;
        if let Some((_, words)) = age_ms.and_then(|age| AGES.iter().find(is_below(age))) {
            add("by_age", (*words).to_owned());
        }
        for record in letter.records() {
            add("records_by_worker", name_worker(&record));
        }
    }

    /// Adds what the table holds at the end.
    pub(super) fn count_entry(&mut self, id: &str, entry: &Entry) {
        if matches!(entry.state, State::Published | State::Gone) {
            self.replayed += 1;
            self.records += entry.records;
        }
        if let Some(why) = entry.skip_reason()
            && why != SkipReason::PutBack
        {
            *self.left.entry(why).or_default() += 1;
            if matches!(entry.state, State::Requeued(_)) {
                self.requeued += 1;
            } else if let Some(left) = entry.few_left {
                self.scarce.insert(id.to_owned(), left);
            }
        }
    }

    /// Returns whether no letter that is asked for was found.
    pub(super) fn saw_nothing(&self) -> bool {
        self.seen == 0
    }

    /// Returns whether all of it was done: nothing is left, or, of a dry run, nothing was not seen.
    pub(super) fn is_complete(&self) -> bool {
        let is_seen = |why: &SkipReason| *why < SkipReason::BeyondLimit;
        let done = match self.look {
            Some(look) => look != Look::FirstOnly && self.left.keys().all(is_seen),
            None => self.left.is_empty(),
        };
        done && self.lacking.is_empty()
    }

    /// Returns the lines; `target` names where letters went.
    pub(super) fn to_lines(&self, target: &str, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(look) = self.look {
            let time = time::shown(&time::stored(now), &time::Zone::Local);
            let seen = count_letters(self.seen);
            lines.push(format!("{seen} at {time}; {look}"));
            for (heading, group) in &self.groups {
                lines.push(heading.replace('_', " "));
                for (words, count) in group {
                    lines.push(format!("  {:>8}  {words}", output::grouped(*count)));
                }
            }
        } else {
            let replayed = count_letters(self.replayed);
            let records = output::counted(self.records, "record", "records");
            lines.push(format!("replayed {replayed} ({records}) to {target}"));
        }
        for (why, count) in &self.left {
            if *why != SkipReason::OnlyCounted {
                lines.push(format!("left {}: {why}", output::grouped(*count)));
            }
        }
        for (why, count) in &self.lacking {
            let bodies = output::counted(*count, "body", "bodies");
            let is_gone = *why == SkipReason::BodyGone;
            let why = if is_gone { "gone" } else { "not read" };
            lines.push(format!("the export lacks {bodies}: {why} from KV"));
        }
        if !self.scarce.is_empty() {
            let scarce = count_letters(self.scarce.len() as u64);
            let name = |(id, left): (&String, &u32)| format!("{} ({left})", output::safe(id));
            let mut named: Vec<_> = self.scarce.iter().take(NAMED).map(name).collect();
            named.extend((self.scarce.len() > NAMED).then(|| "…".to_owned()));
            let named = named.join(", ");
            lines.push(format!(
                "{scarce} with few deliveries left: {named}; `tailrace replay --message ID` publishes one"
            ));
        }
        if self.requeued > 0 {
            let requeued = count_letters(self.requeued);
            let text = "without a delivery left, put back as new messages";
            lines.push(format!("{requeued} {text}"));
        }
        lines
    }
}

fn count_letters(count: u64) -> String {
    output::counted(count, "dead letter", "dead letters")
}

/// Returns the Worker's name, read leniently: a letter may be one because its record is odd.
fn name_worker(record: &RawValue) -> String {
    let cells: Vec<Value> = serde_json::from_str(record.get()).unwrap_or_default();
    match cells.get(1).and_then(Value::as_str) {
        None | Some("") => "(not told by the record)".to_owned(),
        Some(name) => output::safe(name),
    }
}
