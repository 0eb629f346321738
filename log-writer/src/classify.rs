//! What a D1 error means, from its text: D1 has no error codes to go by. `write` acts on the [`Class`].

use serde::Serialize;

/// What to do about a D1 error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It passes: try again at once, then later.
    Transient,
    /// D1 has more to do than it can: come back later, not at once.
    Overloaded,
    /// What was asked in one call was too much: come back later, with less in each.
    TooMuchWork,
    /// The database is full: make room, then try again.
    Full,
    /// A record in the call can never be stored.
    Rejected,
    /// The database is not what this code expects (not migrated, not bound). No record is at fault: all wait.
    Unready,
    /// Not in the table. Treated as transient; where it does not pass, calls are made smaller to tell a bad record
    /// from a bad database.
    Unknown,
}

impl Class {
    /// Whether trying again within the second may help.
    #[must_use]
    pub fn passes_quickly(self) -> bool {
        matches!(self, Self::Transient | Self::Unknown)
    }

    /// Whether the messages should stay away longer than after a passing fault.
    #[must_use]
    pub fn asks_for_a_pause(self) -> bool {
        matches!(self, Self::Overloaded | Self::TooMuchWork | Self::Full)
    }
}

/// <https://developers.cloudflare.com/d1/observability/debug-d1/#error-list>; in comments: "error list".
/// <https://www.sqlite.org/rescode.html>; D1 appends the name of SQLite's result code.
///
/// The first text found within the error's decides.
const TABLE: &[(&str, Class)] = &[
    // Error list, recommended action: retry.
    ("reset because its code was updated", Class::Transient),
    (
        "Internal error while starting up D1 DB storage",
        Class::Transient,
    ),
    ("Network connection lost", Class::Transient),
    ("Internal error in D1 DB storage", Class::Transient),
    (
        "Cannot resolve D1 DB due to transient issue",
        Class::Transient,
    ),
    (
        "Can't read from request stream because client disconnected",
        Class::Transient,
    ),
    // Error list, recommended action: smaller queries, or fewer.
    ("storage operation exceeded timeout", Class::TooMuchWork),
    ("exceeded its memory limit", Class::TooMuchWork),
    ("exceeded its CPU time limit", Class::TooMuchWork),
    // Error list, recommended action: fewer requests. (Requests queued for too long; too many requests queued.)
    ("D1 DB is overloaded", Class::Overloaded),
    // What D1 answers at its limit of 10 GB (500 MB on the free plan): reported by users, not in the error list.
    ("Exceeded maximum DB size", Class::Full),
    ("SQLITE_FULL", Class::Full),
    ("database or disk is full", Class::Full),
    // SQLite. A lock is what another process on a local database gives.
    ("SQLITE_BUSY", Class::Transient),
    ("database is locked", Class::Transient),
    ("SQLITE_LOCKED", Class::Transient),
    ("SQLITE_IOERR", Class::Transient),
    ("SQLITE_NOMEM", Class::TooMuchWork),
    ("out of memory", Class::TooMuchWork),
    ("SQLITE_CONSTRAINT", Class::Rejected),
    ("constraint failed", Class::Rejected),
    ("SQLITE_MISMATCH", Class::Rejected),
    ("datatype mismatch", Class::Rejected),
    ("SQLITE_TOOBIG", Class::Rejected),
    ("string or blob too big", Class::Rejected),
    ("malformed JSON", Class::Rejected),
    // Error list: the type of a value does not fit its column.
    ("D1_TYPE_ERROR", Class::Rejected),
    // SQLite is too old for a statement: `d1.rs` knows better the next time.
    (NEEDS_3_51, Class::Transient),
    // A migration is missing, or too new.
    ("no such table", Class::Unready),
    ("no such column", Class::Unready),
    ("has no column named", Class::Unready),
    ("D1_COLUMN_NOTFOUND", Class::Unready),
    // `d1.rs`, where the Worker's configuration has no database.
    (MISSING_BINDING, Class::Unready),
];

/// What stands in the error of an SQLite that is too old for `statement::INSERT`.
pub(crate) const NEEDS_3_51: &str = "jsonb_each";

/// What the adapters say where the Worker's configuration lacks a binding; its name follows.
pub const MISSING_BINDING: &str = "no binding named";

/// Judges a D1 error by its text; see the table.
#[must_use]
pub fn classify(text: &str) -> Class {
    TABLE
        .iter()
        .find(|(needle, _)| contains(text, needle))
        .map_or(Class::Unknown, |(_, class)| *class)
}

/// `str::contains` would do, but is made for long texts, and 3 kB of Wasm.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    let needle = needle.as_bytes();
    let mut places = text.as_bytes().windows(needle.len());
    places.any(|place| place == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error list as Cloudflare documents it, and what SQLite's own errors look like through D1.
    const DOCUMENTED: &[(&str, Class)] = &[
        (
            "D1_ERROR: D1 DB reset because its code was updated.",
            Class::Transient,
        ),
        (
            "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
            Class::Transient,
        ),
        ("D1_ERROR: Network connection lost.", Class::Transient),
        (
            "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
            Class::Transient,
        ),
        (
            "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
            Class::Transient,
        ),
        (
            "D1_ERROR: Can't read from request stream because client disconnected.",
            Class::Transient,
        ),
        (
            "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
            Class::TooMuchWork,
        ),
        (
            "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
            Class::Overloaded,
        ),
        (
            "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
            Class::Overloaded,
        ),
        (
            "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
            Class::TooMuchWork,
        ),
        (
            "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
            Class::TooMuchWork,
        ),
        ("D1_ERROR: Exceeded maximum DB size", Class::Full),
        (
            "D1_ERROR: database or disk is full: SQLITE_FULL",
            Class::Full,
        ),
        (
            "D1_ERROR: database is locked: SQLITE_BUSY",
            Class::Transient,
        ),
        (
            "D1_ERROR: CHECK constraint failed: log_level IN ('debug'): SQLITE_CONSTRAINT_CHECK",
            Class::Rejected,
        ),
        (
            "D1_ERROR: NOT NULL constraint failed: tail_logs.message: SQLITE_CONSTRAINT",
            Class::Rejected,
        ),
        (
            "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
            Class::Rejected,
        ),
        ("D1_ERROR: malformed JSON: SQLITE_ERROR", Class::Rejected),
        (
            "D1_ERROR: no such table: tail_logs: SQLITE_ERROR",
            Class::Unready,
        ),
        (
            "D1_ERROR: table tail_logs has no column named x: SQLITE_ERROR",
            Class::Unready,
        ),
        (
            "D1_ERROR: no such table: jsonb_each: SQLITE_ERROR",
            Class::Transient,
        ),
        ("no binding named DB", Class::Unready),
        ("D1_ERROR: something new", Class::Unknown),
        ("", Class::Unknown),
    ];

    #[test]
    fn every_documented_error_has_its_class() {
        for (text, class) in DOCUMENTED {
            assert_eq!(classify(text), *class, "{text}");
        }
    }

    #[test]
    fn every_row_of_the_table_can_be_reached() {
        for (needle, class) in TABLE {
            assert_eq!(classify(needle), *class, "{needle}");
        }
    }
}
