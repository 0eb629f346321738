//! The rows that match a filter: by pages of rows, or by slices of time where rows must be read past. [`newest`] collects
//! what it was asked for; [`Pages`] hands out all there is, and holds one page.

use jiff::Timestamp;

use crate::client::d1::{Database, PAGE_ROWS};
use crate::output::{self, Progress};
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
        progress.reached(&time::stored_ms(slices.reached_ms()));
    }
    Ok(())
}

/// Every row that matches, oldest first, page by page. One page is held, however many there are.
pub struct Pages<'d> {
    database: &'d Database<'d>,
    filter: Filter,
    slices: Slices,
    /// The place of the last row that was handed out.
    after: Position,
    progress: Progress,
}

impl<'d> Pages<'d> {
    /// Begins to read the rows of a window.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn start(
        database: &'d Database<'d>,
        filter: &Filter,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Self, Error> {
        let from = since.map_or_else(|| FIRST_TIME.to_owned(), time::stored);
        let to = until.map_or_else(|| LAST_TIME.to_owned(), time::stored);
        let slices = if filter.reads_past_rows() {
            match oldest_ms(database).await? {
                Some(oldest) => {
                    let first = time::millis(&from).map_or(oldest, |from| from.max(oldest));
                    Slices::new(first, &to, Timestamp::now().as_millisecond()).forwards()
                }
                // There are no rows: nothing is left to read.
                None => Slices::undivided(""),
            }
        } else {
            Slices::undivided(&to)
        };
        let _ = database.take_slowest();
        Ok(Self {
            database,
            filter: filter.clone(),
            slices,
            after: Position::at(from),
            progress: Progress::start(),
        })
    }

    /// Returns the next page, which holds at least one row; `None` after the last.
    ///
    /// # Errors
    /// As the API has them. To ask again goes on behind the last page.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Row>>, Error> {
        let is_sliced = self.filter.reads_past_rows();
        let halves = if is_sliced {
            Error::is_too_large
        } else {
            |error: &Error| error.is_too_large() || error.is_too_slow()
        };
        while let Some(slice) = self.slices.next_slice() {
            let after = self.after.clone().max(Position::at(slice.from));
            let asked = self
                .database
                .query_page(PAGE_ROWS, halves, |count| {
                    sql::oldest(&self.filter, &after, &slice.to, count)
                })
                .await;
            let rows = match asked {
                Ok((page, asked)) => {
                    let rows = read_rows(page)?;
                    if rows.len() < asked {
                        self.slices.advance(self.database.take_slowest());
                    }
                    rows
                }
                Err(error) if is_sliced && error.is_too_slow() && self.slices.divide() => continue,
                Err(error) => return Err(error),
            };
            if let Some(last) = rows.last() {
                self.after = last.position();
                // Rows are printed where the progress is shown.
                output::unwatch();
                return Ok(Some(rows));
            }
            self.progress
                .reached(&time::stored_ms(self.slices.reached_ms()));
        }
        Ok(None)
    }
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
                sql::oldest(filter, &after, LAST_TIME, count)
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
