//! The forms of a report. Its text form is Markdown whose columns are aligned, so that a terminal shows it as well.

use std::fmt::Write as _;

use crate::number::number;
use crate::report::{Line, Report, Table};
use crate::samples::Samples;
use crate::verdict::Verdict;

/// Rounds from which on a 95th percentile says more than the maximum.
const MANY: usize = 20;

impl Report {
    /// The report as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let facts: Vec<Vec<String>> = self
            .facts
            .iter()
            .map(|(name, value)| vec![name.clone(), value.clone()])
            .collect();
        write_grid(&mut out, &["run", ""], &facts, 1);
        for table in &self.tables {
            let _ = write!(out, "\n### {}\n\n{}\n\n", table.title, table.method);
            let (header, rows) = table.cells();
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            write_grid(&mut out, &header, &rows, 2);
        }
        if !self.targets.is_empty() {
            out.push_str("\n### Targets\n\n");
            let rows: Vec<Vec<String>> = self.targets.iter().map(Verdict::cells).collect();
            write_grid(
                &mut out,
                &["what", "target", "measured (interval)", ""],
                &rows,
                1,
            );
        }
        out
    }

    /// The report as JSON, with every sample.
    ///
    /// # Errors
    /// None in practice.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl Table {
    fn cells(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let several = self.lines.iter().any(|line| line.samples.count() > 1);
        let many = self.lines.iter().any(|line| line.samples.count() >= MANY);
        let compared = self.lines.iter().any(|line| line.baseline);
        let mut header = vec![String::new(), String::new(), self.unit.to_owned()];
        if several {
            header.extend(["min".to_owned(), "max".to_owned()]);
        }
        if many {
            header.push("p95".to_owned());
        }
        if compared {
            header.push("× (interval)".to_owned());
        }
        let mut case = None;
        let rows = self
            .lines
            .iter()
            .map(|line| {
                let again = case.replace(&line.case) == Some(&line.case);
                let mut cells = vec![
                    if again {
                        String::new()
                    } else {
                        line.case.clone()
                    },
                    line.subject.clone(),
                    number(line.samples.median()),
                ];
                if several {
                    cells.extend([number(line.samples.min()), number(line.samples.max())]);
                }
                if many {
                    cells.push(number(line.samples.p95()));
                }
                if compared {
                    let ratios = self.ratios_to_baseline(line);
                    cells
                        .push(ratios.map_or_else(String::new, |ratios| write_ratio(line, &ratios)));
                }
                cells
            })
            .collect();
        (header, rows)
    }
}

/// A ratio to a baseline with its interval; a baseline is 1.00 of itself without one.
fn write_ratio(line: &Line, ratios: &Samples) -> String {
    let (low, high) = ratios.interval();
    if line.baseline || ratios.count() == 1 {
        format!("{:.2}", ratios.median())
    } else {
        format!("{:.2} ({low:.2}–{high:.2})", ratios.median())
    }
}

/// A Markdown table; columns from `numbers` on are aligned to the right.
fn write_grid(out: &mut String, header: &[&str], rows: &[Vec<String>], numbers: usize) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .chain(header.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or_default()
            .max(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            let _ = if column >= numbers && numbers > 1 {
                write!(out, "| {cell:>width$} ")
            } else {
                write!(out, "| {cell:<width$} ")
            };
        }
        out.push_str("|\n");
    };
    line(&mut header.iter().copied());
    let rules: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| {
            if column >= numbers && numbers > 1 {
                format!("{}:", "-".repeat(width - 1))
            } else {
                "-".repeat(*width)
            }
        })
        .collect();
    line(&mut rules.iter().map(String::as_str));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut out = String::new();
        let rows = [vec!["a".to_owned(), "b".to_owned(), "12.5".to_owned()]];
        write_grid(&mut out, &["", "", "µs/log"], &rows, 2);
        assert_eq!(
            out,
            "|     |     | µs/log |\n| --- | --- | -----: |\n| a   | b   |   12.5 |\n"
        );
    }
}
