//! The archive as log-writer leaves it: rows by its own choice, objects by the hour, and their catalog.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use log_record::archive::{Counts, ObjectKey, Rows, hour_prefix, write_line};
use log_record::{Level, RecordView};
use serde_json::value::RawValue;

use super::rows::Row;
use super::{Cloud, next_digest};

impl Cloud {
    /// Stores messages, each the records of one trace, as log-writer does with one slice. Returns the keys of the objects.
    pub fn write_slice(&self, rows: Rows, messages: &[Vec<Row>]) -> Vec<String> {
        for message in messages {
            let wires: Vec<_> = message.iter().map(raw).collect();
            let views: Vec<_> = wires
                .iter()
                .map(|raw| RecordView::new(raw).unwrap())
                .collect();
            let chosen = log_writer::archive::choose_rows(&views, rows);
            for (row, _) in message.iter().zip(chosen).filter(|(_, is_row)| *is_row) {
                self.insert(row);
            }
        }
        self.put_records(rows, &messages.concat())
    }

    /// Puts records into an object for each of their hours, with its row in the catalog; no row of `tail_logs`.
    pub fn put_records(&self, rows: Rows, records: &[Row]) -> Vec<String> {
        let mut hours: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for record in records {
            let hour = hours.entry(hour_prefix(&record.timestamp)).or_default();
            hour.push(record);
        }
        let objects = hours.into_values().map(|mut records| {
            records.sort_by_key(|row| (row.timestamp.clone(), row.log_id.clone()));
            let mut counts = Counts::default();
            let mut lines = String::new();
            for record in &records {
                counts.add(&record.worker, Level::from_alias(record.level).unwrap());
                write_line(&mut lines, &RecordView::new(&raw(record)).unwrap());
            }
            let mut object = GzEncoder::new(Vec::new(), Compression::fast());
            object.write_all(lines.as_bytes()).unwrap();
            let object = object.finish().unwrap();
            let first = &records[0].timestamp;
            let last = &records[records.len() - 1].timestamp;
            let key = self.list_object(
                rows,
                first,
                last,
                u32::try_from(object.len()).unwrap(),
                &counts,
            );
            self.state().objects.insert(key.clone(), object);
            key
        });
        objects.collect()
    }

    /// Adds a row to the catalog. Returns its key.
    pub fn list_object(
        &self,
        rows: Rows,
        first: &str,
        last: &str,
        bytes: u32,
        counts: &Counts,
    ) -> String {
        let key = ObjectKey {
            first_timestamp: first,
            last_timestamp: last,
            digest: next_digest(),
        };
        let key = key.to_string();
        let counts = serde_json::to_string(counts).unwrap();
        let sql = "INSERT INTO archive_objects (key, first_timestamp, last_timestamp, bytes, rows, counts) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = (&key, first, last, bytes, rows.as_str(), counts);
        self.state().db.execute(sql, values).unwrap();
        key
    }

    /// The keys of the objects that were read, in order.
    pub fn objects_read(&self) -> Vec<String> {
        let state = self.state();
        let calls = state.calls.iter();
        calls
            .filter_map(|call| Some(call.split_once("/objects/")?.1.replace("%3D", "=")))
            .map(|key| key.replace("%2F", "/"))
            .collect()
    }
}

fn raw(row: &Row) -> Box<RawValue> {
    RawValue::from_string(row.wire()).unwrap()
}
