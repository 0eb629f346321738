//! The records of a trace that D1 does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Found, requests_of};
use crate::Error;
use crate::archive::{Archive, KnownRecords, Wanted, Window};
use crate::ids::{self, Candidate, Resolution};
use crate::query::{Query, without_data_centre};
use crate::record::{Position, Row};
use crate::sql::IdColumn;

/// Adds the records of the archive that belong to `found`, in the objects of its records. At most `limit` are left, the
/// oldest.
///
/// # Errors
/// As the API has them, and [`Error::MuchToRead`].
pub async fn add_archived(
    archive: &Archive<'_>,
    found: &mut Found,
    limit: usize,
) -> Result<(), Error> {
    let id = found.id.clone();
    let column = found.column;
    let fetches = match column {
        IdColumn::Correlation => requests_of(&found.rows, |row| row.event_type() == "fetch"),
        IdColumn::Request => BTreeSet::new(),
    };
    let known = found.rows.iter().chain(found.invocations.values());
    let known = requests_of(known, |row| row.kind() == "invocation");
    let mut unknown = requests_of(&found.rows, |_| true);
    unknown.retain(|request| !known.contains(request));
    let texts: Vec<String> = fetches
        .iter()
        .chain(&unknown)
        .map(|(request, _)| request.clone())
        .chain([id.clone()])
        .collect();
    let invocations = unknown.clone();
    let wanted = Wanted::new(move |row| {
        let is_of = |requests: &BTreeSet<_>| {
            let request = row.request_id.clone();
            request.is_some_and(|request| requests.contains(&(request, row.worker_name.clone())))
        };
        holds(row, column, &id)
            || is_of(&fetches)
            || (row.kind() == "invocation" && is_of(&unknown))
    });
    let wanted = Arc::new(wanted.holding(texts.iter().map(String::as_str)));
    let known = KnownRecords::of(&found.rows, found.invocations.values());
    let archived = archive.read_around(&known, &wanted).await?;
    let (others, own): (Vec<_>, Vec<_>) = archived.into_iter().partition(|row| {
        let request = row.request_id.clone().unwrap_or_default();
        let is_fetch = row.event_type() == "fetch" && column == IdColumn::Correlation;
        let is_own = holds(row, column, &found.id) || is_fetch;
        !is_own && invocations.contains(&(request, row.worker_name.clone()))
    });
    for row in others {
        if let Some(request) = row.request_id.clone() {
            found
                .invocations
                .insert((request, row.worker_name.clone()), row);
        }
    }
    add_rows(found, own, limit);
    Ok(())
}

/// Adds records, each once, and leaves the oldest `limit`.
fn add_rows(found: &mut Found, rows: Vec<Row>, limit: usize) {
    if rows.is_empty() {
        return;
    }
    let known = std::mem::take(&mut found.rows);
    let all = rows.into_iter().chain(known);
    let all: BTreeMap<Position, Row> = all.map(|row| (row.position(), row)).collect();
    found.rows = all.into_values().take(limit).collect();
}

/// Adds the records of an id whose rows have expired, from the objects of a window. Where nothing was found yet, `text` may
/// be the beginning of an id; returns the ids that it means.
///
/// # Errors
/// As the API has them, and [`Error::MuchToRead`].
pub async fn find_expired(
    archive: &Archive<'_>,
    text: &str,
    mut window: Window,
    found: &mut Found,
    limit: usize,
) -> Result<Resolution, Error> {
    let is_known = !found.rows.is_empty();
    let oldest = archive.oldest_row().await?;
    if window.to.as_deref().is_none_or(|to| to > oldest) {
        window.to = Some(oldest.to_owned());
    }
    let objects = archive
        .objects_beyond_rows(&window, &Query::default())
        .await?;
    if window.from >= window.to || objects.is_empty() || !archive.allow(&objects)? {
        return Ok(Resolution::Unknown);
    }
    let start = if is_known {
        found.id.clone()
    } else {
        without_data_centre(text).to_owned()
    };
    let begin = start.clone();
    let is_cut = !is_known && !ids::is_short(text);
    let wanted = Wanted::new(move |row| {
        let columns = [&row.correlation_id, &row.request_id];
        let mut ids = columns.into_iter().flatten();
        window.holds(&row.timestamp)
            && ids.any(|id| *id == begin || is_cut && id.starts_with(&begin))
    });
    let wanted = Arc::new(wanted.holding([start.as_str()]));
    let rows = archive.read_all(objects, &wanted).await?;
    let resolution = if is_known {
        Resolution::Unknown
    } else {
        ids::choose(text, candidates(&rows, &start))
    };
    if let Resolution::One(candidate) = &resolution {
        found.id.clone_from(&candidate.id);
        found.column = candidate.column;
    }
    let (id, column) = (found.id.clone(), found.column);
    let meant = rows.into_iter().filter(|row| holds(row, column, &id));
    add_rows(found, meant.collect(), limit);
    Ok(resolution)
}

/// Returns the ids of `rows` that begin with `start`, by id. One of both kinds is a correlation id.
fn candidates(rows: &[Row], start: &str) -> BTreeMap<String, Candidate> {
    let mut found = BTreeMap::new();
    for column in super::COLUMNS {
        for row in rows {
            let id = match column {
                IdColumn::Correlation => &row.correlation_id,
                IdColumn::Request => &row.request_id,
            };
            let Some(id) = id.as_ref().filter(|id| id.starts_with(start)) else {
                continue;
            };
            found.entry(id.clone()).or_insert_with(|| Candidate {
                column,
                id: id.clone(),
                timestamp: row.timestamp.clone(),
                worker: row.worker_name.clone(),
            });
        }
    }
    found
}

fn holds(row: &Row, column: IdColumn, id: &str) -> bool {
    let held = match column {
        IdColumn::Correlation => &row.correlation_id,
        IdColumn::Request => &row.request_id,
    };
    held.as_deref() == Some(id)
}
