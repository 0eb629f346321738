//! The targets, and whether a run has reached them. All are ratios or counts of one run; none is a test.

use serde::Serialize;

use crate::plan::Plan;
use crate::render::number;
use crate::report::Report;
use crate::samples::Samples;
use crate::{d1, end_to_end, maintenance, normalize};

/// One target, and what a run measured.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What is measured.
    pub what: String,
    /// The target.
    pub target: Limit,
    /// What the rounds of this run measured; `None` if it did not measure it.
    pub measured: Option<Samples>,
}

/// A target.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// A ratio to a baseline that should not be lower.
    AtLeast(f64),
    /// A value that should not be higher, with its unit.
    AtMost(f64, &'static str),
}

/// Whether a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The whole interval is on the right side of the target.
    Reached,
    /// The interval is on both sides of the target.
    Undecided,
    /// The whole interval is on the wrong side of the target.
    Missed,
}

impl Verdict {
    /// Returns whether the target was reached; `None` if it was not measured.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let (low, high) = self.measured.as_ref()?.interval();
        let reached = |value: f64| match self.target {
            Limit::AtLeast(target) => value >= target,
            Limit::AtMost(target, _) => value <= target,
        };
        Some(match (reached(low), reached(high)) {
            (true, true) => Standing::Reached,
            (false, false) => Standing::Missed,
            _ => Standing::Undecided,
        })
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let (target, unit) = match self.target {
            Limit::AtLeast(target) => (format!("≥ {target} ×"), " ×"),
            Limit::AtMost(target, unit) => (format!("≤ {target}{unit}"), unit),
        };
        let measured = self.measured.as_ref().map_or_else(
            || "not measured".to_owned(),
            |samples| {
                let median = number(samples.median());
                let (low, high) = samples.interval();
                if samples.count() == 1 {
                    format!("{median}{unit}")
                } else {
                    format!("{median}{unit} ({}–{})", number(low), number(high))
                }
            },
        );
        let mark = match self.standing() {
            Some(Standing::Reached) => "reached",
            Some(Standing::Undecided) => "undecided",
            Some(Standing::Missed) => "**missed**",
            None => "",
        };
        vec![self.what.clone(), target, measured, mark.to_owned()]
    }
}

/// Compares `report` with the targets.
#[must_use]
pub fn judge(report: &Report, plan: &Plan) -> Vec<Verdict> {
    let mut judge = Judge {
        report,
        verdicts: Vec::new(),
    };
    judge.normalizing();
    judge.writing(plan);
    judge.end_to_end(plan);
    judge.rotating(plan);
    judge.verdicts
}

struct Judge<'r> {
    report: &'r Report,
    verdicts: Vec<Verdict>,
}

impl Judge<'_> {
    fn add(&mut self, what: &str, target: Limit, measured: Option<Samples>) {
        self.verdicts.push(Verdict {
            what: what.to_owned(),
            target,
            measured,
        });
    }

    /// Returns how many times better one subject of a case is than another, round by round.
    fn ratios(&self, table: &str, case: &str, subject: &str, than: &str) -> Option<Samples> {
        let table = self.report.table(table)?;
        table.ratios(table.samples(case, subject)?, table.samples(case, than)?)
    }

    fn values(&self, table: &str, case: &str, subject: &str) -> Option<Samples> {
        self.report.table(table)?.samples(case, subject).cloned()
    }

    fn normalizing(&mut self) {
        for (lines, target) in [(10, 0.8), (100, 1.0), (1_000, 1.0)] {
            let case = normalize::real_case(lines);
            let ratios = self.ratios("normalize-fresh", &case, normalize::RUST, normalize::STORY);
            self.add(
                &format!(
                    "normalizing a new event of {lines} lines, against the story's TypeScript"
                ),
                Limit::AtLeast(target),
                ratios,
            );
        }
        let values = self.values("largest-call", "4 × 256 KiB", normalize::RUST);
        self.add(
            "a tail call with 1 MiB of events, processor time",
            Limit::AtMost(20.0, " ms"),
            values,
        );
    }

    fn writing(&mut self, plan: &Plan) {
        for rows in plan.existing_rows {
            let case = d1::case(d1::LEAN, *rows);
            let ratios = self.ratios("d1-write", &case, d1::LOG_WRITER, d1::BATCH);
            self.add(
                &format!("writing D1, {case}, against batch() of 100"),
                Limit::AtLeast(3.0),
                ratios,
            );
        }
        let values = self.values("d1-billed", d1::LEAN, d1::LOG_WRITER);
        self.add("billed rows a log", Limit::AtMost(4.2, ""), values);
    }

    fn end_to_end(&mut self, plan: &Plan) {
        for load in plan.loads {
            let case = load.label();
            let ratios = self.ratios("end-to-end", &case, end_to_end::RUST, end_to_end::STORY);
            self.add(
                &format!("end to end, {case}, against the story's design"),
                Limit::AtLeast(2.2),
                ratios,
            );
        }
    }

    fn rotating(&mut self, plan: &Plan) {
        let case = maintenance::rotation_case(plan.maintenance_rows);
        for (subject, what, target) in [
            (
                maintenance::MOST_CALLS,
                "95 of 100 calls, D1's own duration",
                Limit::AtMost(100.0, " ms"),
            ),
            (
                maintenance::ROWS_READ,
                "rows read a row",
                Limit::AtMost(1.1, ""),
            ),
        ] {
            let values = self.values("rotation", &case, subject);
            self.add(&format!("rotation of {case}, {what}"), target, values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_by_the_whole_interval() {
        let standing = |values: [f64; 3], target| {
            let measured = Some(values.into_iter().collect());
            let what = String::new();
            Verdict {
                what,
                target,
                measured,
            }
            .standing()
        };
        let at_least = |values| standing(values, Limit::AtLeast(2.0));
        assert_eq!(at_least([2.0, 2.5, 3.0]), Some(Standing::Reached));
        assert_eq!(at_least([1.9, 2.5, 3.0]), Some(Standing::Undecided));
        assert_eq!(at_least([1.7, 1.8, 1.9]), Some(Standing::Missed));
        let at_most = standing([1.9, 2.5, 3.0], Limit::AtMost(2.0, " ms"));
        assert_eq!(at_most, Some(Standing::Undecided));
    }
}
