//! The questions behind the tools: those of the commands.

use jiff::Timestamp;
use serde_json::json;

use super::Server;
use super::answer::{Answer, to_json};
use super::input::{LogsInput, Part, SqlInput, StatsInput, StatusInput, TraceInput};
use crate::Error;
use crate::archive::{Archive, Permission};
use crate::cli::PartName;
use crate::client::d1::Database;
use crate::commands::sql::question::Question;
use crate::commands::{
    sql as ask_sql, stats as measure_stats, status as check_status, trace as find_trace,
};
use crate::ids::{self, Resolution};
use crate::merge::MergedSearch;
use crate::query::Query;
use crate::search::{Allowance, Search};
use crate::sql::IdColumn;
use crate::time::{self, Edge, Zone};

/// Records of one answer, at most and unless given.
const RECORDS_MAX: u16 = 500;
const LOGS_DEFAULT: u16 = 50;
const TRACE_DEFAULT: u16 = 200;

/// Rows of one SQL answer, at most and unless given.
const ROWS_MAX: u16 = 1_000;
const ROWS_DEFAULT: u16 = 100;

/// Causes of exceptions in an answer of `stats`.
const EXCEPTIONS: usize = 20;

/// The window unless one is given.
const SINCE: &str = "1h";

async fn open(server: &Server) -> Result<Database<'_>, Error> {
    let client = server.client().await?;
    Database::find(client, &server.place.database()).await
}

/// Opens the archive; nobody can be asked whether to read much of it.
async fn open_archive<'s>(
    server: &'s Server,
    database: &'s Database<'s>,
) -> Result<Archive<'s>, Error> {
    let bucket = server.place.bucket();
    let client = server.client().await?;
    Ok(Archive::new(client, database, &bucket, Permission::Bounded))
}

/// Says what was not read of the archive.
fn left_out_of(archive: &Archive<'_>) -> Vec<String> {
    let amount = archive.left_out();
    let text = || {
        format!(
            "what {} in the archive may hold; ask for a shorter time, or a worker or level",
            amount.shown()
        )
    };
    (amount.objects > 0).then(text).into_iter().collect()
}

/// Reads the window that is meant.
fn read_window(since: Option<&str>, until: Option<&str>) -> Result<(Timestamp, Timestamp), Error> {
    let now = Timestamp::now();
    let since = time::parse(
        "since",
        since.unwrap_or(SINCE),
        now,
        &Zone::Utc,
        Edge::Start,
    )?;
    let until = match until {
        Some(text) => time::parse("until", text, now, &Zone::Utc, Edge::End)?,
        None => now,
    };
    if since >= until {
        return Err(Error::Usage("since is not before until".to_owned()));
    }
    Ok((since, until))
}

pub(super) async fn logs(server: &Server, input: &LogsInput) -> Result<Answer, Error> {
    let query = Query::parse(input.query.as_deref().unwrap_or_default())?;
    let (since, until) = read_window(input.since.as_deref(), input.until.as_deref())?;
    let limit = usize::from(input.limit.unwrap_or(LOGS_DEFAULT).clamp(1, RECORDS_MAX));
    let database = open(server).await?;
    let archive = open_archive(server, &database).await?;
    let search = Search {
        database: &database,
        query: &query,
        since: Some(since),
        until: Some(until),
        oldest_ms: None,
        allowance: &Allowance::unlimited(),
    };
    let search = MergedSearch {
        search,
        archive: &archive,
    };
    let mut rows = search.newest(limit + 1).await?.rows;
    let mut left_out = left_out_of(&archive);
    if rows.len() > limit {
        rows.remove(0);
        left_out.push(format!(
            "older records: these are the newest {limit}; ask with an earlier until, a narrower query, or a limit of up to {RECORDS_MAX}"
        ));
    }
    Ok(Answer {
        logged: Some(to_json(&rows)),
        left_out,
        ..Answer::default()
    }
    .with("since", time::stored(since))
    .with("until", time::stored(until)))
}

pub(super) async fn trace(server: &Server, input: &TraceInput) -> Result<Answer, Error> {
    let limit = usize::from(input.limit.unwrap_or(TRACE_DEFAULT).clamp(1, RECORDS_MAX));
    let database = open(server).await?;
    let mut found = find_trace::find(&database, input.id.trim(), limit).await?;
    if found.rows.is_empty() {
        let columns = [IdColumn::Correlation, IdColumn::Request];
        match ids::resolve(&database, input.id.trim(), &columns).await? {
            Resolution::One(candidate) => {
                found = find_trace::find(&database, &candidate.id, limit).await?;
            }
            Resolution::Several(candidates) => {
                let ids = candidates
                    .into_iter()
                    .map(|one| json!({"id": one.id, "first_seen": one.timestamp, "worker_name": one.worker}));
                return Ok(Answer {
                    logged: Some(to_json(ids)),
                    ..Answer::default()
                }
                .with("found", "several ids begin so: call trace with one of them"));
            }
            Resolution::Unknown => {
                return Ok(Answer::default().with(
                    "found",
                    "nothing has this correlation or request id; logs arrive some seconds after the request and are kept for \
                     7 days unless the installation says otherwise",
                ));
            }
        }
    }
    let archive = open_archive(server, &database).await?;
    find_trace::archived::add_archived(&archive, &mut found, limit).await?;
    let mut left_out = left_out_of(&archive);
    if found.rows.len() >= limit {
        left_out.push(format!(
            "records after the oldest {limit}; ask with a limit of up to {RECORDS_MAX}"
        ));
    }
    let column = match found.column {
        IdColumn::Correlation => "correlation_id",
        IdColumn::Request => "request_id",
    };
    let rows = found.in_order();
    Ok(Answer {
        logged: Some(to_json(&rows)),
        left_out,
        ..Answer::default()
    }
    .with("id", &found.id)
    .with("column", column))
}

pub(super) async fn stats(server: &Server, input: &StatsInput) -> Result<Answer, Error> {
    let (since, until) = read_window(input.since.as_deref(), input.until.as_deref())?;
    let database = open(server).await?;
    let measured = measure_stats::measure(&database, &input.workers, since, until).await?;
    let report = measured.report(time::stored(since), time::stored(until), EXCEPTIONS);
    let mut left_out = Vec::new();
    if report.exceptions.len() >= EXCEPTIONS {
        left_out.push(format!(
            "causes of exceptions after the {EXCEPTIONS} most frequent ones"
        ));
    }
    Ok(Answer {
        logged: Some(to_json(&report.exceptions)),
        left_out,
        ..Answer::default()
    }
    .with("since", &report.since)
    .with("until", &report.until)
    .with("workers", &report.workers)
    .with("counts_whole_objects", report.counts_whole_objects)
    .with(
        "untrusted_log_data_holds",
        "exceptions by cause, the most frequent first",
    ))
}

pub(super) async fn status(server: &Server, input: &StatusInput) -> Result<Answer, Error> {
    let parts: Vec<_> = input
        .parts
        .iter()
        .map(|part| PartName::from(*part))
        .collect();
    let parts = if parts.is_empty() {
        &PartName::ALL[..]
    } else {
        &parts
    };
    let client = server.client().await?;
    let report = check_status::check(client, &server.place, parts, &server.place.limits).await;
    Ok(Answer::default().with("status", report))
}

pub(super) async fn sql(server: &Server, input: &SqlInput) -> Result<Answer, Error> {
    let question = Question::read(&input.statement).map_err(Error::Usage)?;
    let limit = usize::from(input.limit.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_MAX));
    let database = open(server).await?;
    if !input.allow_scan {
        let scans = ask_sql::scans(&database, &question).await?;
        if !scans.is_empty() {
            return Err(Error::Scan {
                steps: scans.join("; "),
                consent: "ask the user and set allow_scan",
            });
        }
    }
    let answer = ask_sql::ask(&database, &question, limit).await?;
    let mut left_out = Vec::new();
    if answer.is_cut {
        left_out.push(format!(
            "rows after the first {limit}; ask with a limit of up to {ROWS_MAX}"
        ));
    }
    Ok(Answer {
        logged: Some(to_json(&answer.table.rows)),
        left_out,
        ..Answer::default()
    }
    .with("columns", answer.table.columns))
}

impl From<Part> for PartName {
    fn from(part: Part) -> Self {
        match part {
            Part::Queue => Self::Queue,
            Part::DeadLetters => Self::DeadLetters,
            Part::Database => Self::Database,
            Part::Rows => Self::Rows,
            Part::Fallback => Self::Fallback,
            Part::Archive => Self::Archive,
            Part::Workers => Self::Workers,
        }
    }
}
