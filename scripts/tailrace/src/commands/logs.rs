//! `tailrace logs`: the newest records that match, oldest of them first. [`mod@print`] writes them, and [`follow`] goes on
//! with new ones.

pub mod follow;
pub mod print;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::cli::Logs;
use crate::client::d1::Database;
use crate::ids::{self, Resolution};
use crate::place::Place;
use crate::record::Row;
use crate::search::{Pages, newest};
use crate::sql::{Filter, IdColumn};
use crate::time::{self, Edge, Zone};
use crate::{Error, error, output};

use follow::Follower;
use print::Printer;

/// Records that are shown where nothing else is asked for.
const LIMIT: usize = 100;

/// How much longer than a deep look's slice took D1 is left to others before the next.
const REST_FACTOR: u32 = 3;

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Logs, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    let zone = args.zone.zone();
    let when = |option, text: &Option<String>, edge| {
        text.as_deref()
            .map(|text| time::parse(option, text, now, &zone, edge))
            .transpose()
    };
    let since = when("--since", &args.since, Edge::Start)?;
    let until = when("--until", &args.until, Edge::End)?;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Error::Usage(format!(
            "--since ({}) is not before --until ({})",
            time::shown(&time::stored(since), &zone),
            time::shown(&time::stored(until), &zone)
        )));
    }
    let late = late_seconds(&args.late)?;
    let limit = args
        .limit
        .unwrap_or(if args.follow && args.since.is_some() {
            usize::MAX
        } else {
            LIMIT
        });
    if limit == 0 && !args.follow {
        return Err(Error::Usage(
            "--limit: 0 shows nothing; with --follow it shows only new records".to_owned(),
        ));
    }
    let client = super::connect(place).await?;
    let database = super::open(&client, place).await?;
    let mut filter = Filter {
        workers: args.worker.clone(),
        level: args.level,
        correlation_id: args.correlation_id.clone(),
        request_id: args.request_id.clone(),
        grep: args.grep.clone(),
    };
    if let Some(code) = resolve_ids(&database, &mut filter, &zone).await? {
        return Ok(code);
    }
    let printer = Printer {
        json: args.format.is_json(place.output),
        wrap: args.wrap,
        zone,
        width: output::width(),
    };

    let mut follower = if args.follow {
        Some(Follower::start(&database, filter.clone(), late).await?)
    } else {
        None
    };
    let mut is_empty = true;
    if limit == usize::MAX {
        let mut pages = Pages::start(&database, &filter, since, until).await?;
        while let Some(rows) = pages.next_page().await? {
            is_empty = false;
            print_rows(&rows, &printer, out)?;
            if let Some(follower) = &mut follower {
                follower.mark_shown(&database, &rows).await?;
            }
        }
    } else {
        // One more than is shown tells whether there are more.
        let mut rows = newest(&database, &filter, since, until, limit.saturating_add(1)).await?;
        let more = rows.len() > limit;
        if more {
            rows.drain(..rows.len() - limit);
        }
        is_empty = rows.is_empty();
        print_rows(&rows, &printer, out)?;
        if more && limit > 0 {
            let shown = output::counted(limit as u64, "record", "records");
            output::note(&format!(
                "the newest {shown}; there are more: --limit shows more of them, --limit all every one"
            ));
        }
        if let Some(follower) = &mut follower {
            follower.mark_shown(&database, &rows).await?;
        }
    }
    if let Some(follower) = &mut follower {
        let interval = Duration::from_secs(args.interval);
        return go_on(follower, &database, interval, None, &printer, out).await;
    }
    if is_empty {
        output::note(&nothing(args));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints rows, and hands them on at once.
fn print_rows(rows: &[Row], printer: &Printer, out: &mut dyn Write) -> Result<(), Error> {
    for row in rows {
        printer.print(row, out)?;
    }
    out.flush().map_err(Error::io("standard output"))
}

/// Reads `--late`.
fn late_seconds(text: &str) -> Result<u32, Error> {
    let age = time::parse_age(text).ok_or_else(|| {
        Error::Usage(format!(
            "--late: \"{text}\" is not an age; write one such as 6h"
        ))
    })?;
    Ok(u32::try_from(age.as_secs()).unwrap_or(u32::MAX))
}

/// Replaces the ids of the filter by the stored ones that they mean. Returns an exit code where one of them fits several,
/// which are listed; an unknown id stays as it is, as it may be stored yet.
async fn resolve_ids(
    database: &Database<'_>,
    filter: &mut Filter,
    zone: &Zone,
) -> Result<Option<ExitCode>, Error> {
    for (column, id) in [
        (IdColumn::Correlation, &mut filter.correlation_id),
        (IdColumn::Request, &mut filter.request_id),
    ] {
        let Some(text) = id else { continue };
        match ids::resolve(database, text.trim(), &[column]).await? {
            Resolution::One(found) => *text = found.id,
            Resolution::Unknown => {}
            Resolution::Several(candidates) => {
                ids::list(text, &candidates, zone);
                return Ok(Some(ExitCode::from(error::FAILED)));
            }
        }
    }
    Ok(None)
}

fn nothing(args: &Logs) -> String {
    let windowed = args.since.is_some() || args.until.is_some();
    let filtered = !args.worker.is_empty()
        || args.level.is_some()
        || args.grep.is_some()
        || args.correlation_id.is_some()
        || args.request_id.is_some();
    let advice = match (windowed, filtered) {
        (false, false) => {
            return "no records yet; attach a Worker with tail_consumers = [{ service = \"tail-ingest\" }], send it a \
                    request, and wait some seconds"
                .to_owned();
        }
        (true, false) => "widen --since and --until",
        (false, true) => "leave a filter out",
        (true, true) => "widen --since and --until, or leave a filter out",
    };
    let capitals = args
        .grep
        .as_ref()
        .is_some_and(|text| text.chars().any(char::is_uppercase));
    format!(
        "no record matches; {advice}{} (records are kept for 7 days unless RETENTION_DAYS says otherwise)",
        if capitals {
            ", or write --grep without capitals"
        } else {
            ""
        }
    )
}

/// Prints new rows as they arrive: until Ctrl-C, until none came for `silence`, or until something fails for good.
///
/// # Errors
/// What fails for good.
pub async fn go_on(
    follower: &mut Follower,
    database: &Database<'_>,
    interval: Duration,
    silence: Option<Duration>,
    printer: &Printer,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    // Nothing is printed halfway: where this is left, it was waiting.
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        ended = print_new(follower, database, interval, silence, printer, out) => {
            ended.map(|()| ExitCode::SUCCESS)
        }
    }
}

async fn print_new(
    follower: &mut Follower,
    database: &Database<'_>,
    interval: Duration,
    silence: Option<Duration>,
    printer: &Printer,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let started = Instant::now();
    let mut heard = started;
    loop {
        let mut next = Instant::now() + interval;
        if let Some(silence) = silence {
            next = next.min(heard + silence);
        }
        tokio::time::sleep_until(next).await;
        let next = Instant::now() + interval;
        if show(follower.poll(database).await, printer, out)? {
            heard = Instant::now();
        }
        if silence.is_some_and(|silence| heard.elapsed() >= silence) {
            return Ok(());
        }
        // What arrives later than the latest rows has the time until they are looked at again.
        loop {
            let began = Instant::now();
            let Some(rows) = follower.deepen(database, started.elapsed()).await else {
                break;
            };
            if show(rows, printer, out)? {
                heard = Instant::now();
            }
            // D1 runs one statement at a time, and log-writer waits in the same line.
            let rest = began.elapsed() * REST_FACTOR;
            tokio::time::sleep(rest).await;
            if Instant::now() >= next {
                break;
            }
        }
    }
}

/// Prints what a look found, and says where it failed in a way that may pass. Returns whether there was anything.
fn show(
    found: Result<Vec<Row>, Error>,
    printer: &Printer,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    match found {
        Ok(rows) => {
            print_rows(&rows, printer, out)?;
            Ok(!rows.is_empty())
        }
        // Nothing is lost by going on: the next look begins where the last successful one did.
        Err(error @ (Error::Network { .. } | Error::Api { .. } | Error::NoLogin { .. })) => {
            output::note(&format!("{error}; still following"));
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
