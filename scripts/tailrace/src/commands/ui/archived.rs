//! The records that are not rows: those of a trace, and those of a search where somebody asks for them. Nothing here asks
//! the terminal: what is beyond the bounds is left out, and said.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Parameters, State};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use log_record::archive::CatalogRow;
use serde::Serialize;
use serde_json::{Value, json};

use super::app::{App, Failed, describe};
use super::desk::Rank;
use super::question::{Asked, Question};
use super::rows::ListRow;
use crate::archive::bounds::Amount;
use crate::archive::{Archive, Permission, Wanted, Window};
use crate::client::d1::Database;
use crate::commands::trace::{Found, archived};
use crate::query::Query;
use crate::record::{Position, Row};
use crate::{Error, time};

/// Records of the archive that one answer has.
const MOST_RECORDS: usize = 2_000;

/// The note on the archive beside a trace.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ArchiveNote {
    /// The objects that were not read, in words.
    left_out: Option<String>,
    /// The objects that have expired.
    expired: usize,
    /// The error for which nothing was read.
    failure: Option<Value>,
}

/// Names the archive as the page reads it.
fn open(app: &App, database: &'static Database<'static>) -> Archive<'static> {
    Archive::new(
        app.client,
        database,
        &app.place.bucket(),
        Permission::Bounded,
    )
}

/// Adds the records of a trace that are not rows. A bucket that does not answer leaves the rows as they are.
pub(super) async fn add_to_trace(
    app: &App,
    database: &'static Database<'static>,
    found: &mut Found,
    limit: usize,
) -> ArchiveNote {
    let archive = open(app, database);
    let failure = archived::add_archived(&archive, found, limit).await.err();
    ArchiveNote {
        left_out: shown(archive.left_out()),
        expired: archive.expired(),
        failure: failure.as_ref().map(describe),
    }
}

fn shown(amount: Amount) -> Option<String> {
    (amount.objects > 0).then(|| amount.shown())
}

fn window_of(question: &Question) -> Window {
    Window {
        from: Some(time::stored_ms(question.from_ms)),
        to: Some(question.to.clone()),
    }
}

/// Returns the archive, and the objects of a window with records that are not rows and that `query` may mean. D1 is asked in
/// turn; the bucket is then read beside it.
async fn find_objects(
    app: &App,
    rank: Rank,
    window: Window,
    query: Query,
) -> Result<(Archive<'static>, Vec<CatalogRow>), Error> {
    let own = app.clone();
    let look = move |database| async move {
        let archive = open(&own, database);
        let objects = archive.objects_beyond_rows(&window, &query).await?;
        Ok((archive, objects))
    };
    app.desk.ask(rank, look).await.0
}

/// Says how much of a search's window is in the archive alone.
pub(super) async fn offer(
    State(app): State<App>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failed> {
    let question = asked.read(Timestamp::now())?;
    let window = window_of(&question);
    let (_, objects) = find_objects(&app, Rank::Counts, window, question.query).await?;
    Ok(Json(
        json!({"objects": objects.len(), "shown": shown(Amount::of(&objects))}),
    ))
}

/// Reads a search's records from the archive, the newest, those that are rows among them.
pub(super) async fn records(
    State(app): State<App>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failed> {
    let question = asked.read(Timestamp::now())?;
    let window = window_of(&question);
    let found = find_objects(&app, Rank::Rows, window.clone(), question.query.clone());
    let (archive, mut objects) = found.await?;
    objects.sort_by(|a, b| b.last_timestamp.cmp(&a.last_timestamp));
    let beyond = objects.split_off(archive.count_free(&objects));
    let Question { query, .. } = question;
    let wanted = Wanted::new(move |row| window.holds(&row.timestamp) && query.matches(row));
    let newest = read_newest(&archive, objects, beyond, Arc::new(wanted)).await?;
    Ok(Json(json!({
        "rows": newest.rows.into_iter().map(ListRow::from).collect::<Vec<_>>(),
        "read": newest.read.shown(),
        "left_out": shown(newest.left_out),
        "reached": newest.reached,
        "expired": archive.expired(),
    })))
}

/// The newest records of some objects.
#[derive(Debug, Default)]
struct Newest {
    /// The records, the newest first.
    rows: Vec<Row>,
    read: Amount,
    left_out: Amount,
    /// The time after which they are all there; `None` if they all are.
    reached: Option<String>,
}

/// Reads `objects`, whose last times fall, until there are [`MOST_RECORDS`]; `beyond` are older ones that are not read.
async fn read_newest(
    archive: &Archive<'_>,
    objects: Vec<CatalogRow>,
    beyond: Vec<CatalogRow>,
    wanted: Arc<Wanted>,
) -> Result<Newest, Error> {
    let mut rows: BTreeMap<Position, Row> = BTreeMap::new();
    let mut reached: Option<String> = None;
    let mut done = 0;
    let mut reading = std::pin::pin!(archive.read(objects.clone(), &wanted));
    while let Some(read) = reading.next().await {
        let (_, records) = read?;
        done += 1;
        rows.extend(records.into_iter().map(|row| (row.position(), row)));
        while rows.len() > MOST_RECORDS
            && let Some((oldest, _)) = rows.pop_first()
        {
            reached = reached.max(Some(oldest.timestamp));
        }
        // What is not read yet is older than all that is kept.
        let next = objects.get(done).map(|object| &object.last_timestamp);
        if reached.is_some() && next.is_none_or(|next| Some(next) <= reached.as_ref()) {
            break;
        }
    }
    let (read, unread) = objects.split_at(done);
    let unread: Vec<CatalogRow> = unread.iter().cloned().chain(beyond).collect();
    let newest_unread = unread.first().map(|object| object.last_timestamp.clone());
    let reached = reached.max(newest_unread);
    let mut rows: Vec<Row> = rows.into_values().rev().collect();
    rows.retain(|row| {
        reached
            .as_ref()
            .is_none_or(|reached| row.timestamp > *reached)
    });
    Ok(Newest {
        rows,
        read: Amount::of(read),
        left_out: Amount::of(&unread),
        reached,
    })
}

/// Finds a record that is not a row by its time and id.
pub(super) async fn find_record(
    app: &App,
    timestamp: &str,
    id: &str,
) -> Result<Option<Row>, Error> {
    let Some(ms) = time::millis(timestamp) else {
        return Ok(None);
    };
    let window = Window {
        from: Some(time::stored_ms(ms)),
        to: Some(time::stored_ms(ms + 1)),
    };
    let (archive, mut objects) = find_objects(app, Rank::Rows, window, Query::default()).await?;
    objects.truncate(archive.count_free(&objects));
    let own = id.to_owned();
    let wanted = Wanted::new(move |row| row.log_id == own).holding([id]);
    Ok(archive.read_all(objects, &Arc::new(wanted)).await?.pop())
}
