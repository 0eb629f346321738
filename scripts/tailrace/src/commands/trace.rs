//! `tailrace trace ID`: everything under one correlation id, or one request id; [`tree`] draws it.

pub mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;

use super::logs::search::{position, read};
use crate::cli::{Place, Trace};
use crate::client::d1::Database;
use crate::record::Row;
use crate::sql::{self, FIRST_TIME, Filter, Position};
use crate::time::Zone;
use crate::{Error, error, output};

/// Rows of one query.
const PAGE_ROWS: usize = 500;

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Trace, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    if args.limit == 0 {
        return Err(Error::Usage(
            "--limit: 0 records are none to show".to_owned(),
        ));
    }
    let client = super::connect(place).await?;
    let database = Database::find(&client, &place.database()).await?;
    let found = find(&database, args.id.trim(), args.limit).await?;
    if found.rows.is_empty() {
        output::note(&format!(
            "nothing has the correlation or request id \"{}\"; logs arrive some seconds after the request and are kept \
             for 7 days unless RETENTION_DAYS says otherwise; `tailrace logs` shows the ids there are",
            args.id
        ));
        return Ok(ExitCode::from(error::FAILED));
    }
    if args.json {
        for row in &found.rows {
            super::json_line(out, row)?;
        }
    } else {
        let zone = if args.utc { Zone::Utc } else { Zone::Local };
        for text in tree::render(&found, zone, output::width()) {
            super::line(out, &text)?;
        }
    }
    if found.rows.len() >= args.limit {
        super::note_below(
            out,
            &format!(
                "the oldest {}; there may be more: --limit shows more of them",
                output::counted(args.limit as u64, "record", "records")
            ),
        )?;
    }
    let others: BTreeSet<_> = found
        .rows
        .iter()
        .filter_map(|row| row.correlation_id.as_deref())
        .collect();
    if found.by_request && !others.is_empty() {
        let mut ids: Vec<_> = others.into_iter().take(5).map(str::to_owned).collect();
        ids.sort_unstable();
        super::note_below(
            out,
            &format!(
                "one invocation only; across Workers: tailrace trace {}",
                ids.join(" (or) ")
            ),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of an id.
#[derive(Debug)]
pub struct Found {
    /// The id.
    pub id: String,
    /// Whether it is a request id.
    pub by_request: bool,
    /// Its records, by time.
    pub rows: Vec<Row>,
    /// Invocation records of other correlation ids that some of `rows` belong to, by request id: a queue consumer
    /// handles many requests in one invocation, and its invocation record can be of only one.
    pub invocations: BTreeMap<String, Row>,
}

/// Looks `id` up as a correlation id, then as a request id.
///
/// # Errors
/// As the API has them.
pub async fn find(database: &Database<'_>, id: &str, limit: usize) -> Result<Found, Error> {
    let by_correlation = Filter {
        correlation_id: Some(id.to_owned()),
        ..Filter::default()
    };
    let by_request = Filter {
        request_id: Some(id.to_owned()),
        ..Filter::default()
    };
    let mut found = Found {
        id: id.to_owned(),
        by_request: false,
        rows: all(database, &by_correlation, limit).await?,
        invocations: BTreeMap::new(),
    };
    if found.rows.is_empty() {
        found.by_request = true;
        found.rows = all(database, &by_request, limit).await?;
    }
    let known: BTreeSet<_> = found
        .rows
        .iter()
        .filter(|row| row.kind() == "invocation")
        .filter_map(|row| row.request_id.clone())
        .collect();
    let missing: BTreeSet<_> = found
        .rows
        .iter()
        .filter_map(|row| row.request_id.clone())
        .filter(|id| !known.contains(id))
        .collect();
    let missing: Vec<_> = missing.into_iter().collect();
    for ids in missing.chunks(PAGE_ROWS) {
        for row in read(database.query(&sql::invocations(ids)).await?)? {
            if let Some(id) = row.request_id.clone() {
                found.invocations.insert(id, row);
            }
        }
    }
    Ok(found)
}

async fn all(database: &Database<'_>, filter: &Filter, limit: usize) -> Result<Vec<Row>, Error> {
    let mut rows: Vec<Row> = Vec::new();
    while rows.len() < limit {
        let after = rows.last().map_or_else(
            || Position {
                timestamp: FIRST_TIME.to_owned(),
                log_id: String::new(),
            },
            position,
        );
        let wanted = PAGE_ROWS.min(limit - rows.len());
        let page = read(database.query(&sql::oldest(filter, &after, wanted)).await?)?;
        let full = page.len() == wanted;
        rows.extend(page);
        if !full {
            break;
        }
    }
    Ok(rows)
}
