//! The rows that match a filter: by pages of rows, or by slices of time where rows must be read past.

use jiff::Timestamp;

use crate::client::d1::Database;
use crate::output::Progress;
use crate::record::{Row, read_rows};
use crate::slices::Slices;
use crate::sql::{self, FIRST_TIME, Filter, LAST_TIME, Position};
use crate::{Error, time};

/// Returns the newest `limit` rows that match, oldest first; `None` is all of them.
///
/// # Errors
/// As the API has them.
pub async fn newest(
    database: &Database<'_>,
    filter: &Filter,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let from = since.map_or_else(|| FIRST_TIME.to_owned(), time::stored);
    let to = until.map_or_else(|| LAST_TIME.to_owned(), time::stored);
    let mut rows = Vec::new();
    if filter.reads_past_rows() {
        read_slices(database, filter, &from, &to, limit, &mut rows).await?;
    } else {
        let halves = |error: &Error| error.is_too_large() || error.is_too_slow();
        read_pages(database, filter, (&from, &to), limit, halves, &mut rows).await?;
    }
    rows.reverse();
    Ok(rows)
}

/// Adds the newest rows of a window until there are `limit`, newest first.
async fn read_pages(
    database: &Database<'_>,
    filter: &Filter,
    (from, to): (&str, &str),
    limit: usize,
    halves: fn(&Error) -> bool,
    rows: &mut Vec<Row>,
) -> Result<(), Error> {
    let mut before: Option<Position> = None;
    while rows.len() < limit {
        let (page, asked) = database
            .query_page(limit - rows.len(), halves, |count| {
                sql::newest(filter, from, to, before.as_ref(), count)
            })
            .await?;
        let page = read_rows(page)?;
        let full = page.len() == asked;
        before = page.last().map(Row::position);
        rows.extend(page);
        if !full {
            break;
        }
    }
    Ok(())
}

/// As [`read_pages`], but going back slice by slice of time, so that no statement reads more than a slice.
async fn read_slices(
    database: &Database<'_>,
    filter: &Filter,
    from: &str,
    to: &str,
    limit: usize,
    rows: &mut Vec<Row>,
) -> Result<(), Error> {
    let Some(oldest) = oldest_ms(database).await? else {
        return Ok(());
    };
    let first = time::millis(from).map_or(oldest, |from| from.max(oldest));
    let mut slices = Slices::new(first, to, Timestamp::now().as_millisecond());
    let progress = Progress::start();
    let _ = database.take_slowest();
    while let Some(slice) = slices.next_slice().filter(|_| rows.len() < limit) {
        let had = rows.len();
        let window = (slice.from.as_str(), slice.to.as_str());
        match read_pages(database, filter, window, limit, Error::is_too_large, rows).await {
            Ok(()) => slices.advance(database.take_slowest()),
            Err(error) if error.is_too_slow() && slices.divide() => rows.truncate(had),
            Err(error) => return Err(error),
        }
        progress.reached(slices.reached_ms());
    }
    Ok(())
}

/// Returns the oldest `limit` rows that match, oldest first. For a filter that leads to few rows.
///
/// # Errors
/// As the API has them.
pub async fn oldest(
    database: &Database<'_>,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let halves = |error: &Error| error.is_too_large() || error.is_too_slow();
    let mut rows: Vec<Row> = Vec::new();
    while rows.len() < limit {
        let after = rows.last().map_or_else(Position::first, Row::position);
        let (page, asked) = database
            .query_page(limit - rows.len(), halves, |count| {
                sql::oldest(filter, &after, count)
            })
            .await?;
        let full = page.len() == asked;
        rows.extend(read_rows(page)?);
        if !full {
            break;
        }
    }
    Ok(rows)
}

/// Returns the oldest row's timestamp in milliseconds since 1970; `None` where there are no rows.
///
/// # Errors
/// As the API has them.
pub async fn oldest_ms(database: &Database<'_>) -> Result<Option<i64>, Error> {
    let rows = database.query(&sql::oldest_timestamp()).await?;
    Ok(rows
        .first()
        .and_then(|cells| cells.first()?.as_str())
        .and_then(time::millis))
}
