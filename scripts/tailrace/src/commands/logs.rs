//! `tailrace logs`: the newest records that match, oldest of them first. [`filter`] reads the options, [`around`] adds
//! neighbours, [`mod@print`] writes the records by their [`fields`], and [`follow`] goes on with new ones.

pub mod around;
pub mod fields;
pub mod filter;
pub mod follow;
pub mod print;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::cli::Logs;
use crate::client::d1::Database;
use crate::place::Place;
use crate::query::Query;
use crate::record::Row;
use crate::search::{Allowance, Search};
use crate::time::{self, Edge, Zone};
use crate::{Error, error, output};

use around::Surroundings;
use follow::Follower;
use print::{Printer, Style};

/// Records that are shown where nothing else is asked for.
const LIMIT: usize = 100;

/// The reason why reading stopped, and the next step.
const STOPPED: &str = "as more than 100 MB would be read: --yes reads on; a longer fixed text, or a shorter time, reads less";

/// Times as long as a deep look's slice took that D1 is left to others before the next.
const REST_FACTOR: u32 = 3;

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Logs, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    let zone = args.zone.zone();
    let (mut since, until) = read_window(args, now, &zone)?;
    let late = late_seconds(&args.late)?;
    let limit = read_limit(args)?;
    let mut query = filter::build_query(args)?;
    let mut printer = Printer::new(Style {
        format: args.format.format(place.output),
        fields: print::read_fields(&args.format.fields)?,
        wrap: args.format.wrap,
        zone: zone.clone(),
        width: output::width(),
    });
    let client = super::connect(place).await?;
    let database = super::open(&client, place).await?;
    if let Some(code) = filter::resolve_ids(&database, &mut query, &zone).await? {
        return Ok(code);
    }
    if args.text.regex && since.is_none() && !query.is_narrow() {
        // D1 cannot answer an expression, so the records that may match are read.
        let end = until.unwrap_or(now);
        since = end.checked_sub(SignedDuration::from_hours(1)).ok();
        output::note("looking one hour back; --since looks further");
    }

    let mut follower = if args.follow {
        Some(Follower::start(&database, query.clone(), late).await?)
    } else {
        None
    };
    let allowance = if args.yes || query.is_exact() {
        Allowance::unlimited()
    } else {
        Allowance::asking()
    };
    let search = Search {
        database: &database,
        query: &query,
        since,
        until,
        allowance: &allowance,
    };
    let mut show = Show {
        database: &database,
        surroundings: args.around.map(Surroundings::new),
        printer: &mut printer,
        groups: 0,
    };
    let mut is_empty = true;
    let stopped_at;
    if limit == usize::MAX {
        let mut pages = search.pages().await?;
        while let Some(rows) = pages.next_page().await? {
            is_empty = false;
            let shown = follower.is_some().then(|| rows.clone());
            show.rows(rows, out).await?;
            if let (Some(follower), Some(rows)) = (&mut follower, shown) {
                follower.mark_shown(&database, &rows).await?;
            }
        }
        stopped_at = pages.stopped_at().map(str::to_owned);
    } else {
        // One more than is shown tells whether there are more.
        let found = search.newest(limit.saturating_add(1)).await?;
        let mut rows = found.rows;
        let more = rows.len() > limit;
        if more {
            rows.drain(..rows.len() - limit);
        }
        is_empty = rows.is_empty();
        let shown = follower.is_some().then(|| rows.clone());
        show.rows(rows, out).await?;
        if more && limit > 0 {
            let shown = output::counted(limit as u64, "record", "records");
            output::note(&format!(
                "the newest {shown}; there are more: --limit shows more of them, --limit all every one"
            ));
        }
        if let (Some(follower), Some(rows)) = (&mut follower, shown) {
            follower.mark_shown(&database, &rows).await?;
        }
        stopped_at = found.stopped_at;
    }
    if let Some(time) = stopped_at {
        output::note(&format!("stopped at {time}, {STOPPED}"));
        return Ok(ExitCode::from(error::FAILED));
    }
    if let Some(follower) = &mut follower {
        let interval = Duration::from_secs(args.interval);
        return go_on(follower, &database, interval, None, &mut printer, out).await;
    }
    if is_empty {
        output::note(&nothing(args, &query));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads `--limit`.
fn read_limit(args: &Logs) -> Result<usize, Error> {
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
    Ok(limit)
}

/// Reads `--since` and `--until`.
fn read_window(
    args: &Logs,
    now: Timestamp,
    zone: &Zone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Error> {
    let when = |option, text: &Option<String>, edge| {
        text.as_deref()
            .map(|text| time::parse(option, text, now, zone, edge))
            .transpose()
    };
    let since = when("--since", &args.since, Edge::Start)?;
    let until = when("--until", &args.until, Edge::End)?;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Error::Usage(format!(
            "--since ({}) is not before --until ({})",
            time::shown(&time::stored(since), zone),
            time::shown(&time::stored(until), zone)
        )));
    }
    Ok((since, until))
}

/// Shows rows as they are found.
struct Show<'a, 'd> {
    database: &'a Database<'d>,
    surroundings: Option<Surroundings>,
    printer: &'a mut Printer,
    groups: usize,
}

impl Show<'_, '_> {
    async fn rows(&mut self, rows: Vec<Row>, out: &mut dyn Write) -> Result<(), Error> {
        let Some(surroundings) = &mut self.surroundings else {
            return print_rows(&rows, self.printer, out);
        };
        for group in surroundings.add(self.database, rows).await? {
            if self.groups > 0 {
                self.printer.divide(out)?;
            }
            self.groups += 1;
            self.printer.print_all(&group, out)?;
        }
        out.flush().map_err(Error::io("standard output"))
    }
}

/// Prints rows, and hands them on at once.
fn print_rows(rows: &[Row], printer: &mut Printer, out: &mut dyn Write) -> Result<(), Error> {
    printer.print_all(rows, out)?;
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

fn nothing(args: &Logs, query: &Query) -> String {
    let windowed = args.since.is_some() || args.until.is_some();
    let filtered = !query.is_empty();
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
    let capitals = filter::minds_capitals(query);
    format!(
        "no record matches; {advice}{} (records are kept for 7 days unless RETENTION_DAYS says otherwise)",
        if capitals {
            ", or write the text without capitals, or use --ignore-case"
        } else {
            ""
        }
    )
}

/// Prints new rows as they arrive: until Ctrl-C, until none came for `silence`, or until something fails for good.
///
/// # Errors
/// Fails for good.
pub async fn go_on(
    follower: &mut Follower,
    database: &Database<'_>,
    interval: Duration,
    silence: Option<Duration>,
    printer: &mut Printer,
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
    printer: &mut Printer,
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
    printer: &mut Printer,
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
