//! Objects from the bucket: several at a time, with progress on a terminal, and without those that have expired.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{Stream, StreamExt as _, stream};
use log_record::Level;
use log_record::archive::{CatalogRow, Rows};
use tokio::sync::OnceCell;

use super::bounds::{Amount, Bounds, Permission};
use super::catalog::{Catalog, Objects, Span, Window, objects_around};
use super::object::{Wanted, read_records};
use crate::client::Client;
use crate::client::d1::Database;
use crate::client::r2::Bucket;
use crate::counter::Counter;
use crate::error::READ_OBJECT;
use crate::query::Query;
use crate::record::{FIRST_TIME, LAST_TIME, Row};
use crate::{Error, output, search, sql, time};

/// Objects that are on their way at once.
pub const AT_ONCE: usize = 5;

/// Bytes of objects that are kept, as the records around a match are in the object of the match.
const KEPT_BYTES: usize = 8_000_000;

/// Records that one statement asks about.
const RECORDS: usize = 500;

/// An object's key, and the object as it lies in the bucket.
type Kept = (String, Arc<Vec<u8>>);

/// The archive of an installation, as one run reads it.
#[derive(Debug)]
pub struct Archive<'a> {
    database: &'a Database<'a>,
    bucket: Bucket<'a>,
    bounds: Mutex<Bounds>,
    /// The oldest row's time, once it was asked for.
    oldest: OnceCell<String>,
    kept: Mutex<VecDeque<Kept>>,
    /// Objects that were in the catalog and not in the bucket.
    expired: AtomicUsize,
}

/// An object that was read, and the records in it that are meant.
pub type Read = (CatalogRow, Vec<Row>);

impl<'a> Archive<'a> {
    /// Names the archive whose catalog is in `database`; nobody is asked whether there is one.
    #[must_use]
    pub fn new(
        client: &'a Client,
        database: &'a Database<'a>,
        bucket: &str,
        permission: Permission,
    ) -> Self {
        Self {
            database,
            bucket: Bucket::new(client, bucket),
            bounds: Mutex::new(Bounds::new(permission)),
            oldest: OnceCell::new(),
            kept: Mutex::default(),
            expired: AtomicUsize::new(0),
        }
    }

    /// Returns the time of the oldest row, from which on D1 has not deleted any; after every time where there are no rows.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn oldest_row(&self) -> Result<&str, Error> {
        let read = || async {
            let oldest = search::oldest_ms(self.database).await?;
            Ok(oldest.map_or_else(|| LAST_TIME.to_owned(), time::stored_ms))
        };
        self.oldest.get_or_try_init(read).await.map(String::as_str)
    }

    /// Returns the objects of a window with records that D1 does not hold and that `query` may mean, in the order of their
    /// first records.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn objects_beyond_rows(
        &self,
        window: &Window,
        query: &Query,
    ) -> Result<Vec<CatalogRow>, Error> {
        let oldest = self.oldest_row().await?;
        let objects = Objects::BeyondRows(oldest.to_owned());
        let mut objects = Catalog::start(self.database, window, objects)
            .collect()
            .await?;
        objects.retain(|object| may_hold(object, query, oldest));
        Ok(objects)
    }

    /// Returns the objects around any of `spans` with records that D1 does not hold.
    pub(super) async fn objects_around(&self, spans: &[Span]) -> Result<Vec<CatalogRow>, Error> {
        let oldest = self.oldest_row().await?;
        objects_around(self.database, spans, oldest).await
    }

    /// Returns whether there are objects from before the oldest row.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn reaches_further_back(&self) -> Result<bool, Error> {
        let window = Window {
            from: None,
            to: Some(self.oldest_row().await?.to_owned()),
        };
        Catalog::start(self.database, &window, Objects::All)
            .has_any()
            .await
    }

    /// Returns those of `records` that D1 does not hold.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn without_rows(&self, mut records: Vec<Row>) -> Result<Vec<Row>, Error> {
        let mut rows = HashSet::new();
        for records in records.chunks(RECORDS) {
            let names: Vec<_> = records
                .iter()
                .map(|record| [record.timestamp.clone(), record.log_id.clone()])
                .collect();
            let cells = self.database.query(&sql::which_are_rows(&names)).await?;
            let ids = cells.into_iter().flatten();
            rows.extend(ids.filter_map(|id| id.as_str().map(str::to_owned)));
        }
        records.retain(|record| !rows.contains(&record.log_id));
        Ok(records)
    }

    /// Returns the reading that is allowed.
    #[must_use]
    pub fn permission(&self) -> Permission {
        self.bounds().permission()
    }

    /// Returns the database that has the catalog.
    #[must_use]
    pub fn database(&self) -> &'a Database<'a> {
        self.database
    }

    /// Returns how many of `objects`, from the first on, are read without asking anybody.
    #[must_use]
    pub fn count_free(&self, objects: &[CatalogRow]) -> usize {
        self.bounds().count_free(objects)
    }

    /// Returns whether `objects` may be read, after asking where they are many. What may not is counted as left out.
    ///
    /// # Errors
    /// [`Error::MuchToRead`] where nobody can be asked.
    pub fn allow(&self, objects: &[CatalogRow]) -> Result<bool, Error> {
        self.bounds().allow(objects)
    }

    /// Reads `objects` in their order, several at a time. One that has expired has no records.
    pub fn read<'s>(
        &'s self,
        objects: Vec<CatalogRow>,
        wanted: &Arc<Wanted>,
    ) -> impl Stream<Item = Result<Read, Error>> + Send + use<'s, 'a> {
        let wanted = Arc::clone(wanted);
        let read = move |object: CatalogRow| {
            let wanted = Arc::clone(&wanted);
            async move {
                let records = self.read_object(&object.key, wanted).await?;
                Ok((object, records))
            }
        };
        stream::iter(objects).map(read).buffered(AT_ONCE)
    }

    /// Reads all of `objects`, and shows how many are read.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn read_all(
        &self,
        objects: Vec<CatalogRow>,
        wanted: &Arc<Wanted>,
    ) -> Result<Vec<Row>, Error> {
        let mut counter = Counter::start(["object", "objects"]);
        counter.expect(objects.len());
        let mut all = Vec::new();
        let mut done = 0;
        let mut read = std::pin::pin!(self.read(objects, wanted));
        let result = loop {
            match read.next().await {
                Some(Ok((_, records))) => all.extend(records),
                Some(Err(error)) => break Err(error),
                None => break Ok(all),
            }
            done += 1;
            counter.set_done(done);
        };
        output::unwatch();
        result
    }

    /// Returns the objects that were left out, as they were not allowed.
    #[must_use]
    pub fn left_out(&self) -> Amount {
        self.bounds().left_out()
    }

    /// Returns the number of objects that were in the catalog and not in the bucket.
    #[must_use]
    pub fn expired(&self) -> usize {
        self.expired.load(Ordering::Relaxed)
    }

    /// Says what was left out, and what has expired.
    pub fn note_missing(&self) {
        let left_out = self.left_out();
        if left_out.objects > 0 {
            output::note(&format!(
                "left out: what {} in the archive may hold",
                left_out.shown()
            ));
        }
        let expired = self.expired();
        if expired > 0 {
            let objects = output::counted(expired as u64, "object has", "objects have");
            output::note(&format!(
                "{objects} expired, and are not in the bucket any more"
            ));
        }
    }

    async fn read_object(&self, key: &str, wanted: Arc<Wanted>) -> Result<Vec<Row>, Error> {
        let Some(object) = self.fetch(key).await? else {
            self.expired.fetch_add(1, Ordering::Relaxed);
            return Ok(Vec::new());
        };
        let name = key.to_owned();
        // Some milliseconds of work: other objects arrive meanwhile.
        let records = tokio::task::spawn_blocking(move || read_records(&name, &object, &wanted));
        records.await.unwrap_or_else(|error| {
            Err(Error::Unreadable {
                what: READ_OBJECT,
                reason: format!("{key}: {error}"),
            })
        })
    }

    async fn fetch(&self, key: &str) -> Result<Option<Arc<Vec<u8>>>, Error> {
        let known = self
            .kept()
            .iter()
            .find(|(kept, _)| kept == key)
            .map(|(_, object)| Arc::clone(object));
        if known.is_some() {
            return Ok(known);
        }
        let Some(object) = self.bucket.get(key).await?.map(Arc::new) else {
            return Ok(None);
        };
        let mut kept = self.kept();
        kept.push_back((key.to_owned(), Arc::clone(&object)));
        while kept.iter().map(|(_, object)| object.len()).sum::<usize>() > KEPT_BYTES {
            kept.pop_front();
        }
        Ok(Some(object))
    }

    fn bounds(&self) -> MutexGuard<'_, Bounds> {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether an object may hold a record that `query` means and that is in the archive alone.
#[must_use]
pub fn may_hold_lines(object: &CatalogRow, query: &Query) -> bool {
    object.rows == Rows::Index && may_hold(object, query, FIRST_TIME)
}

/// Returns whether a record of an object may be meant and may not be a row, as far as the catalog tells.
fn may_hold(object: &CatalogRow, query: &Query, oldest: &str) -> bool {
    let has_every_level = object.first_timestamp.as_str() < oldest;
    if !has_every_level && query.means_no_lines() {
        return false;
    }
    object.counts.0.iter().any(|(worker, levels)| {
        levels.keys().any(|level| {
            let may_be_missing = has_every_level || *level < Level::Warn;
            may_be_missing && query.may_mean(worker, *level)
        })
    })
}
