//! `tailrace stats`: figures per Worker over a window of time. Their definitions are in `cli::Stats`' help.
//!
//! D1 counts and groups, one slice of time after another; counts add up exactly, so the slices change nothing but the
//! length of a statement. The slices end with the oldest row, and the time after now is a part of the first: a window may
//! be as long as one likes. [`figures`] adds the slices up, [`exceptions`] tells exceptions apart, [`fingerprint`] by what
//! they have in common, [`volumes`] counts lines that are in the archive alone, and [`table`] shows it all.

mod cells;
pub mod exceptions;
pub mod figures;
pub mod fingerprint;
pub mod table;
pub mod volumes;

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use super::cells::RowWriter;
use crate::Error;
use crate::archive::Window;
use crate::cli::{RecordFormat, Stats};
use crate::client::d1::Database;
use crate::output::{self, Progress};
use crate::place::Place;
use crate::search::oldest_ms;
use crate::slices::{self, Slices};
use crate::sql::{self, Measure};
use crate::time::{self, Edge};

use figures::{Measured, Slice};
use volumes::Volumes;

/// Different exceptions taken from one slice.
const EXCEPTIONS_A_SLICE: usize = 1000;

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Stats, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    let zone = args.zone.zone();
    let since = time::parse("--since", &args.since, now, &zone, Edge::Start)?;
    let until = match &args.until {
        Some(text) => time::parse("--until", text, now, &zone, Edge::End)?,
        None => now,
    };
    if since >= until {
        return Err(Error::Usage(format!(
            "--since ({}) is not before --until ({})",
            time::shown(&time::stored(since), &zone),
            time::shown(&time::stored(until), &zone)
        )));
    }
    let client = super::connect(place).await?;
    let database = super::open(&client, place).await?;
    let measured = measure(&database, &args.worker, since, until).await?;
    let report = measured.report(time::stored(since), time::stored(until), args.exceptions);
    match args.format.format(place.output) {
        RecordFormat::Json => super::json_line(out, &report)?,
        RecordFormat::Text => {
            for text in table::render(&report, &zone, output::width()) {
                super::line(out, &text)?;
            }
        }
        format => {
            let (columns, rows) = figures::flatten(&report);
            RowWriter::new(format, columns).write(&rows, out)?;
        }
    }
    if report.workers.is_empty() {
        super::note_below(
            out,
            "no records in this window; widen it with --since, or see what there is: tailrace logs",
        )?;
    }
    if report.counts_whole_objects {
        super::note_below(
            out,
            "debug and info: where D1 has only some of the lines, the counts of the archive's objects, each of them whole",
        )?;
    }
    if measured.exceptions_cut {
        super::note_below(
            out,
            &format!(
                "more than {EXCEPTIONS_A_SLICE} different exceptions in one second: rare ones may be missing or counted too \
                 low; name a --worker"
            ),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures `[since, until)`.
///
/// # Errors
/// As the API has them.
pub async fn measure(
    database: &Database<'_>,
    workers: &[String],
    since: Timestamp,
    until: Timestamp,
) -> Result<Measured, Error> {
    let Some(oldest_ms) = oldest_ms(database).await? else {
        return Ok(Measured::default());
    };
    let first_ms = since.as_millisecond().max(oldest_ms);
    if first_ms >= until.as_millisecond() {
        return Ok(Measured::default());
    }
    let window = Window {
        from: Some(time::stored_ms(first_ms)),
        to: Some(time::stored(until)),
    };
    let volumes = Volumes::read(database, workers, &window).await?;
    let mut measured = Measured::with_volumes(volumes);
    let now_ms = Timestamp::now().as_millisecond();
    let mut slices = Slices::new(first_ms, &time::stored(until), now_ms);
    let progress = Progress::start();
    let _ = database.take_slowest();
    while let Some(slice) = slices.next_slice() {
        match measure_slice(database, workers, &slice).await {
            // Counted in shorter slices, none is left out.
            Ok(rows) if rows.exceptions.len() >= EXCEPTIONS_A_SLICE && slices.divide() => {}
            Ok(rows) => {
                measured.add(&rows);
                slices.advance(database.take_slowest());
            }
            Err(error) if error.is_too_slow() && slices.divide() => {}
            Err(error) => return Err(error),
        }
        progress.reached(&time::stored_ms(slices.reached_ms()));
    }
    Ok(measured)
}

/// Asks for the figures of one slice of time.
pub(crate) async fn measure_slice(
    database: &Database<'_>,
    workers: &[String],
    slices::Slice { from, to }: &slices::Slice,
) -> Result<Slice, Error> {
    let statements = [
        sql::levels(workers, from, to),
        sql::durations(Measure::Latency, workers, from, to),
        sql::durations(Measure::Cpu, workers, from, to),
        exceptions::exceptions(workers, from, to, EXCEPTIONS_A_SLICE),
    ];
    let [levels, latencies, cpu_times, exceptions] = statements
        .each_ref()
        .map(|statement| database.query(statement));
    // No more than two wait for D1 at once: see `client::pace`.
    let (levels, latencies, cpu_times, exceptions) =
        tokio::try_join!(levels, latencies, cpu_times, exceptions)?;
    Ok(Slice {
        levels,
        latencies,
        cpu_times,
        exceptions,
    })
}
