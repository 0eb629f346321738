//! `tailrace logs`: the newest records that match, oldest of them first; [`follow`] goes on with new ones.

pub mod follow;

use std::convert::Infallible;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cli::{Logs, Place};
use crate::client::d1::Database;
use crate::record::Row;
use crate::sql::{self, FIRST_TIME, Filter, LAST_TIME, Position};
use crate::time::{self, Zone};
use crate::{Error, output};

use follow::Follower;

/// Rows of one query. A row is at most 124 KB, usually under 1 KB.
const PAGE_ROWS: usize = 500;

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
    let mut printer = Printer {
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
            failed = go_on(follower, &database, args.interval, &mut printer, out) => match failed? {},
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
    printer: &mut Printer,
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

/// The newest `limit` rows that match, oldest first.
///
/// # Errors
/// As the API has them.
pub async fn newest(
    database: &Database<'_>,
    filter: &Filter,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let from = since.map_or_else(|| FIRST_TIME.to_owned(), time::stored);
    let to = until.map_or_else(|| LAST_TIME.to_owned(), time::stored);
    let mut rows = Vec::new();
    if filter.reads_past_rows() {
        sliced(database, filter, &from, &to, limit, &mut rows).await?;
    } else {
        paged(database, filter, &from, &to, limit, &mut rows).await?;
    }
    rows.reverse();
    Ok(rows)
}

/// Adds the newest rows of `[from, to)` until there are `limit`, newest first.
async fn paged(
    database: &Database<'_>,
    filter: &Filter,
    from: &str,
    to: &str,
    limit: usize,
    rows: &mut Vec<Row>,
) -> Result<(), Error> {
    let mut before: Option<Position> = None;
    while rows.len() < limit {
        let wanted = PAGE_ROWS.min(limit - rows.len());
        let statement = sql::newest(filter, from, to, before.as_ref(), wanted);
        let page = read(database.query(&statement).await?)?;
        let full = page.len() == wanted;
        before = page.last().map(position);
        rows.extend(page);
        if !full {
            break;
        }
    }
    Ok(())
}

/// As [`paged`], but going back slice by slice of time, so that no query reads more than a slice.
async fn sliced(
    database: &Database<'_>,
    filter: &Filter,
    from: &str,
    to: &str,
    limit: usize,
    rows: &mut Vec<Row>,
) -> Result<(), Error> {
    const HOUR_MS: i64 = 3_600_000;
    let Some(oldest) = oldest_ms(database).await? else {
        return Ok(());
    };
    let first = time::millis(from).map_or(oldest, |from| from.max(oldest));
    let mut step = HOUR_MS;
    let mut end = to.to_owned();
    // The first slice has all that is to come as well: nobody waits for the empty days until then.
    let now_ms = Utc::now().timestamp_millis();
    let mut end_ms = time::millis(to).map_or(now_ms, |to| to.min(now_ms));
    while rows.len() < limit {
        let start_ms = (end_ms - step).max(first);
        let start = stored_ms(start_ms);
        let had = rows.len();
        match paged(database, filter, &start, &end, limit, rows).await {
            Ok(()) => step = step.saturating_mul(2).min(24 * HOUR_MS),
            // Too much for one query: take less of it.
            Err(error) if error.is_too_slow() && step > HOUR_MS / 64 => {
                rows.truncate(had);
                step /= 4;
                continue;
            }
            Err(error) => return Err(error),
        }
        if start_ms <= first {
            break;
        }
        end = start;
        end_ms = start_ms;
    }
    Ok(())
}

/// The oldest row's timestamp in milliseconds since 1970; `None` where there are no rows.
///
/// # Errors
/// As the API has them.
pub(crate) async fn oldest_ms(database: &Database<'_>) -> Result<Option<i64>, Error> {
    let rows = database.query(&sql::oldest_timestamp()).await?;
    Ok(rows
        .first()
        .and_then(|cells| cells.first()?.as_str())
        .and_then(time::millis))
}

/// Milliseconds since 1970 in the stored form.
pub(crate) fn stored_ms(millis: i64) -> String {
    time::stored(DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH))
}

/// Reads the rows of an answer.
pub(crate) fn read(rows: Vec<Vec<serde_json::Value>>) -> Result<Vec<Row>, Error> {
    rows.into_iter().map(Row::read).collect()
}

/// Where a row stands.
pub(crate) fn position(row: &Row) -> Position {
    Position {
        timestamp: row.timestamp.clone(),
        log_id: row.log_id.clone(),
    }
}

/// How rows are written.
struct Printer {
    json: bool,
    wrap: bool,
    zone: Zone,
    width: Option<usize>,
}

/// From this many columns on a whole correlation id has its place in a line.
const WIDE: usize = 120;

/// Below this many columns the date and the correlation id make way for the message.
const NARROW: usize = 72;

/// How far a message below what belongs before it is set in.
const BELOW: usize = 4;

/// The least room for a message beside what stands before it.
const LEAST_ROOM: usize = 20;

impl Printer {
    fn print(&mut self, row: &Row, out: &mut dyn Write) -> Result<(), Error> {
        if self.json {
            return super::json_line(out, row);
        }
        let narrow = !self.wrap && self.width.is_some_and(|width| width < NARROW);
        let mut time = time::shown(&row.timestamp, self.zone);
        if narrow && let Some((_, of_day)) = time.split_once(' ') {
            time = String::from(of_day);
        }
        let mut correlation = output::safe(row.correlation_id.as_deref().unwrap_or("-"));
        if !self.wrap && self.width.is_some_and(|width| width < WIDE) {
            correlation = output::cut(&correlation, 9);
        }
        let level = output::pad(&row.log_level, 5);
        let mut parts = vec![
            (output::FAINT, time),
            (output::level_style(&row.log_level), level),
            (output::WORKER, output::safe(&row.worker_name)),
        ];
        if !narrow {
            parts.push((output::FAINT, correlation));
        }
        let used: usize = parts
            .iter()
            .map(|(_, text)| output::columns(text) + 1)
            .sum();
        let head: String = parts
            .iter()
            .map(|(style, text)| output::paint(*style, text) + " ")
            .collect();
        let message = output::safe(&row.message);
        let Some(width) = self.width else {
            return super::line(out, &format!("{head}{message}"));
        };
        let room = width.saturating_sub(used);
        if !self.wrap {
            let message = output::cut(&message, room.max(LEAST_ROOM));
            return super::line(out, &format!("{head}{message}"));
        }
        // Where there is little room beside it, the message goes below.
        let (indent, room) = if room < LEAST_ROOM {
            super::line(out, head.trim_end())?;
            (BELOW, width.saturating_sub(BELOW))
        } else {
            (used, room)
        };
        for (index, part) in output::wrap(&message, room).iter().enumerate() {
            if index == 0 && indent == used {
                super::line(out, &format!("{head}{part}"))?;
            } else {
                super::line(out, &format!("{:indent$}{part}", ""))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(width: usize, wrap: bool) -> String {
        let mut printer = Printer {
            json: false,
            wrap,
            zone: Zone::Utc,
            width: Some(width),
        };
        let message = format!("{}end", "some words ".repeat(20));
        let cells = [
            "id",
            "queue-consumer",
            "run",
            "0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10",
            "info",
            &message,
            "{}",
            "2026-11-23T00:00:00.000Z",
        ];
        let cells = cells.map(serde_json::Value::from).into_iter();
        let row = Row::read(cells.chain([serde_json::Value::Null]).collect()).unwrap();
        let mut out = Vec::new();
        printer.print(&row, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_line_fits_the_terminal_and_shows_what_there_is_room_for() {
        for (width, date, id) in [
            (60, false, ""),
            (80, true, "0b0f2a1c…"),
            (120, true, "0d6f1b8f9a10"),
        ] {
            let text = printed(width, false);
            assert_eq!(text.lines().count(), 1);
            assert!(output::columns(text.trim_end()) <= width, "{text}");
            assert_eq!(text.contains("2026-11-23"), date, "{text}");
            assert!(text.contains(id) && text.contains("some"), "{text}");
        }
    }

    #[test]
    fn a_wrapped_line_is_whole() {
        for width in [60, 80, 120] {
            let text = printed(width, true);
            assert!(text.contains(
                "2026-11-23 00:00:00.000Z info  queue-consumer 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10"
            ));
            assert_eq!(text.matches("words").count(), 20);
            assert!(text.trim_end().ends_with("end"));
        }
    }
}
