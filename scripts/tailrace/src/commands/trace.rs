//! `tailrace trace ID`: everything under one correlation id, or one request id. [`archived`] finds what D1 does not
//! hold; [`tree`] draws all of it.

pub mod archived;
pub mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;

use super::logs::news::News;
use super::logs::print::{Printer, Style, read_fields};
use crate::archive::Archive;
use crate::cli::{RecordFormat, Trace};
use crate::client::d1::{Database, PAGE_ROWS};
use crate::ids::{self, Candidate, Resolution};
use crate::place::Place;
use crate::query::{Operator, Query};
use crate::record::{Row, read_rows};
use crate::search::{newest, oldest};
use crate::sql::{self, IdColumn};
use crate::time::Zone;
use crate::{Error, error, output};

/// Time between two looks of `--follow`.
const INTERVAL: Duration = Duration::from_secs(2);

/// After how long without a new record `--follow` ends.
const SILENCE: Duration = Duration::from_secs(60);

/// The columns in which an id is looked for, in this order.
const COLUMNS: [IdColumn; 2] = [IdColumn::Correlation, IdColumn::Request];

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Trace, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    if args.limit == 0 {
        return Err(Error::Usage("--limit: 0 shows nothing".to_owned()));
    }
    let zone = args.zone.zone();
    let window = super::read_window(args.since.as_deref(), args.until.as_deref(), &zone)?;
    let client = super::connect(place).await?;
    let database = super::open(&client, place).await?;
    let last = match &args.id {
        Some(id) => Some(id.trim().to_owned()),
        None => last_error(&database, &args.worker, window.since).await?,
    };
    let Some(id) = last else {
        output::note_with_hint(
            "there is no error in that time",
            "leave --worker out, or name an earlier --since",
        );
        return Ok(ExitCode::from(error::FAILED));
    };
    let permission = args.archive.permission();
    let archive = Archive::new(&client, &database, &place.bucket(), permission);
    let mut news = None;
    let mut found = if args.follow {
        // What is not stored yet is waited for.
        let mut meant = (IdColumn::Correlation, id.clone());
        match ids::resolve(&database, &id, &COLUMNS).await? {
            Resolution::One(candidate) => meant = (candidate.column, candidate.id),
            Resolution::Several(candidates) => return Ok(several(&id, &candidates, &zone)),
            Resolution::Unknown => {}
        }
        let (column, id) = meant;
        news = Some(News::start(&archive, by(column, &id), u32::MAX).await?);
        find_in(&database, column, &id, args.limit).await?
    } else {
        find(&database, &id, args.limit).await?
    };
    if found.rows.is_empty() && !args.follow {
        match ids::resolve(&database, &id, &COLUMNS).await? {
            Resolution::One(candidate) => {
                found = find_in(&database, candidate.column, &candidate.id, args.limit).await?;
            }
            Resolution::Several(candidates) => return Ok(several(&id, &candidates, &zone)),
            Resolution::Unknown => {}
        }
    }
    if args.id.is_some() && window.is_given() {
        let window = window.stored();
        match archived::find_expired(&archive, &id, window, &mut found, args.limit).await? {
            Resolution::Several(candidates) => return Ok(several(&id, &candidates, &zone)),
            Resolution::One(_) | Resolution::Unknown => {}
        }
    }
    archived::add_archived(&archive, &mut found, args.limit).await?;
    archive.note_missing();
    if found.rows.is_empty() && !args.follow {
        let what = if ids::is_short(&id) {
            format!(
                "nothing has the id \"{id}\", and the beginning of an id needs at least four characters"
            )
        } else {
            format!(
                "nothing has the correlation or request id \"{id}\"; logs arrive some seconds after the request and are \
                 kept for 7 days unless RETENTION_DAYS says otherwise"
            )
        };
        let is_further_back =
            !ids::is_short(&id) && !window.is_given() && archive.reaches_further_back().await?;
        let next = if is_further_back {
            "the archive has older records: --since and --until say where to look"
        } else {
            "`tailrace logs` shows the ids there are"
        };
        output::note_with_hint(&what, next);
        return Ok(ExitCode::from(error::FAILED));
    }
    let style = Style {
        format: args.format.format(place.output),
        fields: read_fields(&args.format.fields)?,
        wrap: args.format.wrap,
        zone,
        width: output::width(),
    };
    print(&found, args, &style, out)?;
    if let Some(news) = &mut news {
        news.mark_shown(&found.rows).await?;
        let mut printer = Printer::new(style);
        return news.go_on(INTERVAL, Some(SILENCE), &mut printer, out).await;
    }
    Ok(ExitCode::SUCCESS)
}

fn several(id: &str, candidates: &[Candidate], zone: &Zone) -> ExitCode {
    ids::list(id, candidates, zone);
    ExitCode::from(error::FAILED)
}

/// Prints what was found.
fn print(found: &Found, args: &Trace, style: &Style, out: &mut dyn Write) -> Result<(), Error> {
    if found.rows.is_empty() {
        return Ok(());
    }
    if style.format == RecordFormat::Text && style.fields.is_empty() {
        for text in tree::render(found, &style.zone, style.width, style.wrap) {
            super::line(out, &text)?;
        }
    } else {
        let rows: Vec<_> = found.in_order().into_iter().cloned().collect();
        Printer::new(style.clone()).print_all(&rows, out)?;
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
    if found.column == IdColumn::Request && !others.is_empty() {
        let ids: Vec<_> = others.into_iter().take(5).collect();
        super::note_below(
            out,
            &format!(
                "one invocation only; across Workers: tailrace trace {}",
                ids.join(" (or) ")
            ),
        )?;
    }
    out.flush().map_err(Error::io("standard output"))
}

/// The records of an id.
#[derive(Debug)]
pub struct Found {
    /// The id.
    pub id: String,
    /// The column that holds it.
    pub column: IdColumn,
    /// Its records, by time.
    pub rows: Vec<Row>,
    /// Invocation records of other correlation ids that some of `rows` belong to, by request id and Worker: a queue
    /// consumer handles many requests in one invocation, and its invocation record can be of only one.
    pub invocations: BTreeMap<(String, String), Row>,
}

impl Found {
    /// Returns all records, the invocations' included, by time.
    pub(super) fn in_order(&self) -> Vec<&Row> {
        let mut rows: Vec<_> = self.rows.iter().chain(self.invocations.values()).collect();
        rows.sort_by_key(|row| row.position());
        rows
    }
}

/// Finds the records of `id` as a correlation id, else as a request id.
///
/// # Errors
/// As the API has them.
pub async fn find(database: &Database<'_>, id: &str, limit: usize) -> Result<Found, Error> {
    let found = find_in(database, IdColumn::Correlation, id, limit).await?;
    if found.rows.is_empty() {
        return find_in(database, IdColumn::Request, id, limit).await;
    }
    Ok(found)
}

/// Finds the records that hold `id` in `column`.
async fn find_in(
    database: &Database<'_>,
    column: IdColumn,
    id: &str,
    limit: usize,
) -> Result<Found, Error> {
    let mut rows = oldest(database, &by(column, id), limit).await?;
    if column == IdColumn::Correlation {
        let others = find_rest_of_requests(database, &rows, id, limit).await?;
        rows.extend(others);
        rows.sort_by_key(Row::position);
    }
    let invocations = find_invocations(database, &rows).await?;
    Ok(Found {
        id: id.to_owned(),
        column,
        rows,
        invocations,
    })
}

fn by(column: IdColumn, id: &str) -> Query {
    match column {
        IdColumn::Correlation => Query::by_correlation_id(id),
        IdColumn::Request => Query::by_request_id(id),
    }
}

/// Returns the requests and Workers of the `rows` that are meant.
fn requests_of<'r>(
    rows: impl IntoIterator<Item = &'r Row>,
    is_meant: impl Fn(&Row) -> bool,
) -> BTreeSet<(String, String)> {
    let rows = rows.into_iter().filter(|row| is_meant(row));
    rows.filter_map(|row| Some((row.request_id.clone()?, row.worker_name.clone())))
        .collect()
}

/// Finds the records of the `fetch` invocations among `rows` that have other ids than `id`: a request is shown whole,
/// whatever its lines are about. Other invocations handle many requests, each with an id of its own.
async fn find_rest_of_requests(
    database: &Database<'_>,
    rows: &[Row],
    id: &str,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let requests = requests_of(rows, |row| row.event_type() == "fetch");
    let ids: BTreeSet<_> = requests.iter().map(|(id, _)| id.clone()).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let room = limit.saturating_sub(rows.len()).min(PAGE_ROWS);
    if ids.is_empty() || room == 0 {
        return Ok(Vec::new());
    }
    let halves = |error: &Error| error.is_too_large() || error.is_too_slow();
    let (others, _) = database
        .query_page(room, halves, |count| sql::other_records(&ids, id, count))
        .await?;
    let mut others = read_rows(others)?;
    others.retain(|row| {
        let own = row
            .request_id
            .clone()
            .map(|request| (request, row.worker_name.clone()));
        own.is_some_and(|own| requests.contains(&own))
    });
    Ok(others)
}

/// Finds the invocation records that `rows` belong to and do not hold. A request that is handed from one Worker to another
/// keeps its request id, so the Worker tells invocations apart as well.
async fn find_invocations(
    database: &Database<'_>,
    rows: &[Row],
) -> Result<BTreeMap<(String, String), Row>, Error> {
    let invocation = |row: &Row| Some((row.request_id.clone()?, row.worker_name.clone()));
    let known = requests_of(rows, |row| row.kind() == "invocation");
    let mut missing = requests_of(rows, |_| true);
    missing.retain(|one| !known.contains(one));
    let ids: BTreeSet<_> = missing.iter().map(|(id, _)| id.clone()).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let halves = |error: &Error| error.is_too_large() || error.is_too_slow();
    let mut invocations = BTreeMap::new();
    let mut rest = ids.as_slice();
    while !rest.is_empty() {
        let (rows, asked) = database
            .query_page(rest.len().min(PAGE_ROWS), halves, |count| {
                sql::invocations(rest.get(..count).unwrap_or(rest))
            })
            .await?;
        for row in read_rows(rows)? {
            if let Some(one) = invocation(&row).filter(|one| missing.contains(one)) {
                invocations.insert(one, row);
            }
        }
        rest = rest.get(asked..).unwrap_or_default();
    }
    Ok(invocations)
}

/// Returns the correlation id, else the request id, of the latest error.
async fn last_error(
    database: &Database<'_>,
    workers: &[String],
    since: Option<Timestamp>,
) -> Result<Option<String>, Error> {
    let mut query = Query::parse("level:error")?;
    query.add_field("worker", Operator::Is, workers, false)?;
    let rows = newest(database, &query, since, None, 1).await?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|row| row.correlation_id.or(row.request_id)))
}
