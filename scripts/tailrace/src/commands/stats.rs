//! `tailrace stats`: figures per Worker over a window of time. Their definitions are in `cli::Stats`' help.
//!
//! D1 counts and groups, one slice of time after another; counts add up exactly, so the slices change nothing but the
//! length of a query. A slice that is too much for D1's 30 seconds is halved. The slices begin with the oldest row, and
//! what is to come is a part of the last: a window may be as long as one likes. [`figures`] adds the slices up,
//! [`table`] shows them.

pub mod figures;
pub mod table;

use std::io::Write;
use std::process::ExitCode;

use chrono::Utc;

use super::logs::search::{oldest_ms, stored_ms};
use crate::cli::{Place, Stats};
use crate::client::d1::Database;
use crate::sql::{self, Measure};
use crate::time::{self, Zone};
use crate::{Error, output};

use figures::{Measured, Slice};

/// The first slice.
const SLICE_MS: i64 = 6 * 3_600_000;
/// The shortest slice: below it a failure is a failure.
const SLICE_LEAST_MS: i64 = 60_000;
/// Different exceptions taken from one slice.
const EXCEPTIONS_A_SLICE: usize = 1000;

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
        for text in table::render(&report, zone, output::width()) {
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
