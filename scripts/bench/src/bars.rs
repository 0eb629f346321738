//! What the product is asked to reach, and whether a run has. All are ratios or counts of one run; none is a test.

use serde::Serialize;

use crate::plan::Plan;
use crate::render::number;
use crate::report::Report;
use crate::{d1, end_to_end, normalize};

/// One thing asked for, and what a run reached.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What is asked for.
    pub what: String,
    /// The bar.
    pub asked: Limit,
    /// What this run reached; `None` if it did not measure it.
    pub reached: Option<f64>,
}

/// A bar.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// So many times, or more.
    AtLeast(f64),
    /// So much, or less; with its unit.
    AtMost(f64, &'static str),
}

impl Verdict {
    /// Returns whether the bar was reached; `None` if it was not measured.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        self.reached.map(|reached| match self.asked {
            Limit::AtLeast(bar) => reached >= bar,
            Limit::AtMost(bar, _) => reached <= bar,
        })
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let (asked, unit) = match self.asked {
            Limit::AtLeast(bar) => (format!("≥ {bar} ×"), " ×"),
            Limit::AtMost(bar, unit) => (format!("≤ {bar}{unit}"), unit),
        };
        let reached = self.reached.map_or_else(
            || "not measured".to_owned(),
            |it| format!("{}{unit}", number(it)),
        );
        let mark = match self.met() {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "",
        };
        vec![self.what.clone(), asked, reached, mark.to_owned()]
    }
}

/// Holds the bars against `report`.
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
    for (worker, bar) in [("log-writer", 60.0), ("tail-ingest", 120.0)] {
        let reached = judge.value("sizes", "Wasm, gzip", worker);
        judge.add(
            &format!("Wasm of {worker}, gzip"),
            Limit::AtMost(bar, " kB"),
            reached,
        );
    }
    judge.verdicts
}

struct Judge<'r> {
    report: &'r Report,
    verdicts: Vec<Verdict>,
}

impl Judge<'_> {
    fn add(&mut self, what: &str, asked: Limit, reached: Option<f64>) {
        self.verdicts.push(Verdict {
            what: what.to_owned(),
            asked,
            reached,
        });
    }

    /// How many times better one line of `table` is than another.
    fn ratio(&self, table: &str, line: (&str, &str), than: (&str, &str)) -> Option<f64> {
        let table = self.report.table(table)?;
        table.ratio(
            table.samples(line.0, line.1)?,
            table.samples(than.0, than.1)?,
        )
    }

    fn value(&self, table: &str, case: &str, subject: &str) -> Option<f64> {
        Some(self.report.table(table)?.samples(case, subject)?.median())
    }

    fn normalizing(&mut self) {
        for (table, case, what) in [
            (
                "normalize-fresh",
                normalize::real_case(100),
                "100 logs a call, real events",
            ),
            (
                "normalize-fresh",
                normalize::real_case(1_000),
                "1,000 logs a call, real events",
            ),
            (
                "normalize-real",
                normalize::real_case(100),
                "100 logs a call, a real event repeated",
            ),
            (
                "normalize-loop",
                normalize::loop_case(10),
                "100 logs a call, plain events repeated",
            ),
            (
                "normalize-loop",
                normalize::loop_case(100),
                "1,000 logs a call, plain events repeated",
            ),
        ] {
            let reached = self.ratio(table, (&case, normalize::RUST), (&case, normalize::STORY));
            let what = format!("normalizing against story TypeScript, {what}");
            self.add(&what, Limit::AtLeast(3.0), reached);
        }
        let ten = normalize::real_case(10);
        let reached = self.ratio(
            "normalize-fresh",
            (&ten, normalize::RUST),
            (&ten, normalize::STORY),
        );
        self.add(
            "normalizing against story TypeScript, one event of 10 logs, real events",
            Limit::AtLeast(1.0),
            reached,
        );
        let reached = self.value("largest-call", "4 × 256 KiB", normalize::RUST);
        self.add(
            "one tail call of 1 MiB of events, CPU",
            Limit::AtMost(20.0, " ms"),
            reached,
        );
        let longest = self
            .report
            .table("largest-call")
            .and_then(|table| Some(table.samples("1 × 256 KiB", normalize::RUST)?.max()));
        self.add(
            "the longest tail call with an event of 256 KiB, CPU",
            Limit::AtMost(100.0, " ms"),
            longest,
        );
    }

    fn writing(&mut self, plan: &Plan) {
        let empty = d1::case(d1::LEAN, 0);
        let against_batch =
            |judge: &Self, way: &str| judge.ratio("d1-write", (&empty, way), (&empty, d1::BATCH));
        let reached = against_batch(self, d1::JSON_1000);
        self.add(
            "D1 rows/s, 1,000 rows a statement, against batch() of 100",
            Limit::AtLeast(2.6),
            reached,
        );
        let reached = against_batch(self, d1::JSONB_1000);
        self.add("the same with jsonb", Limit::AtLeast(3.0), reached);
        if !plan.quick {
            let million = d1::case(d1::LEAN, 1_000_000);
            let reached = self.ratio(
                "d1-write",
                (&million, d1::LOG_WRITER),
                (&empty, d1::LOG_WRITER),
            );
            self.add(
                "D1 rows/s at 1,000,000 rows, against the same at 0",
                Limit::AtLeast(0.75),
                reached,
            );
        }
        let reached = self.value("d1-billed", d1::LEAN, d1::LOG_WRITER);
        self.add("billed rows per log", Limit::AtMost(4.2, ""), reached);
    }

    fn end_to_end(&mut self, plan: &Plan) {
        for (load, bar) in plan.loads.iter().zip([2.9, 3.0, 4.0]) {
            let case = load.label();
            let reached = self.ratio(
                "end-to-end",
                (&case, end_to_end::RUST),
                (&case, end_to_end::STORY),
            );
            let what = format!("end to end, {case}, against the story's design");
            self.add(&what, Limit::AtLeast(bar), reached);
        }
        for load in plan.loads {
            let case = load.label();
            let reached = self.ratio(
                "end-to-end",
                (&case, end_to_end::RUST),
                (&case, end_to_end::TUNED),
            );
            let what = format!("end to end, {case}, against the same architecture in TypeScript");
            self.add(&what, Limit::AtLeast(1.15), reached);
        }
    }

    fn rotating(&mut self, plan: &Plan) {
        #[allow(clippy::cast_precision_loss)]
        let rows = format!("{} rows", number(plan.maintenance_rows as f64));
        let reached = self.value("rotation", &rows, "longest call, ms");
        self.add(
            &format!("rotation of {rows}: longest single call"),
            Limit::AtMost(100.0, " ms"),
            reached,
        );
        let reached = self.value("rotation", &rows, "rows read/row");
        self.add(
            &format!("rotation of {rows}: rows read per row"),
            Limit::AtMost(1.1, ""),
            reached,
        );
    }
}
