//! A message of a slice: the records that become rows, D1's answer about each, and those that go into the archive.

use std::collections::HashSet;

use log_record::archive::Rows;
use log_record::{Envelope, RecordView};

use crate::archive::{ArchiveMessage, choose_rows, pair_of};
use crate::message::Message;
use crate::settings::Delay;
use crate::write::RecordStatus;

/// A message of a slice while it is processed.
pub(super) struct SliceMessage<'m> {
    pub(super) index: usize,
    id: &'m str,
    pub(super) attempts: u32,
    pub(super) records: &'m [RecordView<'m>],
    /// For each record, whether it should be a row.
    pub(super) is_row: Vec<bool>,
    /// D1's answer about each record that was to become a row.
    pub(super) statuses: Vec<Option<RecordStatus>>,
    /// The delay after which it comes again, whatever D1 said.
    pub(super) retry: Option<Delay>,
}

impl<'m> SliceMessage<'m> {
    pub(super) fn new(
        index: usize,
        message: &'m Message,
        envelope: &'m Envelope<'m>,
        rows: Rows,
    ) -> Self {
        let records = envelope.records.as_slice();
        Self {
            index,
            id: &message.id,
            attempts: message.attempts,
            records,
            is_row: choose_rows(records, rows),
            statuses: vec![None; records.len()],
            retry: None,
        }
    }

    /// Returns the records that should be rows, and that D1 was not given yet.
    pub(super) fn unwritten_rows(&self) -> impl Iterator<Item = &RecordView<'m>> {
        let chosen = self.is_row.iter().zip(&self.statuses);
        let records = self.records.iter().zip(chosen);
        records.filter_map(|(record, (is_row, status))| {
            (*is_row && status.is_none()).then_some(record)
        })
    }

    /// Takes the statuses of [`Self::unwritten_rows`].
    pub(super) fn set_statuses(&mut self, statuses: &mut impl Iterator<Item = RecordStatus>) {
        for (is_row, status) in self.is_row.iter().zip(&mut self.statuses) {
            if *is_row && status.is_none() {
                *status = statuses.next();
            }
        }
    }

    /// Makes rows of all records with a pair of request and correlation id whose rows have all become dead letters: no row
    /// would lead to them.
    pub(super) fn replace_dead_rows(&mut self) {
        let pairs_with = |is_meant: fn(&RecordStatus) -> bool| -> HashSet<_> {
            let records = self.records.iter().zip(&self.statuses);
            let records = records.filter(|(_, status)| status.as_ref().is_some_and(is_meant));
            records.map(|(record, _)| pair_of(record)).collect()
        };
        let lost = pairs_with(RecordStatus::is_dead);
        if lost.is_empty() {
            return; // nearly always
        }
        let found = pairs_with(|status| !status.is_dead());
        for (record, is_row) in self.records.iter().zip(&mut self.is_row) {
            let pair = pair_of(record);
            *is_row |= lost.contains(&pair) && !found.contains(&pair);
        }
    }

    /// Returns whether a row of it is not in D1 and may yet be.
    pub(super) fn is_pending(&self) -> bool {
        self.statuses.contains(&Some(RecordStatus::Pending))
    }

    /// Returns the records that belong into the archive: all that are not in dead letters.
    pub(super) fn to_archive(&self) -> ArchiveMessage<'_> {
        let records = self.records.iter().zip(&self.statuses);
        let records =
            records.filter(|(_, status)| !status.as_ref().is_some_and(RecordStatus::is_dead));
        ArchiveMessage {
            id: self.id,
            records: records.map(|(record, _)| record).collect(),
        }
    }
}
