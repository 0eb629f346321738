//! `tailrace stats`: figures per Worker over a window of time. Their definitions are in `cli::Stats`' help.
//!
//! D1 counts and groups, one slice of time after another; counts add up exactly, so the slices change nothing but the
//! length of a query. A slice that is too much for D1's 30 seconds is halved. The slices begin with the oldest row, and
//! what is to come is a part of the last: a window may be as long as one likes.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use chrono::Utc;
use log_record::Level;
use serde::Serialize;
use serde_json::Value;

use super::logs::{oldest_ms, stored_ms};
use crate::cli::{Place, Stats};
use crate::client::d1::Database;
use crate::histogram::Histogram;
use crate::sql::{self, Measure};
use crate::time::{self, Zone};
use crate::{Error, output};

/// The first slice.
const SLICE_MS: i64 = 6 * 3_600_000;
/// The shortest slice: below it a failure is a failure.
const SLICE_LEAST_MS: i64 = 60_000;
/// Different exceptions taken from one slice.
const EXCEPTIONS_A_SLICE: usize = 1000;

/// The figures of one Worker.
#[derive(Debug, Default)]
pub struct Figures {
    invocations: u64,
    errors: u64,
    latency: Histogram,
    cpu: Histogram,
    records: BTreeMap<String, u64>,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measured {
    workers: BTreeMap<String, Figures>,
    /// By Worker, name and message.
    exceptions: BTreeMap<(String, String, String), u64>,
    /// Whether a slice had more different exceptions than were taken.
    exceptions_cut: bool,
}

/// Percentiles in whole milliseconds.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Percentiles {
    /// How many invocations have this figure.
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

/// One exception.
#[derive(Debug, Serialize)]
pub struct ExceptionReport {
    /// The Worker.
    pub worker_name: String,
    /// The error's name.
    pub name: String,
    /// The message's first 200 characters.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Stats, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let now = Utc::now();
    let zone = if args.utc { Zone::Utc } else { Zone::Local };
    let since = time::parse("--since", &args.since, now, zone)?;
    let until = match &args.until {
        Some(text) => time::parse("--until", text, now, zone)?,
        None => now,
    };
    if since >= until {
        return Err(Error::Usage("--since is not before --until".to_owned()));
    }
    let client = super::connect(place).await?;
    let database = Database::find(&client, &place.database()).await?;
    let measured = measure(
        &database,
        &args.worker,
        since.timestamp_millis(),
        until.timestamp_millis(),
    )
    .await?;
    let report = measured.report(time::stored(since), time::stored(until), args.exceptions);
    if args.json {
        super::json_line(out, &report)?;
    } else {
        for text in render(&report, zone, output::width()) {
            super::line(out, &text)?;
        }
    }
    if report.workers.is_empty() {
        super::note_below(
            out,
            "no records in this window; widen it with --since, or see what there is: tailrace logs",
        )?;
    }
    if measured.exceptions_cut {
        super::note_below(
            out,
            &format!(
                "more than {EXCEPTIONS_A_SLICE} different exceptions in one slice of time: rare ones may be missing or \
                 counted too low; narrow the window or name a --worker"
            ),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures `[since, until)`, in milliseconds since 1970.
///
/// # Errors
/// As the API has them.
pub async fn measure(
    database: &Database<'_>,
    workers: &[String],
    since_ms: i64,
    until_ms: i64,
) -> Result<Measured, Error> {
    let mut measured = Measured::default();
    let Some(oldest_ms) = oldest_ms(database).await? else {
        return Ok(measured);
    };
    let now_ms = Utc::now().timestamp_millis();
    let mut step = SLICE_MS;
    let mut from_ms = since_ms.max(oldest_ms);
    while from_ms < until_ms {
        let end_ms = from_ms + step;
        let to_ms = if end_ms < now_ms {
            until_ms.min(end_ms)
        } else {
            until_ms
        };
        match slice(database, workers, &stored_ms(from_ms), &stored_ms(to_ms)).await {
            Ok(rows) => {
                measured.add(&rows);
                from_ms = to_ms;
            }
            Err(error) if error.is_too_slow() && step > SLICE_LEAST_MS => step /= 2,
            Err(error) => return Err(error),
        }
    }
    Ok(measured)
}

/// The answers for one slice.
struct Slice {
    levels: Vec<Vec<Value>>,
    latencies: Vec<Vec<Value>>,
    cpu_times: Vec<Vec<Value>>,
    exceptions: Vec<Vec<Value>>,
}

async fn slice(
    database: &Database<'_>,
    workers: &[String],
    from: &str,
    to: &str,
) -> Result<Slice, Error> {
    let durations = |measure| sql::durations(measure, workers, from, to);
    Ok(Slice {
        levels: database.query(&sql::levels(workers, from, to)).await?,
        latencies: database.query(&durations(Measure::Latency)).await?,
        cpu_times: database.query(&durations(Measure::Cpu)).await?,
        exceptions: database
            .query(&sql::exceptions(workers, from, to, EXCEPTIONS_A_SLICE))
            .await?,
    })
}

/// A cell as text; empty for NULL.
fn text(cells: &[Value], index: usize) -> String {
    match cells.get(index) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// A cell as a whole number; `None` for NULL and below zero.
fn number(cells: &[Value], index: usize) -> Option<u64> {
    let value = cells.get(index)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|value| *value >= 0.0)
            .map(|value| value as u64)
    })
}

impl Measured {
    fn add(&mut self, slice: &Slice) {
        for cells in &slice.levels {
            let figures = self.workers.entry(text(cells, 0)).or_default();
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
            let key = (text(cells, 0), text(cells, 1), text(cells, 2));
            *self.exceptions.entry(key).or_default() += number(cells, 3).unwrap_or(0);
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
                    #[allow(clippy::cast_precision_loss)] // exact below 2^53
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
        let mut exceptions: Vec<_> = self
            .exceptions
            .iter()
            .map(|((worker_name, name, message), count)| ExceptionReport {
                worker_name: worker_name.clone(),
                name: name.clone(),
                message: message.clone(),
                count: *count,
            })
            .collect();
        exceptions.sort_by_key(|exception| std::cmp::Reverse(exception.count));
        exceptions.truncate(top);
        Report {
            since,
            until,
            workers,
            exceptions,
        }
    }
}

/// The headings of the table, and of the lines where there is no room for one.
const HEADINGS: [&str; 6] = [
    "WORKER",
    "INVOCATIONS",
    "ERRORS",
    "LATENCY ms p50/p95/p99",
    "CPU ms p50/p95/p99",
    "RECORDS debug/info/warn/error",
];

fn render(report: &Report, zone: Zone, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![output::paint(
        output::FAINT,
        &format!(
            "{} to {}",
            time::shown(&report.since, zone),
            time::shown(&report.until, zone)
        ),
    )];
    if report.workers.is_empty() {
        return lines;
    }
    let rows: Vec<_> = report.workers.iter().map(cells).collect();
    lines.extend(table(&rows, width).unwrap_or_else(|| list(&rows)));
    if !report.exceptions.is_empty() {
        lines.push(String::new());
        lines.push(output::paint(output::STRONG, "TOP EXCEPTIONS"));
        for exception in &report.exceptions {
            lines.push(exception_line(exception, width));
        }
    }
    lines
}

/// A Worker's figures, in the order of [`HEADINGS`].
fn cells(worker: &WorkerReport) -> [String; 6] {
    let level =
        |level: Level| output::grouped(worker.records.get(level.as_str()).copied().unwrap_or(0));
    [
        output::cut(&output::safe(&worker.worker_name), 40),
        output::grouped(worker.invocations),
        worker
            .error_rate
            .map_or_else(|| "-".to_owned(), |rate| format!("{:.1}%", rate * 100.0)),
        percentiles(&worker.latency_ms),
        percentiles(&worker.cpu_time_ms),
        Level::ALL.map(level).join("/"),
    ]
}

/// One line for each Worker; `None` where that is wider than `width`.
fn table(rows: &[[String; 6]], width: Option<usize>) -> Option<Vec<String>> {
    let headings = HEADINGS.map(str::to_owned);
    let table: Vec<_> = std::iter::once(&headings).chain(rows).collect();
    let widths: Vec<_> = (0..HEADINGS.len())
        .map(|column| {
            let cells = table.iter().filter_map(|row| row.get(column));
            cells.map(|cell| output::columns(cell)).max().unwrap_or(0)
        })
        .collect();
    let total = widths.iter().sum::<usize>() + 2 * (HEADINGS.len() - 1);
    if width.is_some_and(|width| width < total) {
        return None;
    }
    let mut lines: Vec<_> = table
        .iter()
        .map(|row| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| output::pad(cell, *width))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    if let Some(first) = lines.first_mut() {
        *first = output::paint(output::STRONG, first);
    }
    Some(lines)
}

/// One line for each figure.
fn list(rows: &[[String; 6]]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        for (index, (heading, cell)) in HEADINGS.iter().zip(row).enumerate() {
            lines.push(if index == 0 {
                output::paint(output::WORKER, cell)
            } else {
                format!("  {} {cell}", output::pad(heading, LIST_COLUMNS))
            });
        }
    }
    lines
}

/// Columns of a heading in a list: the longest one's.
const LIST_COLUMNS: usize = 29;

fn exception_line(exception: &ExceptionReport, width: Option<usize>) -> String {
    let count = format!("{:>8}", output::grouped(exception.count));
    let worker = output::safe(&exception.worker_name);
    let used = count.len() + output::columns(&worker) + 4;
    let mut message = output::safe(&exception.message);
    if !exception.name.is_empty() && !message.contains(exception.name.as_str()) {
        message = format!("{}: {message}", output::safe(&exception.name));
    }
    if let Some(width) = width {
        message = output::cut(&message, width.saturating_sub(used).max(20));
    }
    format!(
        "{count}  {}  {}",
        output::paint(output::WORKER, &worker),
        output::paint(output::BAD, &message)
    )
}

fn percentiles(of: &Percentiles) -> String {
    match (of.p50, of.p95, of.p99) {
        (Some(p50), Some(p95), Some(p99)) => format!("{p50}/{p95}/{p99}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_a_table_where_it_fits_and_else_a_list() {
        let row = ["api", "12", "8.3%", "1/2/3", "1/1/1", "0/12/0/1"].map(str::to_owned);
        let rows = [row.clone(), row];
        let wide = table(&rows, Some(120)).unwrap();
        assert_eq!(wide.len(), 3);
        assert!(wide.iter().all(|line| !line.contains('\n')));
        assert_eq!(table(&rows, None), Some(wide));
        assert_eq!(table(&rows, Some(80)), None);
        let list = list(&rows);
        assert_eq!(list.len(), 12);
        assert_eq!(list[1], "  INVOCATIONS                   12");
        assert!(HEADINGS.iter().all(|heading| heading.len() <= LIST_COLUMNS));
    }
}
