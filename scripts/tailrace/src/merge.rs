//! Rows and archived records as one, in the order of time and each once. As [`crate::search`], with the same query: the
//! newest ones, or all of them page by page.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use log_record::archive::CatalogRow;

use crate::archive::reader::Read;
use crate::archive::{Archive, Wanted, Window};
use crate::counter::Counter;
use crate::record::{Position, Row};
use crate::search::{Found, Pages, Search};
use crate::{Error, output, time};

/// A search in rows and archive.
#[derive(Clone, Copy, Debug)]
pub struct MergedSearch<'a, 'd> {
    /// The search in the rows.
    pub search: Search<'a, 'd>,
    /// The archive.
    pub archive: &'a Archive<'d>,
}

/// Records by their place in the order of all.
type Records = BTreeMap<Position, Row>;

fn by_position(rows: Vec<Row>) -> impl Iterator<Item = (Position, Row)> {
    rows.into_iter().map(|row| (row.position(), row))
}

impl<'a, 'd> MergedSearch<'a, 'd> {
    /// Returns the newest `limit` records that match, oldest first. Where no first time is given, none from before the oldest
    /// row is read.
    ///
    /// # Errors
    /// As the API has them, and [`Error::MuchToRead`].
    pub async fn newest(&self, limit: usize) -> Result<Found, Error> {
        let mut found = self.search().await?.newest(limit).await?;
        let mut window = self.window().await?;
        let reached = match &found.stopped_at {
            Some(time) => Some(time),
            None if found.rows.len() >= limit => found.rows.first().map(|row| &row.timestamp),
            None => None,
        };
        if reached.is_some_and(|reached| window.from.as_ref().is_none_or(|from| from < reached)) {
            window.from = reached.cloned();
        }
        let query = self.search.query;
        let mut objects = self.archive.objects_beyond_rows(&window, query).await?;
        objects.sort_by(|one, other| other.last_timestamp.cmp(&one.last_timestamp));
        let mut newest = Newest {
            limit,
            records: by_position(found.rows).collect(),
        };
        // Most often the first objects are enough, so nobody is asked for all of them.
        let rest = objects.split_off(self.archive.count_free(&objects));
        let wanted = self.wanted(&window);
        for objects in [objects, rest] {
            if !newest.is_settled(objects.first()) && self.archive.allow(&objects)? {
                self.read_newest(objects, &wanted, &mut newest).await?;
            }
        }
        found.rows = newest.records.into_values().collect();
        Ok(found)
    }

    async fn read_newest(
        &self,
        objects: Vec<CatalogRow>,
        wanted: &Arc<Wanted>,
        newest: &mut Newest,
    ) -> Result<(), Error> {
        let mut counter = Counter::start(["object", "objects"]);
        counter.expect(objects.len());
        let mut read = std::pin::pin!(self.archive.read(objects.clone(), wanted));
        let mut done = 0;
        while !newest.is_settled(objects.get(done)) {
            let Some(object) = read.next().await else {
                break;
            };
            let (_, records) = object.inspect_err(|_| output::unwatch())?;
            newest.add(records);
            done += 1;
            counter.set_done(done);
        }
        output::unwatch();
        Ok(())
    }

    /// Returns all records that match, page by page, oldest first.
    ///
    /// # Errors
    /// As the API has them, and [`Error::MuchToRead`].
    pub async fn pages(self) -> Result<MergedPages<'a, 'd>, Error> {
        let window = self.window().await?;
        let query = self.search.query;
        let mut objects = self.archive.objects_beyond_rows(&window, query).await?;
        if !self.archive.allow(&objects)? {
            objects.clear();
        }
        let wanted = self.wanted(&window);
        Ok(MergedPages {
            pages: self.search().await?.pages().await?,
            rows: VecDeque::new(),
            has_more_rows: true,
            starts: objects
                .iter()
                .map(|object| Position::at(&object.first_timestamp))
                .collect(),
            objects: Box::pin(self.archive.read(objects, &wanted)),
            records: Records::new(),
        })
    }

    /// Returns the search in the rows, which need not ask again how far they reach.
    async fn search(&self) -> Result<Search<'a, 'd>, Error> {
        let mut search = self.search;
        search.oldest_ms = time::millis(self.archive.oldest_row().await?);
        Ok(search)
    }

    async fn window(&self) -> Result<Window, Error> {
        let from = match self.search.since {
            Some(since) => time::stored(since),
            None => self.archive.oldest_row().await?.to_owned(),
        };
        Ok(Window {
            from: Some(from),
            to: self.search.until.map(time::stored),
        })
    }

    fn wanted(&self, window: &Window) -> Arc<Wanted> {
        let query = self.search.query.clone();
        let window = window.clone();
        let is_meant = move |row: &Row| window.holds(&row.timestamp) && query.matches(row);
        Arc::new(Wanted::new(is_meant))
    }
}

/// The newest records so far.
struct Newest {
    limit: usize,
    records: Records,
}

impl Newest {
    fn add(&mut self, rows: Vec<Row>) {
        for (position, row) in by_position(rows) {
            self.records.entry(position).or_insert(row);
        }
        while self.records.len() > self.limit {
            self.records.pop_first();
        }
    }

    /// Returns whether neither `object`, which ends last of those that were not read, nor any other can hold one of the
    /// newest.
    fn is_settled(&self, object: Option<&CatalogRow>) -> bool {
        let Some(object) = object else {
            return true;
        };
        let oldest = self.records.first_key_value().map(|(position, _)| position);
        self.records.len() >= self.limit
            && oldest.is_none_or(|oldest| object.last_timestamp < oldest.timestamp)
    }
}

type Objects<'a> = Pin<Box<dyn Stream<Item = Result<Read, Error>> + Send + 'a>>;

/// Every record of a search, oldest first, page by page. Held are a page of rows, and the records of the objects that
/// overlap at a time.
pub struct MergedPages<'a, 'd> {
    pages: Pages<'a, 'd>,
    /// The rows that were read and not yet handed out.
    rows: VecDeque<Row>,
    has_more_rows: bool,
    objects: Objects<'a>,
    /// The place of the first record of each object that was not read, in order.
    starts: VecDeque<Position>,
    /// The records of objects that were not yet handed out.
    records: Records,
}

impl MergedPages<'_, '_> {
    /// Returns the next page, which holds at least one record; `None` after the last.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Row>>, Error> {
        loop {
            if self.rows.is_empty() && self.has_more_rows {
                let rows = self.pages.next_page().await?;
                self.has_more_rows = rows.is_some();
                self.rows = rows.unwrap_or_default().into();
                if self.pages.stopped_at().is_some() && !self.has_more_rows {
                    return Ok(None);
                }
            }
            let page = self.take_ready();
            if !page.is_empty() {
                return Ok(Some(page));
            }
            if self.starts.pop_front().is_some() {
                if let Some(object) = self.objects.next().await {
                    self.records.extend(by_position(object?.1));
                }
            } else if self.rows.is_empty() && !self.has_more_rows {
                return Ok(None);
            }
        }
    }

    /// Returns the time that reading has come to, where the allowance ended it.
    #[must_use]
    pub fn stopped_at(&self) -> Option<&str> {
        self.pages.stopped_at()
    }

    /// Takes the records that come before everything that is still to be read.
    fn take_ready(&mut self) -> Vec<Row> {
        let last_row = self.rows.back().map(Row::position);
        // Where there are more rows, they come after those that were read.
        let is_ready = |position: &Position| {
            self.starts.front().is_none_or(|start| position < start)
                && last_row.as_ref().is_none_or(|last| position <= last)
        };
        let ready = self.rows.iter().take_while(|row| is_ready(&row.position()));
        let count = ready.count();
        let mut page = Records::new();
        while let Some(entry) = self.records.first_entry() {
            if !is_ready(entry.key()) {
                break;
            }
            let (position, row) = entry.remove_entry();
            page.insert(position, row);
        }
        page.extend(by_position(self.rows.drain(..count).collect()));
        page.into_values().collect()
    }
}
