//! What became of the letters: progress on the way, a summary at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::letter::{Left, Letter, Origin};
use crate::{Error, output};

/// How often progress is said where nobody watches a bar.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The counts.
#[derive(Debug)]
pub struct Tally {
    dry_run: bool,
    /// Letters replayed.
    replayed: u64,
    /// Records in them.
    records: u64,
    /// Letters left, by why.
    left: BTreeMap<Left, u64>,
    /// Letters that were exported without their bodies, by why.
    lacking: BTreeMap<Left, u64>,
    /// Letters seen, by reason and origin.
    reasons: BTreeMap<(String, Origin), u64>,
    /// Letters seen, by the age in hours below which they are.
    ages: BTreeMap<u32, u64>,
    /// Records seen, by Worker.
    workers: BTreeMap<String, u64>,
    /// Letters seen.
    seen: u64,
    /// Letters that are there and that nobody got to see.
    pub unseen: u64,
    /// Whether that is since there were as many as were asked for.
    pub limited: bool,
    /// Messages that were put back anew, since they had few deliveries left.
    pub renewed: u64,
    /// Whether somebody stopped the run.
    pub stopped: bool,
    /// What stopped the run.
    pub failure: Option<Error>,
    bar: ProgressBar,
    said: Instant,
}

/// The ages letters are grouped by: below how many hours, and in words.
const AGES: [(u32, &str); 4] = [
    (1, "under an hour"),
    (24, "under a day"),
    (96, "under 4 days"),
    (u32::MAX, "4 days and more"),
];

impl Tally {
    /// Counts nothing yet. On a terminal there is a progress bar.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // a clock of this machine, for progress alone
    pub fn new(dry_run: bool) -> Self {
        let bar = if output::is_watched() {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template(
                "{bar:30.green} {human_pos}/{human_len} dead letters  {elapsed}",
            ) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_secs(1));
            output::watch(&bar);
            bar
        } else {
            ProgressBar::hidden()
        };
        Self {
            dry_run,
            replayed: 0,
            records: 0,
            left: BTreeMap::new(),
            lacking: BTreeMap::new(),
            reasons: BTreeMap::new(),
            ages: BTreeMap::new(),
            workers: BTreeMap::new(),
            seen: 0,
            unseen: 0,
            limited: false,
            renewed: 0,
            stopped: false,
            failure: None,
            bar,
            said: Instant::now(),
        }
    }

    /// Counts a letter that is seen for the first time.
    pub fn see(&mut self, letter: &Letter, age_ms: Option<i64>) {
        self.seen += 1;
        let reason = (letter.reason.as_str().to_owned(), letter.origin);
        *self.reasons.entry(reason).or_default() += 1;
        if let Some(age) = age_ms {
            let hours = u32::try_from(age / 3_600_000).unwrap_or(0);
            let bound = AGES.iter().find(|(bound, _)| hours < *bound);
            *self
                .ages
                .entry(bound.map_or(u32::MAX, |(bound, _)| *bound))
                .or_default() += 1;
        }
        for (worker, records) in letter.workers() {
            *self.workers.entry(worker).or_default() += records;
        }
        self.bar
            .set_length(self.bar.length().unwrap_or(0).max(self.seen));
        self.progress();
    }

    /// How many letters there are, as far as is known.
    pub fn expect(&self, letters: u64) {
        self.bar.set_length(letters.max(self.seen));
    }

    /// Counts a letter that was replayed and taken away.
    pub fn replay(&mut self, records: u64) {
        self.replayed += 1;
        self.records += records;
        self.progress();
    }

    /// Counts a letter that stays.
    pub fn leave(&mut self, why: Left) {
        self.leave_many(why, 1);
    }

    /// Counts letters that stay.
    pub fn leave_many(&mut self, why: Left, count: u64) {
        if count > 0 {
            *self.left.entry(why).or_default() += count;
        }
        self.progress();
    }

    /// Counts a letter that was exported without its body, which KV has not, or did not give.
    pub fn lack(&mut self, why: Left) {
        *self.lacking.entry(why).or_default() += 1;
    }

    /// Whether a letter was exported without its body.
    #[must_use]
    pub fn is_lacking(&self) -> bool {
        !self.lacking.is_empty()
    }

    #[allow(clippy::disallowed_methods)] // a clock of this machine, for progress alone
    fn progress(&mut self) {
        let settled = if self.dry_run {
            self.seen
        } else {
            self.replayed
        };
        let done = settled + self.left.values().sum::<u64>();
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.said.elapsed() > SAY_EVERY {
            self.said = Instant::now();
            output::note(&format!(
                "{} so far",
                output::counted(done, "dead letter", "dead letters")
            ));
        }
    }

    /// Letters seen.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.seen
    }

    /// Letters that are still there.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.left.values().sum::<u64>() + self.unseen
    }

    /// The summary, line by line.
    #[must_use]
    pub fn summary(&self, target: &str, now: DateTime<Utc>) -> Vec<String> {
        let mut lines = Vec::new();
        let letters = |count| output::counted(count, "dead letter", "dead letters");
        if self.dry_run {
            lines.push(format!(
                "{} at {}; nothing was changed",
                letters(self.seen),
                crate::time::shown(&crate::time::stored(now), crate::time::Zone::Local)
            ));
            self.groups(&mut lines);
        } else {
            lines.push(format!(
                "replayed {} ({}) to {target}",
                letters(self.replayed),
                output::counted(self.records, "record", "records")
            ));
        }
        for (why, count) in &self.left {
            lines.push(format!("left {}: {}", output::grouped(*count), why.words()));
        }
        if self.unseen > 0 {
            let why = if self.limited {
                "beyond --limit"
            } else if self.stopped {
                "not reached"
            } else {
                "not delivered to this run (leased elsewhere, delayed, or not reached); run it again in some minutes"
            };
            lines.push(format!("left {}: {why}", output::grouped(self.unseen)));
        }
        for (why, count) in &self.lacking {
            let bodies = output::counted(*count, "body", "bodies");
            let why = match why {
                Left::BodyGone => "gone from KV",
                _ => "not read from KV",
            };
            lines.push(format!("the export lacks {bodies}: {why}"));
        }
        if self.renewed > 0 {
            lines.push(format!(
                "{} with few deliveries left, put at the end of the queue anew",
                letters(self.renewed)
            ));
        }
        lines
    }

    fn groups(&self, lines: &mut Vec<String>) {
        if self.seen == 0 {
            return;
        }
        lines.push("by reason".to_owned());
        for ((reason, origin), count) in &self.reasons {
            lines.push(format!(
                "  {:>8}  {reason} ({})",
                output::grouped(*count),
                origin.words()
            ));
        }
        lines.push("by age".to_owned());
        for (bound, count) in &self.ages {
            let words = AGES
                .iter()
                .find(|(known, _)| known == bound)
                .map_or("", |(_, words)| *words);
            lines.push(format!("  {:>8}  {words}", output::grouped(*count)));
        }
        if self.workers.is_empty() {
            return;
        }
        lines.push("records by Worker".to_owned());
        for (worker, count) in &self.workers {
            let name = if worker.is_empty() {
                "(not told by the record)".to_owned()
            } else {
                output::safe(worker)
            };
            lines.push(format!("  {:>8}  {name}", output::grouped(*count)));
        }
    }
}
