//! `tailrace logs`: the newest records that match, oldest of them first. [`search`] finds them, [`mod@print`] writes
//! them, and [`follow`] goes on with new ones.

pub mod follow;
pub mod print;
pub mod search;

use std::convert::Infallible;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;

use crate::cli::{Logs, Place};
use crate::client::d1::Database;
use crate::sql::Filter;
use crate::time::{self, Zone};
use crate::{Error, output};

use follow::Follower;
use print::Printer;
use search::newest;

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Logs, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let now = Utc::now();
    let zone = if args.utc { Zone::Utc } else { Zone::Local };
    let when = |option, text: &Option<String>| {
        text.as_deref()
            .map(|text| time::parse(option, text, now, zone))
            .transpose()
    };
    let since = when("--since", &args.since)?;
    let until = when("--until", &args.until)?;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Error::Usage("--since is not before --until".to_owned()));
    }
    let late = now - time::parse("--late", &args.late, now, zone)?;
    if late < chrono::Duration::zero() {
        return Err(Error::Usage(format!(
            "--late: \"{}\" is to come; write an age, such as 6h",
            args.late
        )));
    }
    if args.limit == 0 && !args.follow {
        return Err(Error::Usage(
            "--limit: 0 records are none to show; with --follow, only new ones are".to_owned(),
        ));
    }
    let filter = Filter {
        workers: args.worker.clone(),
        level: args.level,
        correlation_id: args.correlation_id.clone(),
        request_id: args.request_id.clone(),
        grep: args.grep.clone(),
    };
    let client = super::connect(place).await?;
    let database = Database::find(&client, &place.database()).await?;
    let printer = Printer {
        json: args.json,
        wrap: args.wrap,
        zone,
        width: output::width(),
    };

    let mut follower = if args.follow {
        let late = u32::try_from(late.num_seconds()).unwrap_or(u32::MAX);
        Some(Follower::start(&database, filter.clone(), late).await?)
    } else {
        None
    };
    let rows = newest(&database, &filter, since, until, args.limit).await?;
    for row in &rows {
        printer.print(row, out)?;
    }
    out.flush().map_err(Error::io("standard output"))?;
    if let Some(follower) = &mut follower {
        follower.shown(&database, &rows).await?;
        // Nothing is printed halfway: where this is left, it was waiting.
        return tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
            failed = go_on(follower, &database, args.interval, &printer, out) => match failed? {},
        };
    }
    if rows.is_empty() {
        output::note(&nothing(args));
    } else if rows.len() == args.limit && args.since.is_some() {
        output::note(&format!(
            "the newest {}; there may be more: --limit shows more of them",
            output::counted(args.limit as u64, "record", "records")
        ));
    }
    Ok(ExitCode::SUCCESS)
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

/// Prints new rows until something fails for good.
async fn go_on(
    follower: &mut Follower,
    database: &Database<'_>,
    interval: u64,
    printer: &Printer,
    out: &mut dyn Write,
) -> Result<Infallible, Error> {
    let started = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(interval)).await;
        match follower.poll(database, started.elapsed()).await {
            Ok(rows) => {
                for row in &rows {
                    printer.print(row, out)?;
                }
                out.flush().map_err(Error::io("standard output"))?;
            }
            // Nothing is lost by going on: the next look begins where the last successful one did.
            Err(error @ (Error::Network { .. } | Error::Api { .. })) => {
                output::note(&format!("{error}; still following"));
            }
            Err(error) => return Err(error),
        }
    }
}
