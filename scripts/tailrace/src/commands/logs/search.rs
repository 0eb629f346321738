//! The newest rows that match: by pages of rows, or by slices of time where rows must be read past.

use chrono::{DateTime, Utc};

use crate::client::d1::Database;
use crate::record::Row;
use crate::sql::{self, FIRST_TIME, Filter, LAST_TIME, Position};
use crate::{Error, time};

/// Rows of one query. A row is at most 124 KB, usually under 1 KB.
const PAGE_ROWS: usize = 500;

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
