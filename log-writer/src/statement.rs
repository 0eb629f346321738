//! The SQL that log-writer runs, and how records become its parameters. `write` runs the inserts, `prune` the deletes.

use log_record::limits::STATEMENT_PARAMETER_BYTES;

use crate::d1_error::NEEDS_3_51;
use crate::ports::Statement;

macro_rules! insert_from {
    ($each:literal) => {
        concat!(
            "INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, context_json, \
             timestamp, execution_time_ms) \
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8 \
             FROM ",
            $each,
            "(?1) WHERE true ON CONFLICT DO NOTHING"
        )
    };
}

/// Inserts an array of records, each an array by position, from one parameter.
///
/// `->>` gives a JSON string bare, an object as its text (numbers as they were written), and JSON null as NULL.
/// `ON CONFLICT` concerns uniqueness alone: a record that was stored before is passed over, but one that violates a
/// CHECK or NOT NULL still fails the statement (`INSERT OR IGNORE` would lose it in silence). `WHERE true` is there
/// because SQLite's parser would otherwise read `ON` as the start of a join.
///
/// `jsonb_each` hands out the records as SQLite has parsed them; `json_each` writes each as text again, which every `->>`
/// then finds parsed only in a cache.
pub const INSERT: &str = insert_from!("jsonb_each");

/// The same for SQLite before 3.51, which has no `jsonb_each`.
const INSERT_BEFORE_3_51: &str = insert_from!("json_each");

/// Returns whether a statement failed with `error` because SQLite is too old for it: then [`before_3_51`] has the one to
/// run.
#[must_use]
pub fn asks_for_3_51(error: &str) -> bool {
    error.contains(NEEDS_3_51)
}

/// Returns the statement that does the same as `sql` in an older SQLite.
#[must_use]
pub fn before_3_51(sql: &'static str) -> &'static str {
    if sql == INSERT {
        INSERT_BEFORE_3_51
    } else {
        sql
    }
}

/// Finds the key of the row that `?2` rows precede, among those earlier than `?1`.
pub const NTH_OLDEST: &str = "\
SELECT timestamp, log_id FROM tail_logs WHERE timestamp < ?1 \
ORDER BY timestamp, log_id LIMIT 1 OFFSET CAST(?2 AS INTEGER)";

/// Deletes the rows before the key (`?1`, `?2`).
pub const DELETE_BEFORE: &str = "DELETE FROM tail_logs WHERE (timestamp, log_id) < (?1, ?2)";

/// Counts the rows earlier than `?1`, up to `?2`.
pub const COUNT_BEFORE: &str = "\
SELECT CAST(COUNT(*) AS TEXT) FROM \
(SELECT 1 FROM tail_logs WHERE timestamp < ?1 LIMIT CAST(?2 AS INTEGER))";

/// Inserts an array of catalog rows, each an array by position, from one parameter. D1 gives each the time of now.
pub const INSERT_OBJECTS: &str = "\
INSERT INTO archive_objects (key, first_timestamp, last_timestamp, bytes, rows, counts) \
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 \
FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

/// The catalog rows that one [`DELETE_OBJECTS`] deletes at most.
pub const DELETED_OBJECTS: u64 = 1_000;

/// Deletes the catalog rows stored before `?1`, the oldest first, at most [`DELETED_OBJECTS`].
pub const DELETE_OBJECTS: &str = "\
DELETE FROM archive_objects WHERE key IN \
(SELECT key FROM archive_objects WHERE stored_at < ?1 ORDER BY stored_at LIMIT 1000)";

/// Returns as few inserts as hold `records`, each one wire array, within [`STATEMENT_PARAMETER_BYTES`] a parameter.
#[must_use]
pub fn inserts(records: &[&str]) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut parameter = String::new();
    for record in records {
        if !parameter.is_empty() && parameter.len() + record.len() + 2 > STATEMENT_PARAMETER_BYTES {
            statements.push(insert(&mut parameter));
        }
        parameter.push(if parameter.is_empty() { '[' } else { ',' });
        parameter.push_str(record);
    }
    if !parameter.is_empty() {
        statements.push(insert(&mut parameter));
    }
    statements
}

/// Returns an insert of no records: it fails only where the database itself is in trouble.
#[must_use]
pub fn empty_insert() -> Statement {
    insert(&mut "[".to_owned())
}

fn insert(parameter: &mut String) -> Statement {
    let mut parameter = std::mem::take(parameter);
    parameter.push(']');
    Statement {
        sql: INSERT,
        parameters: vec![parameter],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_share_a_parameter_up_to_its_limit() {
        let record = format!("[\"{}\"]", "x".repeat(299_996));
        let statements = inserts(&[record.as_str(); 7]);
        let lengths: Vec<usize> = statements.iter().map(|s| s.parameters[0].len()).collect();
        assert_eq!(lengths, [900_004, 900_004, 300_002]);
        assert!(lengths.iter().all(|n| *n <= STATEMENT_PARAMETER_BYTES));
        for statement in &statements {
            serde_json::from_str::<Vec<[String; 1]>>(&statement.parameters[0]).unwrap();
        }
    }

    #[test]
    fn an_older_sqlite_gets_an_older_insert() {
        assert!(asks_for_3_51(
            "D1_ERROR: no such table: jsonb_each: SQLITE_ERROR"
        ));
        assert!(!asks_for_3_51(
            "D1_ERROR: no such table: tail_logs: SQLITE_ERROR"
        ));
        assert_eq!(before_3_51(INSERT), INSERT.replace("jsonb_", "json_"));
        assert_eq!(before_3_51(DELETE_BEFORE), DELETE_BEFORE);
    }

    #[test]
    fn the_deletes_limit_is_the_one_that_is_named() {
        assert!(DELETE_OBJECTS.ends_with(&format!("LIMIT {DELETED_OBJECTS})")));
    }

    #[test]
    fn no_records_are_no_statement() {
        assert_eq!(inserts(&[]), []);
    }
}
