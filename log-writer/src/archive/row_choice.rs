//! The choice of a message's records that become rows of D1, beside an archive that holds all of them.

use std::collections::HashSet;

use log_record::RecordView;
use log_record::archive::{Rows, is_timestamp};
use worker_runtime::timestamp::parse_ms;

/// The beginnings of the contexts whose records become rows whatever their level.
const ROW_KINDS: [&str; 2] = [r#"{"kind":"invocation""#, r#"{"kind":"exception""#];

/// Returns for each of a message's `records` whether it becomes a row.
///
/// With [`Rows::Index`] these are invocations, exceptions, warnings, errors and whatever has a level that D1 must judge;
/// the first record of every pair of request and correlation id, so that every id leads somewhere; and records that the
/// archive has no hour for.
#[must_use]
pub fn choose_rows(records: &[RecordView<'_>], rows: Rows) -> Vec<bool> {
    if rows == Rows::All {
        return vec![true; records.len()];
    }
    let mut pairs = HashSet::new();
    let mut dates = Dates::default();
    let mut are_rows = Vec::with_capacity(records.len());
    for record in records {
        let [_, _, _, _, level, _, context, ..] = *record.elements();
        let is_first = pairs.insert(pair_of(record));
        are_rows.push(
            is_first
                || !matches!(level, r#""info""# | r#""debug""#)
                || ROW_KINDS.iter().any(|kind| context.starts_with(kind))
                || !dates.is_date(record.timestamp()),
        );
    }
    are_rows
}

/// Returns the request id and the correlation id of `record`, as JSON.
pub(crate) fn pair_of<'r>(record: &RecordView<'r>) -> (&'r str, &'r str) {
    let [_, _, request_id, correlation_id, ..] = *record.elements();
    (request_id, correlation_id)
}

/// Tells timestamps that name an hour from other texts. A message's records are mostly of one minute, which is parsed
/// once.
#[derive(Default)]
pub(super) struct Dates<'r> {
    known_minute: &'r str,
}

impl<'r> Dates<'r> {
    pub(super) fn is_date(&mut self, timestamp: &'r str) -> bool {
        let (Some(minute), Some(seconds)) = (timestamp.get(..16), timestamp.get(17..19)) else {
            return false;
        };
        if !is_timestamp(timestamp) || seconds >= "60" {
            return false;
        }
        if minute != self.known_minute {
            if parse_ms(timestamp).is_none() {
                return false;
            }
            self.known_minute = minute;
        }
        true
    }
}
