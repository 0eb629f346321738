//! The rest of what some records belong to. In D1 each message of an invocation has a row at least: the first record of
//! each of its pairs of ids. The message's records of the same hour are in the same object, so the objects that hold the
//! time of such a row are read, one invocation after the other at the same time, until each row was met in its object.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use log_record::archive::{self, CatalogRow};

use super::Archive;
use super::catalog::Span;
use super::object::Wanted;
use crate::record::{Position, Row};
use crate::{Error, time};

/// An invocation: the request's id, and the Worker.
type Invocation<'r> = (&'r str, &'r str);

/// The known records of invocations, whose other records are looked for.
#[derive(Debug, Default)]
pub struct KnownRecords<'r> {
    /// The records of each invocation, in the order of time.
    rows: BTreeMap<Invocation<'r>, Vec<&'r Row>>,
    /// The last time of each that is known.
    ends: BTreeMap<Invocation<'r>, String>,
}

impl<'r> KnownRecords<'r> {
    /// Returns `rows`. `invocations` are more records that tell how long each took.
    pub fn of(
        rows: impl IntoIterator<Item = &'r Row>,
        invocations: impl IntoIterator<Item = &'r Row>,
    ) -> Self {
        let mut all = Self::default();
        for row in rows {
            let invocation = name(row);
            all.rows.entry(invocation).or_default().push(row);
            all.end(invocation, &row.timestamp);
            all.end_with(row);
        }
        for row in invocations {
            all.end_with(row);
        }
        for rows in all.rows.values_mut() {
            rows.sort_by_key(|row| row.position());
        }
        all
    }

    /// Notes how long an invocation took, where its record says so.
    fn end_with(&mut self, row: &'r Row) {
        let took = row
            .latency_ms()
            .map(|ms| SignedDuration::from_secs_f64(ms / 1000.0));
        let start = row.timestamp.parse::<Timestamp>().ok();
        if let (Some(took), Some(start)) = (took, start)
            && let Ok(end) = start.checked_add(took)
        {
            self.end(name(row), &time::stored(end));
        }
    }

    fn end(&mut self, invocation: Invocation<'r>, timestamp: &str) {
        let end = self.ends.entry(invocation).or_default();
        if end.as_str() < timestamp {
            timestamp.clone_into(end);
        }
    }

    /// Returns the parts of invocations that are in later hours than their first record: no row need tell of them.
    fn later_hours(&self) -> Vec<Span> {
        let mut spans = BTreeSet::new();
        for (invocation, rows) in &self.rows {
            let (Some(first), Some(end)) = (rows.first(), self.ends.get(invocation)) else {
                continue;
            };
            let next = next_hour(&first.timestamp);
            if let Some(next) = next.filter(|next| next <= end) {
                spans.insert(Span {
                    first: next,
                    last: end.clone(),
                });
            }
        }
        spans.into_iter().collect()
    }

    fn places(&self) -> Vec<Span> {
        let times: BTreeSet<_> = self
            .rows
            .values()
            .flatten()
            .map(|row| row.timestamp.as_str())
            .collect();
        times.into_iter().map(Span::at).collect()
    }
}

fn name(row: &Row) -> Invocation<'_> {
    let request = row.request_id.as_deref().unwrap_or_default();
    (request, &row.worker_name)
}

/// Returns the beginning of the hour after that of a time.
fn next_hour(timestamp: &str) -> Option<String> {
    const HOUR_MS: i64 = 3_600_000;
    let ms = time::millis(timestamp)?;
    Some(time::stored_ms((ms.div_euclid(HOUR_MS) + 1) * HOUR_MS))
}

impl Archive<'_> {
    /// Returns the records of the archive that are meant, in the objects of `known` records, in no order. Records that are
    /// known are among them.
    ///
    /// # Errors
    /// As the API has them, and [`Error::MuchToRead`].
    pub async fn read_around(
        &self,
        known: &KnownRecords<'_>,
        wanted: &Arc<Wanted>,
    ) -> Result<Vec<Row>, Error> {
        let later = known.later_hours();
        let mut places = known.places();
        places.extend(later.iter().cloned());
        let objects = self.objects_around(&places).await?;
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let mut reading = Reading {
            objects: objects.iter().collect(),
            queues: known.rows.values().map(Vec::as_slice).collect(),
            read: HashSet::new(),
            met: HashSet::new(),
        };
        let mut found = Vec::new();
        let mut next = reading.next_objects();
        next.extend(reading.objects_of(&later));
        while !next.is_empty() && self.allow(&next)? {
            let records = self.read_all(next, wanted).await?;
            reading.met.extend(records.iter().map(Row::position));
            found.extend(records);
            next = reading.next_objects();
        }
        Ok(found)
    }
}

/// The objects and the rows that are still to be met in one.
struct Reading<'r> {
    objects: Vec<&'r CatalogRow>,
    /// The rows of each invocation that were not looked for yet.
    queues: Vec<&'r [&'r Row]>,
    /// The keys of the objects that were read.
    read: HashSet<&'r str>,
    /// The records that were met.
    met: HashSet<Position>,
}

impl<'r> Reading<'r> {
    /// Returns the objects of the first row of each invocation that was not met.
    fn next_objects(&mut self) -> Vec<CatalogRow> {
        let mut next = BTreeMap::new();
        let mut queues = std::mem::take(&mut self.queues);
        for queue in &mut queues {
            while let Some((row, rest)) = queue.split_first() {
                *queue = rest;
                if self.met.contains(&row.position()) {
                    continue;
                }
                let unread = self.unread_objects(&Span::at(&row.timestamp));
                if !unread.is_empty() {
                    next.extend(unread);
                    break;
                }
            }
        }
        self.queues = queues;
        self.take(next)
    }

    fn objects_of(&mut self, spans: &[Span]) -> Vec<CatalogRow> {
        let unread = spans.iter().flat_map(|span| self.unread_objects(span));
        let unread = unread.collect();
        self.take(unread)
    }

    /// Takes objects for read.
    fn take(&mut self, objects: BTreeMap<&'r str, &'r CatalogRow>) -> Vec<CatalogRow> {
        self.read.extend(objects.keys());
        objects.into_values().cloned().collect()
    }

    /// Returns the objects of a place that were not read.
    fn unread_objects(&self, place: &Span) -> Vec<(&'r str, &'r CatalogRow)> {
        // They are in the order of their first times.
        let (start, end) = archive::key_range(&place.first, &place.last);
        let from = self.objects.partition_point(|object| object.key < start);
        let to = self.objects.partition_point(|object| object.key <= end);
        let candidates = self.objects.get(from..to).unwrap_or_default().iter();
        candidates
            .filter(|object| place.meets(object) && !self.read.contains(object.key.as_str()))
            .map(|object| (object.key.as_str(), *object))
            .collect()
    }
}
