//! Figures as they add up, slice by slice, and the answer made of them.

use std::collections::BTreeMap;

use log_record::Level;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::EXCEPTIONS_A_SLICE;
use super::cells::{number, text};
use super::exceptions::{ExceptionReport, Exceptions};
use super::volumes::Volumes;
use crate::commands::cells::Cells;
use crate::histogram::Histogram;
use crate::raw;

/// The members of a Worker's report that are figures, by their paths.
const FIGURES: [&str; 14] = [
    "worker_name",
    "invocations",
    "errors",
    "error_rate",
    "latency_ms.p50",
    "latency_ms.p95",
    "latency_ms.p99",
    "cpu_time_ms.p50",
    "cpu_time_ms.p95",
    "cpu_time_ms.p99",
    "records.debug",
    "records.info",
    "records.warn",
    "records.error",
];

/// Returns a line of figures for each Worker, under their names.
pub(super) fn flatten(report: &Report) -> (Vec<String>, Vec<Cells>) {
    let reports = report
        .workers
        .iter()
        .filter_map(|worker| to_raw_value(worker).ok());
    let cells = |report: Box<RawValue>| {
        let cell = |path| raw::at_path(&report, path).filter(|cell| cell.get() != "null");
        FIGURES
            .map(|path| cell(path).map(ToOwned::to_owned))
            .to_vec()
    };
    let columns = FIGURES.map(str::to_owned).to_vec();
    (columns, reports.map(cells).collect())
}

/// The answers for one slice.
pub(crate) struct Slice {
    pub(super) levels: Vec<Vec<Value>>,
    pub(super) latencies: Vec<Vec<Value>>,
    pub(super) cpu_times: Vec<Vec<Value>>,
    pub(super) exceptions: Vec<Vec<Value>>,
}

/// The figures of one Worker.
#[derive(Debug, Default)]
pub struct Figures {
    invocations: u64,
    errors: u64,
    latency: Histogram,
    cpu: Histogram,
    records: BTreeMap<String, u64>,
}

/// The measured thing.
#[derive(Debug, Default)]
pub struct Measured {
    workers: BTreeMap<String, Figures>,
    /// The records that are counted by the catalog of the archive, instead of the rows.
    volumes: Volumes,
    exceptions: Exceptions,
    /// True if a slice had more different exceptions than were taken.
    pub(super) exceptions_cut: bool,
}

impl Measured {
    /// Begins with what the catalog of the archive counts.
    #[must_use]
    pub fn with_volumes(volumes: Volumes) -> Self {
        let mut measured = Self::default();
        for (worker, levels) in &volumes.counts.0 {
            let figures = measured.workers.entry(worker.clone()).or_default();
            for (level, count) in levels {
                figures.records.insert(level.as_str().to_owned(), *count);
            }
        }
        measured.volumes = volumes;
        measured
    }

    /// Adds a slice.
    pub(crate) fn add(&mut self, slice: &Slice) {
        for cells in &slice.levels {
            let figures = self.workers.entry(text(cells, 0)).or_default();
            if self.volumes.replace(&text(cells, 3), &text(cells, 1)) {
                continue;
            }
            *figures.records.entry(text(cells, 1)).or_default() += number(cells, 2).unwrap_or(0);
        }
        for cells in &slice.latencies {
            let figures = self.workers.entry(text(cells, 0)).or_default();
            let times = number(cells, 3).unwrap_or(0);
            figures.invocations += times;
            if text(cells, 1) == Level::Error.as_str() {
                figures.errors += times;
            }
            if let Some(ms) = number(cells, 2) {
                figures.latency.add(ms, times);
            }
        }
        for cells in &slice.cpu_times {
            if let Some(ms) = number(cells, 2) {
                let figures = self.workers.entry(text(cells, 0)).or_default();
                figures.cpu.add(ms, number(cells, 3).unwrap_or(0));
            }
        }
        self.exceptions_cut |= slice.exceptions.len() >= EXCEPTIONS_A_SLICE;
        for cells in &slice.exceptions {
            self.exceptions.add(cells);
        }
    }

    /// The answer, with the `top` most frequent exceptions.
    #[must_use]
    pub fn report(&self, since: String, until: String, top: usize) -> Report {
        let workers = self
            .workers
            .iter()
            .map(|(name, figures)| WorkerReport {
                worker_name: name.clone(),
                invocations: figures.invocations,
                errors: figures.errors,
                error_rate: (figures.invocations > 0).then(|| {
                    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
                    let rate = figures.errors as f64 / figures.invocations as f64;
                    rate
                }),
                latency_ms: (&figures.latency).into(),
                cpu_time_ms: (&figures.cpu).into(),
                records: Level::ALL
                    .iter()
                    .map(|level| {
                        let count = figures.records.get(level.as_str()).copied();
                        (level.as_str().to_owned(), count.unwrap_or(0))
                    })
                    .collect(),
            })
            .collect();
        let exceptions = self.exceptions.report(top);
        Report {
            since,
            until,
            counts_whole_objects: !self.volumes.is_empty(),
            workers,
            exceptions,
        }
    }
}

/// Percentiles in whole milliseconds.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Percentiles {
    /// Returns the number of invocations that have this figure.
    pub count: u64,
    /// The median.
    pub p50: Option<u64>,
    /// 95 percent do not exceed it.
    pub p95: Option<u64>,
    /// 99 percent do not exceed it.
    pub p99: Option<u64>,
}

impl From<&Histogram> for Percentiles {
    fn from(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            p50: histogram.percentile(50),
            p95: histogram.percentile(95),
            p99: histogram.percentile(99),
        }
    }
}

/// The JSON form of the answer.
#[derive(Debug, Serialize)]
pub struct Report {
    /// From, inclusive.
    pub since: String,
    /// To, exclusive.
    pub until: String,
    /// True where debug and info records of some hours are counted by the archive's objects, each of them whole.
    pub counts_whole_objects: bool,
    /// By name.
    pub workers: Vec<WorkerReport>,
    /// The most frequent first.
    pub exceptions: Vec<ExceptionReport>,
}

/// One Worker.
#[derive(Debug, Serialize)]
pub struct WorkerReport {
    /// The Worker.
    pub worker_name: String,
    /// Invocation records.
    pub invocations: u64,
    /// Of these, the ones of level error.
    pub errors: u64,
    /// `errors` / `invocations`, from 0 to 1; absent without invocations.
    pub error_rate: Option<f64>,
    /// Wall time.
    pub latency_ms: Percentiles,
    /// CPU time.
    pub cpu_time_ms: Percentiles,
    /// Records by level.
    pub records: BTreeMap<String, u64>,
}
