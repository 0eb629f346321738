//! Rows as tail-ingest makes them, for measurements that begin at the database: ten lines and an invocation a request,
//! one line in ten a warning or an error. `week` has rows of many Workers.

use std::fmt::Write as _;

use anyhow::Result;
use rusqlite::{Connection, Statement, params};

/// Kinds of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Random, UUID version 4.
    Random,
    /// Time-ordered, UUID version 7, as tail-ingest makes them.
    TimeOrdered,
}

/// One row, by column.
#[derive(Clone, Debug)]
pub struct Row {
    /// Column `log_id`.
    pub log_id: String,
    /// Column `worker_name`.
    pub worker_name: &'static str,
    /// Column `request_id`.
    pub request_id: String,
    /// Column `correlation_id`.
    pub correlation_id: String,
    /// Column `log_level`.
    pub log_level: &'static str,
    /// Column `message`.
    pub message: String,
    /// Column `context_json`.
    pub context: String,
    /// Column `timestamp`.
    pub timestamp: String,
}

/// The Worker that made the rows of [`Rows`].
pub const WORKER: &str = "orders-api";

/// The statement that inserts one row, parameter by parameter.
pub const INSERT_ONE: &str = "INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, \
    context_json, timestamp, execution_time_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Records of a request, its lines and itself.
pub(crate) const REQUEST_ROWS: u64 = 11;

/// `SplitMix64`: ids must differ, not be unpredictable.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Returns the next number.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a UUID of version 4.
    pub(crate) fn random_uuid(&mut self) -> String {
        let (high, low) = (self.next_number(), self.next_number());
        format_uuid(
            (high & 0xffff_ffff_ffff_0fff) | 0x4000,
            (low >> 2) | 0x8000_0000_0000_0000,
        )
    }

    /// Returns a UUID of version 7, of the time `ms`; `index` orders those of the same millisecond.
    pub(crate) fn time_ordered_uuid(&mut self, ms: u64, index: u64) -> String {
        let low = (self.next_number() >> 2) | 0x8000_0000_0000_0000;
        format_uuid((ms << 16) | 0x7000 | (index & 0xfff), low)
    }
}

/// Makes rows, one after another in time.
#[derive(Clone, Debug)]
pub struct Rows {
    ids: Ids,
    from_ms: u64,
    span_ms: u64,
    count: u64,
    next: u64,
    random: Random,
    request: [String; 2],
}

impl Rows {
    /// `count` rows, evenly over the `span_ms` milliseconds from `from_ms` on. `seed` tells runs apart.
    #[must_use]
    pub fn new(ids: Ids, count: u64, from_ms: u64, span_ms: u64, seed: u64) -> Self {
        Self {
            ids,
            from_ms,
            span_ms,
            count,
            next: 0,
            random: Random(seed),
            request: Default::default(),
        }
    }

    /// Inserts all that are left with one prepared statement, `per_transaction` rows a transaction.
    ///
    /// # Errors
    /// Fails if the database refuses.
    pub fn insert_all(mut self, connection: &mut Connection, per_transaction: u64) -> Result<()> {
        while self.next < self.count {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached(INSERT_ONE)?;
                let end = per_transaction.min(self.count - self.next);
                for row in self.by_ref().take(usize::try_from(end)?) {
                    row.insert(&mut insert)?;
                }
            }
            transaction.commit()?;
        }
        Ok(())
    }
}

fn format_uuid(high: u64, low: u64) -> String {
    let mut hex = format!("{high:016x}{low:016x}");
    for at in [20, 16, 12, 8] {
        hex.insert(at, '-');
    }
    hex
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.next >= self.count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let seq = index % REQUEST_ROWS;
        if seq == 0 {
            self.request = [self.random.random_uuid(), self.random.random_uuid()];
        }
        let ms = self.from_ms + self.span_ms * index / self.count.max(1);
        let log_id = match self.ids {
            Ids::Random => self.random.random_uuid(),
            Ids::TimeOrdered => self.random.time_ordered_uuid(ms, index),
        };
        let log_level = match index % 20 {
            7 => "warn",
            17 => "error",
            _ => "info",
        };
        let customer = index * 7_919 % 100_003;
        let mut context = if seq == 0 {
            r#"{"kind":"invocation","seq":0,"event_type":"fetch","outcome":"ok","method":"POST","path":"/orders","status":202,"url":"https://orders.example.com/orders","headers":{"accept":"*/*","content-type":"application/json","user-agent":"Mozilla/5.0","cf-ray":"8f0a1b2c3d4e5f60-FRA"},"latency_ms":41,"cpu_time_ms":3}"#.to_owned()
        } else {
            format!(
                r#"{{"kind":"log","seq":{seq},"event_type":"fetch","outcome":"ok","method":"POST","path":"/orders","status":202,"data":"#
            )
        };
        if seq > 0 {
            let _ = write!(
                context,
                r#"{{"order_id":{index},"customer":"c-{customer}","amount_cents":{},"currency":"EUR","retries":{},"cached":true}}}}"#,
                index * 31 % 90_000,
                index % 3
            );
        }
        let [request_id, correlation_id] = self.request.clone();
        Some(Row {
            log_id,
            worker_name: WORKER,
            request_id,
            correlation_id,
            log_level,
            message: format!("order {index} was priced for customer {customer}"),
            context,
            timestamp: timestamp(ms),
        })
    }
}

impl Row {
    /// Inserts the row with `insert`, which is [`INSERT_ONE`].
    ///
    /// # Errors
    /// Fails if the database refuses.
    pub fn insert(&self, insert: &mut Statement<'_>) -> rusqlite::Result<usize> {
        insert.execute(params![
            self.log_id,
            self.worker_name,
            self.request_id,
            self.correlation_id,
            self.log_level,
            self.message,
            self.context,
            self.timestamp,
            3
        ])
    }

    /// The wire array.
    ///
    /// # Errors
    /// None in practice.
    pub fn wire(&self) -> serde_json::Result<String> {
        let context: &serde_json::value::RawValue = serde_json::from_str(&self.context)?;
        serde_json::to_string(&(
            &self.log_id,
            self.worker_name,
            &self.request_id,
            &self.correlation_id,
            self.log_level,
            &self.message,
            context,
            &self.timestamp,
            3,
        ))
    }
}

/// ISO-8601, UTC, milliseconds.
#[must_use]
pub fn timestamp(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_millis)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_records_in_order() {
        let rows: Vec<Row> = Rows::new(Ids::TimeOrdered, 40, 1_795_000_000_000, 1_000, 1).collect();
        assert_eq!(rows.len(), 40);
        assert!(rows.is_sorted_by(|a, b| (&a.timestamp, &a.log_id) < (&b.timestamp, &b.log_id)));
        for row in &rows {
            let wire = row.wire().unwrap();
            let raw: &serde_json::value::RawValue = serde_json::from_str(&wire).unwrap();
            log_record::RecordView::new(raw)
                .unwrap()
                .to_record()
                .unwrap();
        }
        let loud = rows.iter().filter(|row| row.log_level != "info").count();
        assert_eq!(loud, 4, "one in ten");
    }
}
