//! The targets, and whether a run has reached them. All are ratios or counts of one run; none is a test.

use crate::plan::Plan;
use crate::report::Report;
use crate::samples::Samples;
use crate::verdict::{Limit, Verdict};
use crate::{d1, end_to_end, maintenance, normalize, week};

/// Compares `report` with the targets.
#[must_use]
pub fn judge(report: &Report, plan: &Plan) -> Vec<Verdict> {
    let mut judge = Judge {
        report,
        verdicts: Vec::new(),
    };
    judge.judge_normalizing();
    judge.judge_writing(plan);
    judge.end_to_end(plan);
    judge.judge_rotation(plan);
    judge.judge_page();
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

    fn judge_normalizing(&mut self) {
        for (lines, target) in [(10, 0.8), (100, 1.0), (1_000, 1.0)] {
            let case = normalize::real_case(lines);
            let ratios = self.ratios("normalize-fresh", &case, normalize::RUST, normalize::DIRECT);
            self.add(
                &format!("normalizing a new event of {lines} lines, against direct TypeScript"),
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

    fn judge_writing(&mut self, plan: &Plan) {
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
            let ratios = self.ratios("end-to-end", &case, end_to_end::RUST, end_to_end::DIRECT);
            self.add(
                &format!("end to end, {case}, against direct writes"),
                Limit::AtLeast(2.2),
                ratios,
            );
            for (subject, target) in [(end_to_end::ARCHIVE, 0.8), (end_to_end::INDEX, 1.1)] {
                let ratios = self.ratios("end-to-end", &case, subject, end_to_end::RUST);
                self.add(
                    &format!("end to end, {case}, {subject} against without"),
                    Limit::AtLeast(target),
                    ratios,
                );
            }
        }
    }

    fn judge_rotation(&mut self, plan: &Plan) {
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
    /// The page on a week of rows: only where that part was run.
    fn judge_page(&mut self) {
        if self.report.table(week::page::TABLE).is_none() {
            return;
        }
        for what in ["the latest", "one Worker's", "errors", "a trace"] {
            let name = format!("rows, {what}");
            let values = self.values(week::page::TABLE, "", &name);
            let p95 = values.as_ref().map(|values| Samples::one(values.p95()));
            self.add(&format!("page, {name}"), Limit::AtMost(0.5, " s"), values);
            self.add(&format!("page, {name}, p95"), Limit::AtMost(1.0, " s"), p95);
        }
        for (name, target) in [
            ("counts, an hour", 0.5),
            ("counts, a day", 8.0),
            ("text, found nowhere in a day", 4.0),
        ] {
            let values = self.values(week::page::TABLE, "", name);
            self.add(
                &format!("page, {name}"),
                Limit::AtMost(target, " s"),
                values,
            );
        }
        let longest = |samples: Samples| Samples::one(samples.max());
        let p95 = |samples: Samples| Samples::one(samples.p95());
        let waits = self.values(week::page::WAITS, "", "week");
        self.add(
            "page, the longest wait of an insert while a week is counted",
            Limit::AtMost(500.0, " ms"),
            waits.map(longest),
        );
        for what in ["scrolling", "live"] {
            let tasks = self.values(week::page::REST, "", &format!("{what}, task"));
            self.add(
                &format!("page, {what}, the longest task of a second, p95"),
                Limit::AtMost(50.0, " ms"),
                tasks.map(p95),
            );
        }
        let shift = self.values(week::page::REST, "", "live, shift");
        self.add("page, live, layout shift", Limit::AtMost(0.0, ""), shift);
        let memory = self.values(week::page::REST, "", week::page::MEMORY);
        self.add(
            "page, the server's memory at its peak",
            Limit::AtMost(100.0, " MB"),
            memory.map(longest),
        );
    }
}
