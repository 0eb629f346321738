//! The result of a run: tables, and the facts that a reader needs to judge them. `targets` looks at the tables, `render`
//! writes them.

use serde::Serialize;

use crate::samples::Samples;
use crate::verdict::Verdict;

/// One run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Facts of the run, by name: its time, machine and versions.
    pub facts: Vec<(String, String)>,
    /// The tables, in order.
    pub tables: Vec<Table>,
    /// The targets, with what was measured.
    pub targets: Vec<Verdict>,
}

/// The direction in which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Such as time.
    Lower,
    /// Such as throughput.
    Higher,
}

/// Measurements of the same unit.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Name for the targets.
    pub name: &'static str,
    /// Title for readers.
    pub title: String,
    /// Method of measuring.
    pub method: String,
    /// The values' unit.
    pub unit: &'static str,
    /// The direction in which values are better.
    pub better: Better,
    /// The measurements.
    pub lines: Vec<Line>,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The circumstances; lines of the same case are compared with each other.
    pub case: String,
    /// The measured thing.
    pub subject: String,
    /// The values, one a round.
    pub samples: Samples,
    /// True if the case's other lines are compared with this one.
    pub baseline: bool,
}

impl Report {
    /// Adds a fact.
    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.push((name.to_owned(), value.into()));
    }

    /// The table `name`.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(
        name: &'static str,
        title: impl Into<String>,
        unit: &'static str,
        better: Better,
        method: impl Into<String>,
    ) -> Self {
        Self {
            name,
            title: title.into(),
            method: method.into(),
            unit,
            better,
            lines: Vec::new(),
        }
    }

    /// Adds a value to the line of `case` and `subject`, which is made where it is not there yet.
    pub fn add(&mut self, case: &str, subject: &str, value: f64) {
        if let Some(line) = self
            .lines
            .iter_mut()
            .find(|line| line.case == case && line.subject == subject)
        {
            line.samples.push(value);
            return;
        }
        self.lines.push(Line {
            case: case.to_owned(),
            subject: subject.to_owned(),
            samples: Samples::one(value),
            baseline: false,
        });
    }

    /// Has all lines of `subject` be the baselines of their cases.
    pub fn compare_with(&mut self, subject: &str) {
        for line in &mut self.lines {
            line.baseline = line.subject == subject;
        }
    }

    /// The samples of `case` and `subject`.
    #[must_use]
    pub fn samples(&self, case: &str, subject: &str) -> Option<&Samples> {
        self.lines
            .iter()
            .find(|line| line.case == case && line.subject == subject)
            .map(|line| &line.samples)
    }

    /// Returns how many times better `samples` are than `than`, round by round.
    #[must_use]
    pub fn ratios(&self, samples: &Samples, than: &Samples) -> Option<Samples> {
        samples.paired_ratios(than, self.better == Better::Lower)
    }

    /// Returns how many times better `line` is than the baseline of its case, round by round.
    #[must_use]
    pub fn ratios_to_baseline(&self, line: &Line) -> Option<Samples> {
        let baseline = self
            .lines
            .iter()
            .find(|other| other.baseline && other.case == line.case)?;
        self.ratios(&line.samples, &baseline.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_says_how_many_times_better() {
        let mut table = Table::new("cpu", "CPU", "µs", Better::Lower, "");
        table.add("small", "theirs", 6.0);
        table.add("small", "ours", 2.0);
        table.add("large", "ours", 5.0);
        table.compare_with("theirs");
        let ratios: Vec<_> = table
            .lines
            .iter()
            .map(|line| Some(table.ratios_to_baseline(line)?.median().round()))
            .collect();
        assert_eq!(ratios, [Some(1.0), Some(3.0), None]);
    }
}
