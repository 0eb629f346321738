//! The figures for a person: a line for each Worker, or for each figure where that is too wide.

use log_record::Level;

use super::exceptions::ExceptionReport;
use super::figures::{Percentiles, Report, WorkerReport};
use crate::output;
use crate::time::{self, Zone};

/// The headings of the table, and of the lines where there is no room for one.
const HEADINGS: [&str; 6] = [
    "WORKER",
    "INVOCATIONS",
    "ERRORS",
    "LATENCY ms p50/p95/p99",
    "CPU ms p50/p95/p99",
    "RECORDS debug/info/warn/error",
];

/// Columns of a Worker's name: at most so many, and at least these where a table is to fit.
const NAME_COLUMNS: usize = 40;
const NAME_LEAST_COLUMNS: usize = 16;

/// Columns that a Worker's name leaves to an exception's message.
const MESSAGE_COLUMNS: usize = 20;

/// The report, line by line.
#[must_use]
pub fn render(report: &Report, zone: &Zone, width: Option<usize>) -> Vec<String> {
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
            lines.push(exception_detail(exception, zone, width));
        }
    }
    lines
}

/// A Worker's figures, in the order of [`HEADINGS`].
fn cells(worker: &WorkerReport) -> [String; 6] {
    let level =
        |level: Level| output::grouped(worker.records.get(level.as_str()).copied().unwrap_or(0));
    [
        output::cut(&output::safe(&worker.worker_name), NAME_COLUMNS),
        output::grouped(worker.invocations),
        worker
            .error_rate
            .map_or_else(|| "-".to_owned(), |rate| format!("{:.1}%", rate * 100.0)),
        percentiles(&worker.latency_ms),
        percentiles(&worker.cpu_time_ms),
        Level::ALL.map(level).join("/"),
    ]
}

/// One line for each Worker, whose name is cut where that helps; `None` where it is wider than `width` even so.
fn table(rows: &[[String; 6]], width: Option<usize>) -> Option<Vec<String>> {
    let headings = HEADINGS.map(str::to_owned);
    let table: Vec<_> = std::iter::once(&headings).chain(rows).collect();
    let mut widths: Vec<_> = (0..HEADINGS.len())
        .map(|column| {
            let cells = table.iter().filter_map(|row| row.get(column));
            cells.map(|cell| output::columns(cell)).max().unwrap_or(0)
        })
        .collect();
    let total = widths.iter().sum::<usize>() + 2 * (HEADINGS.len() - 1);
    if let (Some(width), Some(name)) = (width, widths.first_mut()) {
        let others = total - *name;
        let room = width.saturating_sub(others);
        if room < (*name).min(NAME_LEAST_COLUMNS) {
            return None;
        }
        *name = room.min(*name);
    }
    let mut lines: Vec<_> = table
        .iter()
        .map(|row| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| output::pad(&output::cut(cell, *width), *width))
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
    let mut worker = output::safe(&exception.workers.join(", "));
    if let Some(width) = width {
        let room = width.saturating_sub(count.len() + 4 + MESSAGE_COLUMNS);
        worker = output::cut(&worker, room.clamp(NAME_LEAST_COLUMNS, NAME_COLUMNS));
    }
    let used = count.len() + output::columns(&worker) + 4;
    let mut message = output::safe(&exception.message);
    if !exception.name.is_empty() && !message.contains(exception.name.as_str()) {
        message = format!("{}: {message}", output::safe(&exception.name));
    }
    if let Some(width) = width {
        message = output::cut(&message, width.saturating_sub(used).max(MESSAGE_COLUMNS));
    }
    format!(
        "{count}  {}  {}",
        output::paint(output::WORKER, &worker),
        output::paint(output::BAD, &message)
    )
}

/// Returns where an exception was thrown, since when it has been, and how to see one of them.
fn exception_detail(exception: &ExceptionReport, zone: &Zone, width: Option<usize>) -> String {
    let mut parts = Vec::new();
    if !exception.frame.is_empty() {
        parts.push(format!("at {}", output::safe(&exception.frame)));
    }
    parts.push(format!(
        "{} to {}",
        time::shown(&exception.first_seen, zone),
        time::shown(&exception.last_seen, zone)
    ));
    parts.push(format!("tailrace trace {}", output::safe(&exception.trace)));
    let text = format!("{:10}{}", "", parts.join("; "));
    let text = match width {
        Some(width) => output::cut(&text, width),
        None => text,
    };
    output::paint(output::FAINT, &text)
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
        // A name as long as any is cut rather than the table given up.
        let mut long = rows.clone();
        long[0][0] = "x".repeat(NAME_COLUMNS);
        let lines = table(&long, Some(120)).unwrap();
        let plain = |line: &String| anstream::adapter::strip_str(line).to_string();
        assert!(
            lines
                .iter()
                .all(|line| output::columns(&plain(line)) <= 120)
        );
        assert!(lines[1].starts_with("xxxx") && lines[1].contains("x…  12"));
        let list = list(&rows);
        assert_eq!(list.len(), 12);
        assert_eq!(list[1], "  INVOCATIONS                   12");
        assert!(HEADINGS.iter().all(|heading| heading.len() <= LIST_COLUMNS));
    }

    #[test]
    fn an_exception_fits_whatever_its_worker_is_called() {
        let exception = ExceptionReport {
            fingerprint: "0123abcd".to_owned(),
            name: "TypeError".to_owned(),
            message: "x is undefined, and more words than fit in any line".to_owned(),
            frame: "handler (index.js)".to_owned(),
            count: 12_345,
            workers: vec!["long-name".repeat(7)],
            first_seen: "2026-11-23T00:00:00.000Z".to_owned(),
            last_seen: "2026-11-23T10:00:00.000Z".to_owned(),
            trace: "corr".to_owned(),
        };
        for width in [60, 80, 120] {
            let line = exception_line(&exception, Some(width));
            let plain = anstream::adapter::strip_str(&line).to_string();
            assert!(output::columns(&plain) <= width, "{width}: {plain}");
            assert!(plain.contains("TypeError"), "{plain}");
            let detail = exception_detail(&exception, &Zone::Utc, Some(width));
            assert!(output::columns(&anstream::adapter::strip_str(&detail).to_string()) <= width);
        }
        assert!(exception_line(&exception, None).contains(&exception.workers[0]));
        let detail = exception_detail(&exception, &Zone::Utc, None);
        assert!(
            detail.contains("at handler (index.js); 2026-11-23 00:00:00.000Z to"),
            "{detail}"
        );
        assert!(detail.contains("tailrace trace corr"), "{detail}");
    }
}
