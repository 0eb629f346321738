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
    /// Whether the bar was reached; `None` if it was not measured.
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
    let mut verdicts = Vec::new();
    let mut add = |what: &str, asked: Limit, reached: Option<f64>| {
        verdicts.push(Verdict {
            what: what.to_owned(),
            asked,
            reached,
        });
    };
    let ratio = |table: &str, case: &str, subject: &str, than: (&str, &str)| {
        let table = report.table(table)?;
        table.ratio(
            table.samples(case, subject)?,
            table.samples(than.0, than.1)?,
        )
    };
    let value = |table: &str, case: &str, subject: &str| {
        Some(report.table(table)?.samples(case, subject)?.median())
    };

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
        add(
            &format!("normalizing against story TypeScript, {what}"),
            Limit::AtLeast(3.0),
            ratio(table, &case, normalize::RUST, (&case, normalize::STORY)),
        );
    }
    let ten = normalize::real_case(10);
    add(
        "normalizing against story TypeScript, one event of 10 logs, real events",
        Limit::AtLeast(1.0),
        ratio(
            "normalize-fresh",
            &ten,
            normalize::RUST,
            (&ten, normalize::STORY),
        ),
    );

    let lean = |rows: u64| d1::case(d1::LEAN, rows);
    let against_batch = |way: &str| ratio("d1-write", &lean(0), way, (&lean(0), d1::BATCH));
    add(
        "D1 rows/s, 1,000 rows a statement, against batch() of 100",
        Limit::AtLeast(2.6),
        against_batch(d1::JSON_1000),
    );
    add(
        "the same with jsonb",
        Limit::AtLeast(3.0),
        against_batch(d1::JSONB_1000),
    );
    if !plan.quick {
        add(
            "D1 rows/s at 1,000,000 rows, against the same at 0",
            Limit::AtLeast(0.75),
            ratio(
                "d1-write",
                &lean(1_000_000),
                d1::LOG_WRITER,
                (&lean(0), d1::LOG_WRITER),
            ),
        );
    }
    add(
        "billed rows per log",
        Limit::AtMost(4.2, ""),
        value("d1-billed", d1::LEAN, d1::LOG_WRITER),
    );

    for (load, bar) in plan.loads.iter().zip([2.9, 3.0, 4.0]) {
        let case = load.label();
        add(
            &format!("end to end, {case}, against the story's design"),
            Limit::AtLeast(bar),
            ratio(
                "end-to-end",
                &case,
                end_to_end::RUST,
                (&case, end_to_end::STORY),
            ),
        );
    }
    for load in plan.loads {
        let case = load.label();
        add(
            &format!("end to end, {case}, against the same architecture in TypeScript"),
            Limit::AtLeast(1.15),
            ratio(
                "end-to-end",
                &case,
                end_to_end::RUST,
                (&case, end_to_end::TUNED),
            ),
        );
    }
    add(
        "one tail call of 1 MiB of events, CPU",
        Limit::AtMost(20.0, " ms"),
        value("largest-call", "4 × 256 KiB", normalize::RUST),
    );
    add(
        "the longest tail call with an event of 256 KiB, CPU",
        Limit::AtMost(100.0, " ms"),
        report
            .table("largest-call")
            .and_then(|table| Some(table.samples("1 × 256 KiB", normalize::RUST)?.max())),
    );
    #[allow(clippy::cast_precision_loss)]
    let rotated = format!("{} rows", number(plan.maintenance_rows as f64));
    add(
        &format!("rotation of {rotated}: longest single call"),
        Limit::AtMost(100.0, " ms"),
        value("rotation", &rotated, "longest call, ms"),
    );
    add(
        &format!("rotation of {rotated}: rows read per row"),
        Limit::AtMost(1.1, ""),
        value("rotation", &rotated, "rows read/row"),
    );
    for (worker, bar) in [("log-writer", 60.0), ("tail-ingest", 120.0)] {
        add(
            &format!("Wasm of {worker}, gzip"),
            Limit::AtMost(bar, " kB"),
            value("sizes", "Wasm, gzip", worker),
        );
    }
    verdicts
}
