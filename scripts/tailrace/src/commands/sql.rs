//! `tailrace sql`: any question, and nothing but questions.
//!
//! [`question`] lets only statements through that read, and bounds their rows; `table` shows the answer.

pub mod question;
mod table;

use std::io::{IsTerminal as _, Read as _, Write};
use std::process::ExitCode;

use serde_json::value::to_raw_value;

use super::cells::{Cells, RowWriter};
use crate::cli::{Format, RecordFormat, Sql};
use crate::client::d1::{Database, Table};
use crate::place::Place;
use crate::{Error, output};

use question::Question;

/// The longest statement that D1 takes. (D1 limits: 100 KB.)
const STATEMENT_BYTES: u64 = 100_000;

/// Runs the command.
///
/// # Errors
/// [`Error::Usage`] where the statement is not one that only reads; else as the API has them.
pub async fn run(args: &Sql, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let text = if args.statement == "-" {
        read_statement()?
    } else {
        args.statement.clone()
    };
    let question = Question::read(&text).map_err(Error::Usage)?;
    let client = super::connect(place).await?;
    let database = super::open(&client, place).await?;
    if !args.yes {
        confirm(&scans(&database, &question).await?)?;
    }
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let answer = ask(&database, &question, limit).await?;
    let format = format(args, place);
    if format == RecordFormat::Text {
        let (lines, is_cut) = table::render(&answer.table, output::width());
        for text in lines {
            super::line(out, &text)?;
        }
        if is_cut {
            super::note_below(out, "long cells are cut; -o json has them whole")?;
        }
    } else {
        let mut writer = RowWriter::new(format, answer.table.columns.clone());
        writer.write(&cells(&answer.table), out)?;
    }
    if answer.is_cut {
        super::note_below(
            out,
            &format!("there are more than {limit} rows; ask for more with --limit"),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// D1's answer.
#[derive(Debug)]
pub struct Answer {
    /// At most as many rows as asked for.
    pub table: Table,
    /// True if there are more.
    pub is_cut: bool,
}

/// Asks D1 for at most `limit` rows.
///
/// # Errors
/// As the API has them.
pub async fn ask(
    database: &Database<'_>,
    question: &Question,
    limit: usize,
) -> Result<Answer, Error> {
    // One more row tells whether there are more.
    let statement = question.statement(limit.saturating_add(1));
    let mut table = database.query_table(&statement).await?;
    let is_cut = table.rows.len() > limit;
    table.rows.truncate(limit);
    Ok(Answer { table, is_cut })
}

/// Returns the steps of D1's plan that read all of `tail_logs`, or all of one of its indexes.
///
/// # Errors
/// As the API has them.
pub async fn scans(database: &Database<'_>, question: &Question) -> Result<Vec<String>, Error> {
    let Some(plan) = question.plan() else {
        return Ok(Vec::new());
    };
    let steps = database.query(&plan).await?;
    // `id, parent, notused, detail`.
    let details = steps.iter().filter_map(|cells| cells.last()?.as_str());
    Ok(details
        .filter(|detail| question.is_scan(detail))
        .map(str::to_owned)
        .collect())
}

/// Asks whether a statement with such a plan shall run.
fn confirm(scans: &[String]) -> Result<(), Error> {
    if scans.is_empty() {
        return Ok(());
    }
    let scan = Error::Scan {
        steps: scans.join("; "),
        consent: "run it with --yes",
    };
    if !std::io::stdin().is_terminal() || !output::is_watched() {
        return Err(scan);
    }
    output::say_line(&output::safe(&scan.to_string()));
    if output::confirm("Run it?") {
        return Ok(());
    }
    Err(Error::Query {
        message: "the statement was not sent".to_owned(),
        hint: "narrow it with timestamp >= '…'".to_owned(),
    })
}

fn read_statement() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(STATEMENT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(Error::io("standard input"))?;
    Ok(text)
}

/// Returns the form of the rows: as asked for, else a table on a terminal and JSON in a pipe.
fn format(args: &Sql, place: &Place) -> RecordFormat {
    let configured = place.output.map(|format| match format {
        Format::Text => RecordFormat::Text,
        Format::Json => RecordFormat::Json,
    });
    match args.output.or(configured) {
        _ if args.json => RecordFormat::Json,
        Some(format) => format,
        None if std::io::stdout().is_terminal() => RecordFormat::Text,
        None => RecordFormat::Json,
    }
}

fn cells(table: &Table) -> Vec<Cells> {
    let cell = |value| Some(to_raw_value(value).ok()?).filter(|raw| raw.get() != "null");
    let rows = table.rows.iter();
    rows.map(|row| row.iter().map(cell).collect()).collect()
}
