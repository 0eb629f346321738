//! The rows that match a query: by pages of rows, or by slices of time where rows must be read past. Where SQL lets more
//! rows through than are meant, the query is tried on each, and an [`Allowance`] bounds what is read. [`Search::newest`]
//! collects what it was asked for; [`Pages`] hands out all there is, and holds one page.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::client::d1::{Database, PAGE_ROWS};
use crate::output::{self, Progress};
use crate::query::Query;
use crate::record::{Row, read_rows};
use crate::slices::Slices;
use crate::sql::{self, FIRST_TIME, LAST_TIME, Position};
use crate::{Error, time};

/// Bytes that are read for records which may not be meant before somebody is asked.
const ASK_BYTES: u64 = 100_000_000;

/// Bytes of a row beside its message and its context, in an answer.
const ROW_BYTES: usize = 200;

/// Bytes that may be read for a query that SQL does not answer alone.
#[derive(Debug)]
pub struct Allowance {
    read: AtomicU64,
    most: AtomicU64,
}

impl Allowance {
    /// Returns an allowance without a limit.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::of(u64::MAX)
    }

    /// Returns an allowance of 100 MB. On a terminal more is asked for.
    #[must_use]
    pub fn asking() -> Self {
        Self::of(ASK_BYTES)
    }

    fn of(most: u64) -> Self {
        Self {
            read: AtomicU64::new(0),
            most: AtomicU64::new(most),
        }
    }

    /// Counts a page of rows, and returns whether another one like it may be read.
    fn take(&self, page: &[Row]) -> bool {
        let bytes = page
            .iter()
            .map(|row| ROW_BYTES + row.message.len() + row.context.get().len())
            .sum::<usize>() as u64;
        let read = self.read.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if read.saturating_add(bytes) <= self.most.load(Ordering::Relaxed) {
            return true;
        }
        let reached = page.last().map_or("", |row| row.timestamp.as_str());
        let more = output::confirm(&format!(
            "{} MB were read, as far as {reached}. Read on?",
            output::grouped(read / 1_000_000)
        ));
        if more {
            self.most.fetch_add(ASK_BYTES.max(read), Ordering::Relaxed);
        }
        more
    }
}

/// A search: what is looked for, where, and how much may be read.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a, 'd> {
    /// The database.
    pub database: &'a Database<'d>,
    /// The query.
    pub query: &'a Query,
    /// The first time.
    pub since: Option<Timestamp>,
    /// The first time that is too late.
    pub until: Option<Timestamp>,
    /// The time of the oldest row in milliseconds since 1970, where it is known already.
    pub oldest_ms: Option<i64>,
    /// The bytes that may be read.
    pub allowance: &'a Allowance,
}

/// Rows that were found.
#[derive(Debug, Default)]
pub struct Found {
    /// The rows, oldest first.
    pub rows: Vec<Row>,
    /// The time that reading has come to, where the allowance ended it.
    pub stopped_at: Option<String>,
}

/// Returns the newest `limit` rows that match, oldest first; `usize::MAX` is all of them.
///
/// # Errors
/// As the API has them.
pub async fn newest(
    database: &Database<'_>,
    query: &Query,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let search = Search {
        database,
        query,
        since,
        until,
        oldest_ms: None,
        allowance: &Allowance::unlimited(),
    };
    Ok(search.newest(limit).await?.rows)
}

fn is_too_much(error: &Error) -> bool {
    error.is_too_large() || error.is_too_slow()
}

impl<'a, 'd> Search<'a, 'd> {
    /// Returns the newest `limit` rows that match, oldest first; `usize::MAX` is all of them.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn newest(&self, limit: usize) -> Result<Found, Error> {
        let (from, to) = self.window();
        let mut found = Found::default();
        if self.query.reads_past_rows() {
            self.read_slices(&from, &to, limit, &mut found).await?;
        } else {
            self.read_pages((&from, &to), limit, is_too_much, &mut found)
                .await?;
        }
        found.rows.truncate(limit);
        found.rows.reverse();
        Ok(found)
    }

    /// Returns all rows that match, page by page, oldest first.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn pages(self) -> Result<Pages<'a, 'd>, Error> {
        let (from, to) = self.window();
        let is_sliced = self.query.reads_past_rows();
        let slices = if is_sliced {
            match self.find_oldest_ms().await? {
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
        let _ = self.database.take_slowest();
        Ok(Pages {
            search: self,
            is_sliced,
            slices,
            after: Position::at(from),
            stopped_at: None,
            progress: Progress::start(),
        })
    }

    async fn find_oldest_ms(&self) -> Result<Option<i64>, Error> {
        if self.oldest_ms.is_some() {
            return Ok(self.oldest_ms);
        }
        oldest_ms(self.database).await
    }

    fn window(&self) -> (String, String) {
        (
            self.since
                .map_or_else(|| FIRST_TIME.to_owned(), time::stored),
            self.until
                .map_or_else(|| LAST_TIME.to_owned(), time::stored),
        )
    }

    /// Keeps the rows of a page that are meant. Returns whether to go on.
    fn take_page(&self, page: Vec<Row>, found: &mut Found) -> bool {
        let may_go_on = self.allowance.take(&page);
        if !may_go_on {
            found.stopped_at = page.last().map(|row| row.timestamp.clone());
        }
        let meant = page.into_iter().filter(|row| self.query.matches(row));
        found.rows.extend(meant);
        may_go_on
    }

    /// Adds the newest rows of a window until there are `limit`, newest first.
    async fn read_pages(
        &self,
        (from, to): (&str, &str),
        limit: usize,
        halves: fn(&Error) -> bool,
        found: &mut Found,
    ) -> Result<(), Error> {
        let is_exact = self.query.is_exact();
        let mut before: Option<Position> = None;
        while found.rows.len() < limit {
            // Where not every row is meant, as many as fit.
            let wanted = if is_exact {
                limit - found.rows.len()
            } else {
                usize::MAX
            };
            let (page, asked) = self
                .database
                .query_page(wanted, halves, |count| {
                    sql::newest(self.query, from, to, before.as_ref(), count)
                })
                .await?;
            let page = read_rows(page)?;
            let full = page.len() == asked;
            before = page.last().map(Row::position);
            if !self.take_page(page, found) || !full {
                break;
            }
        }
        Ok(())
    }

    /// As [`Search::read_pages`], but going back slice by slice of time, so that no statement reads more than a slice.
    async fn read_slices(
        &self,
        from: &str,
        to: &str,
        limit: usize,
        found: &mut Found,
    ) -> Result<(), Error> {
        let Some(oldest) = self.find_oldest_ms().await? else {
            return Ok(());
        };
        let first = time::millis(from).map_or(oldest, |from| from.max(oldest));
        let mut slices = Slices::new(first, to, Timestamp::now().as_millisecond());
        let progress = Progress::start();
        let _ = self.database.take_slowest();
        while let Some(slice) = slices
            .next_slice()
            .filter(|_| found.rows.len() < limit && found.stopped_at.is_none())
        {
            let had = found.rows.len();
            let window = (slice.from.as_str(), slice.to.as_str());
            match self
                .read_pages(window, limit, Error::is_too_large, found)
                .await
            {
                Ok(()) => slices.advance(self.database.take_slowest()),
                Err(error) if error.is_too_slow() && slices.divide() => found.rows.truncate(had),
                Err(error) => return Err(error),
            }
            progress.reached(&time::stored_ms(slices.reached_ms()));
        }
        Ok(())
    }
}

/// Every row of a search, oldest first, page by page. One page is held, however many there are.
pub struct Pages<'a, 'd> {
    search: Search<'a, 'd>,
    is_sliced: bool,
    slices: Slices,
    /// The place of the last row that was read.
    after: Position,
    stopped_at: Option<String>,
    progress: Progress,
}

impl Pages<'_, '_> {
    /// Returns the next page, which holds at least one row; `None` after the last.
    ///
    /// # Errors
    /// As the API has them. To ask again goes on behind the last page.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Row>>, Error> {
        let Search {
            database, query, ..
        } = self.search;
        let halves = if self.is_sliced {
            Error::is_too_large
        } else {
            is_too_much
        };
        while let Some(slice) = self
            .slices
            .next_slice()
            .filter(|_| self.stopped_at.is_none())
        {
            let after = self.after.clone().max(Position::at(slice.from));
            let asked = database
                .query_page(PAGE_ROWS, halves, |count| {
                    sql::oldest(query, &after, &slice.to, count)
                })
                .await;
            let page = match asked {
                Ok((page, asked)) => {
                    let page = read_rows(page)?;
                    if page.len() < asked {
                        self.slices.advance(database.take_slowest());
                    }
                    page
                }
                Err(error) if self.is_sliced && error.is_too_slow() && self.slices.divide() => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(last) = page.last() {
                self.after = last.position();
            }
            let mut found = Found::default();
            self.search.take_page(page, &mut found);
            self.stopped_at = found.stopped_at;
            if !found.rows.is_empty() {
                // Rows are printed where the progress is shown.
                output::unwatch();
                return Ok(Some(found.rows));
            }
            self.progress
                .reached(&time::stored_ms(self.slices.reached_ms()));
        }
        Ok(None)
    }

    /// Returns the time that reading has come to, where the allowance ended it.
    #[must_use]
    pub fn stopped_at(&self) -> Option<&str> {
        self.stopped_at.as_deref()
    }
}

/// Returns the oldest `limit` rows that match, oldest first. For a query that leads to few rows.
///
/// # Errors
/// As the API has them.
pub async fn oldest(
    database: &Database<'_>,
    query: &Query,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let mut rows: Vec<Row> = Vec::new();
    let mut after = Position::first();
    while rows.len() < limit {
        let (page, asked) = database
            .query_page(limit - rows.len(), is_too_much, |count| {
                sql::oldest(query, &after, LAST_TIME, count)
            })
            .await?;
        let page = read_rows(page)?;
        let full = page.len() == asked;
        after = page.last().map_or(after, Row::position);
        rows.extend(page.into_iter().filter(|row| query.matches(row)));
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn reading_stops_before_the_page_that_would_be_too_much() {
        let long = "x".repeat(800);
        let cells = ["id", "w", "r", "c", "info", &long, "{}", "2026"].map(Value::from);
        let row = Row::read(cells.into_iter().chain([Value::Null]).collect()).unwrap();
        let page = vec![row; 10];
        let allowance = Allowance::of(35_000);
        // 10,020 bytes each; nobody is there to be asked.
        assert!(allowance.take(&page) && allowance.take(&page));
        assert!(!allowance.take(&page));
        let unlimited = Allowance::unlimited();
        assert!((0..10).all(|_| unlimited.take(&page)));
    }
}
