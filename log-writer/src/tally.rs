//! What a run counted: the one structured line that each batch, drain and rotation writes. Numbers and codes from
//! closed sets only, never a body. The edge prints it.

use std::ops::Index;

use log_record::Reason;
use serde::{Serialize, Serializer};

use crate::classify::Class;

/// The counts of a batch or a drain; [`Tally::line`] is their JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Messages (or KV values) received.
    pub messages: u64,
    /// Records in those that could be decoded.
    pub records: u64,
    /// Rows inserted.
    pub rows_inserted: u64,
    /// Records that were stored before.
    pub duplicates: u64,
    /// Rows written as D1 bills them, index entries included.
    pub rows_written: u64,
    /// Calls to D1 that were repeated within this invocation.
    pub retries: u64,
    /// Calls to D1.
    pub d1_calls: u64,
    /// Time spent waiting for D1, in milliseconds.
    pub d1_ms: u64,
    /// Rows deleted, oldest first, because D1 was full.
    pub oldest_dropped: u64,
    /// Dead letters by reason.
    pub dead_letters: ByReason,
    /// Records in dead letters.
    pub dead_letter_records: u64,
    /// Writes to KV: dead letters that the queue refused, and bodies too large for it.
    pub fallback_writes: u64,
    /// Dead letters that the queue refused.
    pub queue_refusals: u64,
    /// Writes, reads and deletes that KV refused.
    pub kv_refusals: u64,
    /// Messages that stay where they are, to come again.
    pub redelivered: u64,
    /// Age of the oldest record, in milliseconds.
    pub lag_ms: u64,
    /// What D1's last error was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error: Option<Class>,
}

impl Tally {
    /// Whether something needs a person's eye sooner or later.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        !self.dead_letters.is_empty()
            || self.fallback_writes + self.redelivered + self.oldest_dropped + self.kv_refusals > 0
    }

    /// The line: `{"event":"<event>",…}`.
    #[must_use]
    pub fn line(&self, event: &'static str) -> String {
        line(event, self)
    }
}

/// A count for each reason. (A map of four is 2 kB of Wasm.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByReason([u64; Reason::ALL.len()]);

impl ByReason {
    /// Counts one more.
    pub fn add(&mut self, reason: Reason) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Index<&Reason> for ByReason {
    type Output = u64;

    fn index(&self, reason: &Reason) -> &u64 {
        self.0.get(*reason as usize).unwrap_or(&0)
    }
}

/// An object of the reasons that were counted.
impl Serialize for ByReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = Reason::ALL.into_iter().zip(self.0);
        serializer.collect_map(counts.filter(|(_, count)| *count > 0))
    }
}

/// `fields` as one JSON object that begins with the event's name.
pub(crate) fn line(event: &'static str, fields: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Line<'a, T> {
        event: &'static str,
        #[serde(flatten)]
        fields: &'a T,
    }
    // Numbers, codes and names are always JSON.
    serde_json::to_string(&Line { event, fields }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_one_flat_json_object() {
        let mut tally = Tally {
            messages: 2,
            d1_error: Some(Class::TooMuchWork),
            ..Tally::default()
        };
        tally.dead_letters.add(Reason::Rejected);
        assert_eq!(
            tally.line("batch"),
            concat!(
                r#"{"event":"batch","messages":2,"records":0,"rows_inserted":0,"duplicates":0,"rows_written":0,"#,
                r#""retries":0,"d1_calls":0,"d1_ms":0,"oldest_dropped":0,"dead_letters":{"rejected":1},"#,
                r#""dead_letter_records":0,"fallback_writes":0,"queue_refusals":0,"kv_refusals":0,"redelivered":0,"lag_ms":0,"#,
                r#""d1_error":"too_much_work"}"#
            )
        );
    }
}
