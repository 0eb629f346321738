//! The archive: objects of NDJSON in R2, and the catalog of them in D1.
//!
//! An object is gzipped NDJSON, one record by name a line (the serde form of [`LogRecord`](crate::LogRecord)). It holds
//! records of one hour, by their own timestamps, under `v1/dt=2026-11-25/hour=12/<first>_<last>_<16 hex>.ndjson.gz`: the
//! times of its first and last record, and a digest of the ids of the messages that the records came in.
//!
//! A record may be in several objects, since messages may be delivered again among other ones: readers remove
//! duplicates by `(timestamp, log_id)`. An object that has gone before its row has expired.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Level, RecordView};

/// The beginning of every key: the version of the layout. The bucket's lifecycle rule is about this prefix alone.
pub const PREFIX: &str = "v1/";

/// The end of every key. Readers take the compression from it: objects have no `Content-Encoding`.
pub const SUFFIX: &str = ".ndjson.gz";

/// The table of [`CatalogRow`]s.
pub const CATALOG: &str = "archive_objects";

/// Days that a catalog row outlives its object: R2 removes what has expired within a day.
pub const CATALOG_GRACE_DAYS: u32 = 2;

/// The length of a timestamp as records have it: `2026-11-25T12:46:57.374Z`.
const TIMESTAMP_BYTES: usize = 24;

/// The records of an object that are rows of `tail_logs` as well.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// Every record.
    #[default]
    All,
    /// Invocations, exceptions, warnings, errors, and in each message the first record of every pair of request and
    /// correlation id. The other records are in the archive alone.
    Index,
}

impl Rows {
    /// Returns the stored form: `all` or `index`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Index => "index",
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is neither `all` nor `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither `all` nor `index`")]
pub struct NotRows;

impl FromStr for Rows {
    type Err = NotRows;

    fn from_str(text: &str) -> Result<Self, NotRows> {
        match text {
            "all" => Ok(Self::All),
            "index" => Ok(Self::Index),
            _ => Err(NotRows),
        }
    }
}

/// The records of an object, by Worker and level: `{"shop":{"info":90,"warn":10}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(pub BTreeMap<String, BTreeMap<Level, u64>>);

impl Counts {
    /// Counts one more record of `worker_name` and `level`.
    pub fn add(&mut self, worker_name: &str, level: Level) {
        let worker = match self.0.get_mut(worker_name) {
            Some(worker) => worker,
            None => self.0.entry(worker_name.to_owned()).or_default(),
        };
        *worker.entry(level).or_default() += 1;
    }

    /// Returns the number of records.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

/// A row of `archive_objects`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogRow {
    /// The key of the object; the primary key.
    pub key: String,
    /// D1's time when it inserted the row: ISO-8601, UTC, milliseconds.
    pub stored_at: String,
    /// The timestamp of the first record.
    pub first_timestamp: String,
    /// The timestamp of the last record, of the same hour.
    pub last_timestamp: String,
    /// The size of the object, in bytes as it lies in the bucket.
    pub bytes: u64,
    /// The records that are rows of `tail_logs` as well.
    pub rows: Rows,
    /// The records by Worker and level; in the database as JSON text.
    #[serde(with = "counts_text")]
    pub counts: Counts,
}

/// [`Counts`] as a column has them: JSON text. An object in its place is read as well.
mod counts_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Counts;

    pub(super) fn serialize<S: Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(counts).map_err(serde::ser::Error::custom)?;
        to.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counts, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Column {
            Text(String),
            Object(Counts),
        }
        match Column::deserialize(from)? {
            Column::Text(text) => serde_json::from_str(&text).map_err(D::Error::custom),
            Column::Object(counts) => Ok(counts),
        }
    }
}

/// The key of an object, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey<'a> {
    /// The timestamp of the first record.
    pub first_timestamp: &'a str,
    /// The timestamp of the last record.
    pub last_timestamp: &'a str,
    /// The digest of the ids of the messages.
    pub digest: u64,
}

impl fmt::Display for ObjectKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}_{}_{:016x}{SUFFIX}",
            hour_prefix(self.first_timestamp),
            compact(self.first_timestamp),
            compact(self.last_timestamp),
            self.digest
        )
    }
}

/// Returns the folder of the hour of `timestamp`: `v1/dt=2026-11-25/hour=12/`.
#[must_use]
pub fn hour_prefix(timestamp: &str) -> String {
    let day = timestamp.get(..10).unwrap_or(timestamp);
    let hour = timestamp.get(11..13).unwrap_or_default();
    format!("{PREFIX}dt={day}/hour={hour}/")
}

/// Returns the first and the last key that objects with records from `since` to `through` can have, both included.
/// `since` and `through` are timestamps as records have them.
///
/// Between the two lies every such object, and few others, all of the hour of `since`: those end before it. The
/// condition on the catalog is `key BETWEEN ?1 AND ?2 AND last_timestamp >= ?3`.
#[must_use]
pub fn key_range(since: &str, through: &str) -> (String, String) {
    let last = format!("{}{}~", hour_prefix(through), compact(through));
    (hour_prefix(since), last)
}

/// Returns whether `timestamp` has the form that names an hour: `2026-11-25T12:46:57.374Z`. The numbers are not judged.
#[must_use]
pub fn is_timestamp(timestamp: &str) -> bool {
    timestamp.len() == TIMESTAMP_BYTES
        && timestamp
            .bytes()
            .zip("dddd-dd-ddTdd:dd:dd.dddZ".bytes())
            .all(|(found, form)| {
                if form == b'd' {
                    found.is_ascii_digit()
                } else {
                    found == form
                }
            })
}

/// Returns `timestamp` without the signs that file names on some systems may not have: `20261125T124657374Z`.
fn compact(timestamp: &str) -> String {
    timestamp.replace(['-', ':', '.'], "")
}

/// Appends `record` as a line of an object: by name, its values as they came.
pub fn write_line(line: &mut String, record: &RecordView<'_>) {
    line.push('{');
    for (field, value) in crate::record::FIELDS.iter().zip(record.elements()) {
        if !line.ends_with('{') {
            line.push(',');
        }
        line.push('"');
        line.push_str(field);
        line.push_str("\":");
        push_on_one_line(line, value);
    }
    line.push_str("}\n");
}

/// Appends a JSON value. Line breaks between its tokens would end the line; within strings JSON has none.
fn push_on_one_line(line: &mut String, value: &str) {
    if value.contains(['\n', '\r']) {
        line.push_str(&value.replace(['\n', '\r'], " "));
    } else {
        line.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::LogRecord;

    const KEY: ObjectKey<'_> = ObjectKey {
        first_timestamp: "2026-11-25T12:46:57.374Z",
        last_timestamp: "2026-11-25T12:46:59.001Z",
        digest: 0xab,
    };

    #[test]
    fn a_key_names_its_hour_its_times_and_its_messages() {
        assert_eq!(
            KEY.to_string(),
            "v1/dt=2026-11-25/hour=12/20261125T124657374Z_20261125T124659001Z_00000000000000ab.ndjson.gz"
        );
    }

    #[test]
    fn the_key_range_holds_what_begins_by_its_end() {
        let key = KEY.to_string();
        let is_within = |since, through| {
            let (first, last) = key_range(since, through);
            (first..=last).contains(&key)
        };
        assert!(is_within(KEY.first_timestamp, KEY.first_timestamp));
        assert!(is_within(
            "2026-11-25T12:46:58.000Z",
            "2026-11-25T12:46:58.000Z"
        ));
        assert!(is_within("2026-11-20T00:00:00.000Z", KEY.first_timestamp));
        assert!(is_within(
            "2026-11-25T12:59:00.000Z",
            "2026-12-01T00:00:00.000Z"
        ));
        assert!(!is_within(
            "2026-11-20T00:00:00.000Z",
            "2026-11-25T12:46:57.373Z"
        ));
        assert!(!is_within(
            "2026-11-25T13:00:00.000Z",
            "2026-12-01T00:00:00.000Z"
        ));
    }

    #[test]
    fn other_forms_of_time_name_no_hour() {
        assert!(is_timestamp("2026-11-25T12:46:57.374Z"));
        for text in [
            "",
            "2026-11-25T12:46:57Z",
            "2026-11-25 12:46:57.374Z",
            "2026-11-25T12:46:57.374+",
            "2026-11-25T1x:46:57.374Z",
            "2026-11-25T12:46:57.374Zz",
            "2026-11-25T12:46:57.37é",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }

    #[test]
    fn a_line_is_the_record_by_name_on_one_line() {
        let row = "[\"i\",\"w\",\"r\",\"c\",\"warn\",\"a\\nb\",{\"kind\":\"log\",\r\n \"n\":1.50},\"t\",null]";
        let raw: &RawValue = serde_json::from_str(row).unwrap();
        let view = RecordView::new(raw).unwrap();
        let mut lines = String::new();
        write_line(&mut lines, &view);
        assert_eq!(
            lines,
            "{\"log_id\":\"i\",\"worker_name\":\"w\",\"request_id\":\"r\",\"correlation_id\":\"c\",\
             \"log_level\":\"warn\",\"message\":\"a\\nb\",\"context\":{\"kind\":\"log\",   \"n\":1.50},\
             \"timestamp\":\"t\",\"execution_time_ms\":null}\n"
        );
        let record: LogRecord = serde_json::from_str(&lines).unwrap();
        assert_eq!(record.log_level, Level::Warn);
        assert_eq!(record.message, "a\nb");
    }

    #[test]
    fn a_catalog_row_holds_its_counts_as_text() {
        let mut counts = Counts::default();
        counts.add("shop", Level::Warn);
        counts.add("shop", Level::Info);
        counts.add("shop", Level::Info);
        counts.add("pay", Level::Error);
        assert_eq!(counts.total(), 4);
        let row = CatalogRow {
            key: KEY.to_string(),
            stored_at: "2026-11-25T12:47:03.000Z".to_owned(),
            first_timestamp: KEY.first_timestamp.to_owned(),
            last_timestamp: KEY.last_timestamp.to_owned(),
            bytes: 240_000,
            rows: Rows::Index,
            counts,
        };
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["rows"], "index");
        assert_eq!(
            json["counts"],
            r#"{"pay":{"error":1},"shop":{"info":2,"warn":1}}"#
        );
        assert_eq!(serde_json::from_value::<CatalogRow>(json).unwrap(), row);
        for rows in [Rows::All, Rows::Index] {
            assert_eq!(rows.to_string().parse(), Ok(rows));
        }
        assert!("some".parse::<Rows>().is_err());
    }
}
