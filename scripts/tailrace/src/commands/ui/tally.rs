//! Counts of records: by bucket of time and by what the records have in common. A tally knows which times it has counted,
//! so that none is counted twice; what ended long ago is remembered from question to question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::time;

/// The lengths of a bucket, in milliseconds, and the characters of a timestamp that name one.
const WIDTHS: [Width; 6] = [
    Width::new(1_000, 19),
    Width::new(10_000, 18),
    Width::new(60_000, 16),
    Width::new(600_000, 15),
    Width::new(3_600_000, 13),
    Width::new(86_400_000, 10),
];

/// The most buckets of a histogram, but for windows of many months.
pub(super) const MOST_BUCKETS: i64 = 240;

/// Values of a facet.
const TOP: usize = 10;

/// A timestamp whose end completes a beginning.
const MIDNIGHT: &str = "0000-00-00T00:00:00.000Z";

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Width {
    pub(super) ms: i64,
    pub(super) characters: usize,
}

impl Width {
    const fn new(ms: i64, characters: usize) -> Self {
        Self { ms, characters }
    }

    /// Returns the shortest length that divides `span_ms` into at most `most` buckets.
    pub(super) fn of(span_ms: i64, most: i64) -> Self {
        let [.., longest] = WIDTHS;
        WIDTHS
            .into_iter()
            .find(|width| span_ms / width.ms <= most)
            .unwrap_or(longest)
    }

    /// Returns the start of a bucket in milliseconds since 1970, from the beginning of a timestamp.
    fn start_ms(self, beginning: &str) -> Option<i64> {
        time::millis(&format!("{beginning}{}", MIDNIGHT.get(self.characters..)?))
    }
}

/// The values that records share. Each text is held once: the buckets of a week have tens of thousands of groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    worker: Arc<str>,
    level: Arc<str>,
    kind: Arc<str>,
    status: Arc<str>,
}

/// Counts, and the times that they are of.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) width: Width,
    /// `[from, to)` of what was counted; in order, and none overlaps another.
    covered: Vec<(i64, i64)>,
    buckets: BTreeMap<i64, BTreeMap<Group, u64>>,
    texts: BTreeSet<Arc<str>>,
}

impl Tally {
    pub(super) fn new(width: Width) -> Self {
        Self {
            width,
            covered: Vec::new(),
            buckets: BTreeMap::new(),
            texts: BTreeSet::new(),
        }
    }

    /// Adds what was counted in `[from_ms, to_ms)`; leaves it out where a part of it was counted before. The cells are those
    /// of [`crate::sql::counts`].
    pub(super) fn add(&mut self, from_ms: i64, to_ms: i64, rows: &[Vec<Value>]) {
        if from_ms >= to_ms || self.overlaps(from_ms, to_ms) {
            return;
        }
        let place = self.covered.partition_point(|(from, _)| *from < from_ms);
        self.covered.insert(place, (from_ms, to_ms));
        for cells in rows {
            let text = |index: usize| match cells.get(index) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => String::new(),
            };
            let Some(start) = self.width.start_ms(&text(0)) else {
                continue;
            };
            let [worker, level, kind, status] = [1, 2, 3, 4].map(|index| self.hold(text(index)));
            let group = Group {
                worker,
                level,
                kind,
                status,
            };
            let count = cells.get(5).and_then(Value::as_u64).unwrap_or(0);
            *self
                .buckets
                .entry(start)
                .or_default()
                .entry(group)
                .or_default() += count;
        }
    }

    /// Returns the one copy of a text.
    fn hold(&mut self, text: String) -> Arc<str> {
        if let Some(held) = self.texts.get(text.as_str()) {
            return Arc::clone(held);
        }
        let held: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&held));
        held
    }

    fn overlaps(&self, from_ms: i64, to_ms: i64) -> bool {
        self.covered
            .iter()
            .any(|(from, to)| *from < to_ms && from_ms < *to)
    }

    /// Returns the part that lies in `[from_ms, to_ms)`, as far as whole buckets do.
    pub(super) fn within(&self, from_ms: i64, to_ms: i64) -> Self {
        let width = self.width.ms;
        let first = from_ms.div_euclid(width) * width;
        let first = if first < from_ms {
            first + width
        } else {
            first
        };
        let last = to_ms.div_euclid(width) * width;
        if first >= last {
            return Self::new(self.width);
        }
        let covered = self
            .covered
            .iter()
            .map(|(from, to)| ((*from).max(first), (*to).min(last)))
            .filter(|(from, to)| from < to)
            .collect();
        let buckets = self
            .buckets
            .range(first..last)
            .map(|(start, groups)| (*start, groups.clone()))
            .collect();
        Self {
            width: self.width,
            covered,
            buckets,
            texts: self.texts.clone(),
        }
    }

    /// Returns the parts of `[from_ms, to_ms)` that were not counted, the newest first; none goes across `border_ms`.
    pub(super) fn gaps(&self, from_ms: i64, to_ms: i64, border_ms: i64) -> Vec<(i64, i64)> {
        let mut gaps = Vec::new();
        let mut start = from_ms;
        for (from, to) in self.covered.iter().copied().chain([(to_ms, to_ms)]) {
            let end = from.min(to_ms);
            if start < end {
                if start < border_ms && border_ms < end {
                    gaps.extend([(start, border_ms), (border_ms, end)]);
                } else {
                    gaps.push((start, end));
                }
            }
            start = start.max(to);
        }
        gaps.reverse();
        gaps
    }

    /// Returns how many milliseconds were counted.
    pub(super) fn covered_ms(&self) -> i64 {
        self.covered.iter().map(|(from, to)| to - from).sum()
    }

    /// Returns invocations over time by Worker: `[start, all, failed]`.
    pub(super) fn invocations(&self) -> BTreeMap<&str, Vec<[i64; 3]>> {
        let mut series: BTreeMap<&str, Vec<[i64; 3]>> = BTreeMap::new();
        for (start, groups) in &self.buckets {
            for (group, count) in groups {
                if &*group.kind != "invocation" {
                    continue;
                }
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                let failed = if &*group.level == "error" { count } else { 0 };
                let bars = series.entry(&group.worker).or_default();
                match bars.last_mut() {
                    Some([at, all, bad]) if at == start => {
                        *all += count;
                        *bad += failed;
                    }
                    _ => bars.push([*start, count, failed]),
                }
            }
        }
        series
    }

    /// Returns bars by level, and the most frequent values of each facet.
    pub(super) fn report(&self) -> Value {
        let mut facets: [BTreeMap<&str, u64>; 4] = Default::default();
        let mut total = 0;
        let mut bars = Vec::new();
        for (start, groups) in &self.buckets {
            let mut levels = [0_u64; 4];
            for (group, count) in groups {
                total += count;
                let level = match &*group.level {
                    "debug" => 0,
                    "info" => 1,
                    "warn" => 2,
                    _ => 3,
                };
                if let Some(level) = levels.get_mut(level) {
                    *level += count;
                }
                let values = [&group.worker, &group.level, &group.status, &group.kind];
                for (facet, value) in facets.iter_mut().zip(values.map(|value| &**value)) {
                    if !value.is_empty() {
                        *facet.entry(value).or_default() += count;
                    }
                }
            }
            let [debug, info, warn, error] = levels;
            bars.push(json!([start, debug, info, warn, error]));
        }
        let [worker, level, status, kind] = facets.map(|facet| {
            let mut values: Vec<_> = facet.into_iter().collect();
            values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            values.truncate(TOP);
            values
        });
        json!({
            "width_ms": self.width.ms,
            "total": total,
            "bars": bars,
            "facets": {"worker": worker, "level": level, "status": status, "kind": kind},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Width = Width::new(60_000, 16);

    fn row(at: &str, level: &str, count: u64) -> Vec<Value> {
        vec![
            at.into(),
            "api".into(),
            level.into(),
            "log".into(),
            Value::Null,
            count.into(),
        ]
    }

    #[test]
    fn a_window_has_few_enough_buckets() {
        for (minutes, expected) in [
            (1, 1),
            (15, 10),
            (60, 60),
            (24 * 60, 600),
            (7 * 24 * 60, 3600),
        ] {
            assert_eq!(
                Width::of(minutes * 60_000, MOST_BUCKETS).ms,
                expected * 1000
            );
        }
        assert_eq!(Width::of(i64::MAX / 2, MOST_BUCKETS).ms, 86_400_000);
    }

    #[test]
    fn nothing_is_counted_twice() {
        let mut tally = Tally::new(MINUTE);
        let rows = [
            row("1970-01-01T00:01", "info", 2),
            row("1970-01-01T00:02", "error", 1),
        ];
        tally.add(60_000, 180_000, &rows);
        tally.add(120_000, 240_000, &rows);
        let report = tally.report();
        assert_eq!(report["total"], 3);
        assert_eq!(
            report["bars"],
            json!([[60_000, 0, 2, 0, 0], [120_000, 0, 0, 0, 1]])
        );
        assert_eq!(
            report["facets"]["level"],
            json!([["info", 2], ["error", 1]])
        );
        assert_eq!(report["facets"]["status"], json!([]));
    }

    #[test]
    fn gaps_and_what_is_known_make_the_window() {
        let mut tally = Tally::new(MINUTE);
        tally.add(120_000, 180_000, &[row("1970-01-01T00:02", "info", 1)]);
        assert_eq!(
            tally.gaps(30_000, 300_000, 240_000),
            [(240_000, 300_000), (180_000, 240_000), (30_000, 120_000)]
        );
        // A bucket that the window cuts is counted anew.
        assert_eq!(tally.within(130_000, 300_000).covered_ms(), 0);
        let whole = tally.within(100_000, 300_000);
        assert_eq!(whole.covered_ms(), 60_000);
        assert_eq!(whole.gaps(120_000, 180_000, 0), []);
    }
}
