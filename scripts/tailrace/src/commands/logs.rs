//! `tailrace logs`: the newest records that match, oldest of them first. [`filter`] reads the options, [`around`] adds
//! neighbours, [`mod@print`] writes the records by their [`fields`], and [`news`] goes on with new ones, which [`follow`]
//! finds.

pub mod around;
pub mod fields;
pub mod filter;
pub mod follow;
pub mod news;
pub mod print;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::archive::Archive;
use crate::cli::Logs;
use crate::merge::MergedSearch;
use crate::place::Place;
use crate::query::Query;
use crate::record::Row;
use crate::search::{Allowance, Search};
use crate::time;
use crate::{Error, error, output};

use around::Surroundings;
use news::News;
use print::{Printer, Style};

/// Records that are shown where nothing else is asked for.
const LIMIT: usize = 100;

/// The reason why reading stopped, and the next step.
const STOPPED: &str = "as more than 100 MB would be read";
const READ_ON: &str = "--yes reads on; a longer fixed text, or a shorter time, reads less";

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Logs, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let zone = args.zone.zone();
    let mut window = super::read_window(args.since.as_deref(), args.until.as_deref(), &zone)?;
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
    if args.text.regex && window.since.is_none() && !query.is_narrow() {
        window.since = look_an_hour_back(window.until);
    }

    let allowance = if args.archive.yes || query.is_exact() {
        Allowance::unlimited()
    } else {
        Allowance::asking()
    };
    let search = Search {
        database: &database,
        query: &query,
        since: window.since,
        until: window.until,
        oldest_ms: None,
        allowance: &allowance,
    };
    let permission = args.archive.permission();
    let archive = Archive::new(&client, &database, &place.bucket(), permission);
    let mut news = if args.follow {
        Some(News::start(&archive, query.clone(), late).await?)
    } else {
        None
    };
    let search = MergedSearch {
        search,
        archive: &archive,
    };
    let mut show = Show {
        archive: &archive,
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
            let shown = news.is_some().then(|| rows.clone());
            show.rows(rows, out).await?;
            if let (Some(news), Some(rows)) = (&mut news, shown) {
                news.mark_shown(&rows).await?;
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
        let shown = news.is_some().then(|| rows.clone());
        show.rows(rows, out).await?;
        if more && limit > 0 {
            let shown = output::counted(limit as u64, "record", "records");
            output::note(&format!(
                "the newest {shown}; there are more: --limit shows more of them, --limit all every one"
            ));
        }
        if let (Some(news), Some(rows)) = (&mut news, shown) {
            news.mark_shown(&rows).await?;
        }
        stopped_at = found.stopped_at;
    }
    archive.note_missing();
    if let Some(time) = stopped_at {
        output::note_with_hint(&format!("stopped at {time}, {STOPPED}"), READ_ON);
        return Ok(ExitCode::from(error::FAILED));
    }
    if let Some(news) = &mut news {
        let interval = Duration::from_secs(args.interval);
        return news.go_on(interval, None, &mut printer, out).await;
    }
    if is_empty {
        output::note(&nothing(args, &query));
        note_older(&archive, window.since).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the time an hour before the end: D1 cannot answer an expression, so the records that may match are read.
fn look_an_hour_back(until: Option<Timestamp>) -> Option<Timestamp> {
    output::note("looking one hour back; --since looks further");
    let end = until.unwrap_or_else(Timestamp::now);
    end.checked_sub(SignedDuration::from_hours(1)).ok()
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

/// Shows rows as they are found.
struct Show<'a, 'd> {
    archive: &'a Archive<'d>,
    surroundings: Option<Surroundings>,
    printer: &'a mut Printer,
    groups: usize,
}

impl Show<'_, '_> {
    async fn rows(&mut self, rows: Vec<Row>, out: &mut dyn Write) -> Result<(), Error> {
        let Some(surroundings) = &mut self.surroundings else {
            return print_rows(&rows, self.printer, out);
        };
        for group in surroundings.add(self.archive, rows).await? {
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

/// Says where the archive was not looked through.
async fn note_older(archive: &Archive<'_>, since: Option<Timestamp>) -> Result<(), Error> {
    if since.is_none() && archive.reaches_further_back().await? {
        output::note("the archive has older records: --since looks there");
    }
    Ok(())
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
