//! The meaning of a D1 error, from its text: D1 has no error codes to go by. `write` acts on the [`ErrorKind`].
//!
//! The question is always who can have caused it. What a record can cause is rejected, and the record becomes a dead
//! letter. What no record can cause never makes a dead letter, however often a message was delivered: the messages wait.

use serde::Serialize;
use thiserror::Error;
use worker_runtime::CallError;

/// The cause of a D1 error, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A fault that passes: try again at once, then later.
    Transient,
    /// D1 has more to do than it can: come back later, not at once.
    Overloaded,
    /// The account is at a limit of storage or of a day's rows: come back later. No record is at fault.
    AccountLimit,
    /// One call asked for too much: come back later, with less in each.
    TooMuchWork,
    /// The database is full: make room, then try again.
    Full,
    /// A record in the call can never be stored.
    Rejected,
    /// The database is not what this code expects: not migrated, not bound, read-only, damaged, or of an SQLite that does
    /// not understand the statement. No record is at fault, and a person must act: all wait.
    NotReady,
    /// This invocation has asked as much as it may: the next one goes on.
    OutOfBudget,
    /// An error that the table does not know. It counts as transient; where it does not pass, records are told apart.
    Unknown,
}

impl ErrorKind {
    /// Returns whether trying again within the second may help.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        matches!(self, Self::Transient | Self::Unknown)
    }

    /// Returns whether the messages should stay away longer than after a passing fault.
    #[must_use]
    pub fn needs_backoff(self) -> bool {
        matches!(
            self,
            Self::Overloaded | Self::AccountLimit | Self::TooMuchWork | Self::Full
        )
    }

    /// Judges a D1 error by its text; see the table.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let row = TABLE.iter().find(|(part, _)| text.contains(part));
        row.map_or(Self::Unknown, |(_, kind)| *kind)
    }
}

/// A call to D1 that failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct StoreError {
    /// The meaning for the caller.
    pub kind: ErrorKind,
    /// D1's own words. They name tables, columns and constraints, never values.
    pub text: String,
}

impl StoreError {
    /// Judges D1's error text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind: ErrorKind::of_text(&text),
            text,
        }
    }
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        let kind = match &error {
            CallError::Refused(text) => ErrorKind::of_text(text),
            CallError::TimedOut { .. } => ErrorKind::Transient,
            CallError::OutOfTime => ErrorKind::OutOfBudget,
            CallError::MissingBinding(_) => ErrorKind::NotReady,
        };
        Self {
            kind,
            text: error.to_string(),
        }
    }
}

/// Sources: "list" is <https://developers.cloudflare.com/d1/observability/debug-d1/#error-list>; SQLite's own texts come
/// with the name of its result code, <https://www.sqlite.org/rescode.html>.
///
/// The first text found within the error's decides: an exception stands before its rule.
const TABLE: &[(&str, ErrorKind)] = &[
    // SQLite is too old for a statement: the edge knows better the next time.
    (NEEDS_3_51, ErrorKind::Transient),
    // What no record can cause, and a person must mend. The SQL is constant, so its length and its parameters are, too.
    ("no such table", ErrorKind::NotReady),
    ("no such column", ErrorKind::NotReady),
    ("no such function", ErrorKind::NotReady),
    ("has no column named", ErrorKind::NotReady),
    ("D1_COLUMN_NOTFOUND", ErrorKind::NotReady), // list
    ("No SQL statements detected", ErrorKind::NotReady), // list
    ("syntax error", ErrorKind::NotReady),
    ("statement too long", ErrorKind::NotReady),
    ("too many SQL variables", ErrorKind::NotReady),
    ("Wrong number of parameter bindings", ErrorKind::NotReady),
    ("readonly database", ErrorKind::NotReady),
    ("SQLITE_READONLY", ErrorKind::NotReady),
    ("not authorized", ErrorKind::NotReady),
    ("SQLITE_AUTH", ErrorKind::NotReady),
    ("SQLITE_PERM", ErrorKind::NotReady),
    ("disk image is malformed", ErrorKind::NotReady),
    ("SQLITE_CORRUPT", ErrorKind::NotReady),
    ("file is not a database", ErrorKind::NotReady),
    ("SQLITE_NOTADB", ErrorKind::NotReady),
    // List, action: upgrade, delete, or wait until tomorrow. Dropping rows of one database does not free an account.
    ("Your account has exceeded D1's", ErrorKind::AccountLimit),
    ("maximum account storage limit", ErrorKind::AccountLimit),
    // List, action: retry.
    ("reset because its code was updated", ErrorKind::Transient),
    (
        "Internal error while starting up D1 DB storage",
        ErrorKind::Transient,
    ),
    ("Network connection lost", ErrorKind::Transient),
    ("Internal error in D1 DB storage", ErrorKind::Transient),
    (
        "Cannot resolve D1 DB due to transient issue",
        ErrorKind::Transient,
    ),
    (
        "Can't read from request stream because client disconnected",
        ErrorKind::Transient,
    ),
    ("Replica disconnected from primary", ErrorKind::Transient),
    // Seen by users, not in the list.
    ("internal error; reference", ErrorKind::Transient),
    ("Failed to parse body as JSON", ErrorKind::Transient),
    ("will never generate a response", ErrorKind::Transient),
    // List, action: smaller queries, or fewer.
    ("storage operation exceeded timeout", ErrorKind::TooMuchWork),
    ("exceeded its memory limit", ErrorKind::TooMuchWork),
    ("exceeded its CPU time limit", ErrorKind::TooMuchWork),
    // Seen by users: a request or an answer too large to be held; a statement that D1 broke off.
    ("Memory limit would be exceeded", ErrorKind::TooMuchWork),
    ("SQLITE_INTERRUPT", ErrorKind::TooMuchWork),
    ("SQLITE_NOMEM", ErrorKind::TooMuchWork),
    ("out of memory", ErrorKind::TooMuchWork),
    // List, action: fewer requests. D1 answers nothing during an export or import either.
    ("D1 DB is overloaded", ErrorKind::Overloaded),
    ("Requests queued for too long", ErrorKind::Overloaded),
    ("Too many requests queued", ErrorKind::Overloaded),
    ("long-running export", ErrorKind::Overloaded),
    ("long-running import", ErrorKind::Overloaded),
    // The runtime's own limit of calls to make in one invocation.
    ("Too many subrequests", ErrorKind::OutOfBudget),
    ("Too many API requests", ErrorKind::OutOfBudget),
    // List: the limit of 10 GB (500 MB on the free plan).
    ("Exceeded maximum DB size", ErrorKind::Full),
    ("SQLITE_FULL", ErrorKind::Full),
    ("database or disk is full", ErrorKind::Full),
    // SQLite. A lock is what another process on a local database gives.
    ("SQLITE_BUSY", ErrorKind::Transient),
    ("database is locked", ErrorKind::Transient),
    ("SQLITE_LOCKED", ErrorKind::Transient),
    ("SQLITE_PROTOCOL", ErrorKind::Transient),
    ("SQLITE_SCHEMA", ErrorKind::Transient),
    ("SQLITE_CANTOPEN", ErrorKind::Transient),
    ("SQLITE_IOERR", ErrorKind::Transient),
    // What a record can cause.
    ("SQLITE_CONSTRAINT", ErrorKind::Rejected),
    ("constraint failed", ErrorKind::Rejected),
    ("SQLITE_MISMATCH", ErrorKind::Rejected),
    ("datatype mismatch", ErrorKind::Rejected),
    ("SQLITE_TOOBIG", ErrorKind::Rejected),
    ("string or blob too big", ErrorKind::Rejected),
    ("malformed JSON", ErrorKind::Rejected),
    ("D1_TYPE_ERROR", ErrorKind::Rejected), // list: the type of a value does not fit its column
];

/// Part of the error of an SQLite that is too old for [`crate::statement::INSERT`].
pub(crate) const NEEDS_3_51: &str = "jsonb_each";

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors of Cloudflare's list, those that users report, and SQLite's own as D1 passes them on.
    const KNOWN: &[(ErrorKind, &[&str])] = &[
        (
            ErrorKind::Transient,
            &[
                "D1_ERROR: D1 DB reset because its code was updated.",
                "D1_ERROR: Durable Object reset because its code was updated.",
                "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
                "D1_ERROR: Network connection lost.",
                "Network connection lost.",
                "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
                "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
                "D1_ERROR: Can't read from request stream because client disconnected.",
                "D1_ERROR: Replica disconnected from primary.",
                "D1_ERROR: internal error; reference = abcdefghij0123456789",
                "D1_ERROR: Failed to parse body as JSON, got: error code: 1031",
                "The script will never generate a response.",
                "D1_ERROR: database is locked: SQLITE_BUSY",
                "D1_ERROR: disk I/O error: SQLITE_IOERR",
                "D1_ERROR: no such table: jsonb_each: SQLITE_ERROR",
            ],
        ),
        (
            ErrorKind::Overloaded,
            &[
                "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
                "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
                "D1_ERROR: Requests queued for too long.",
                "D1_ERROR: Currently processing a long-running export.",
                "D1_ERROR: Currently processing a long-running import.",
            ],
        ),
        (
            ErrorKind::AccountLimit,
            &[
                "D1_ERROR: Exceeded maximum account storage limit.",
                "Your account has exceeded D1's maximum account storage limit, please contact Cloudflare to raise your limit.",
                "D1_ERROR: Your account has exceeded D1's free tier daily row read limit. Upgrade to a paid plan or wait \
                 until tomorrow (midnight UTC) to continue.",
                "D1_ERROR: Your account has exceeded D1's free tier daily row write limit. Upgrade to a paid plan or wait \
                 until tomorrow (midnight UTC) to continue.",
            ],
        ),
        (
            ErrorKind::TooMuchWork,
            &[
                "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
                "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
                "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
                "D1_ERROR: Memory limit would be exceeded before EOF.",
                "D1_ERROR: interrupted: SQLITE_INTERRUPT",
            ],
        ),
        (
            ErrorKind::Full,
            &[
                "D1_ERROR: Exceeded maximum DB size.",
                "D1_ERROR: database or disk is full: SQLITE_FULL",
            ],
        ),
        (
            ErrorKind::Rejected,
            &[
                "D1_ERROR: CHECK constraint failed: log_level IN ('debug'): SQLITE_CONSTRAINT_CHECK",
                "D1_ERROR: NOT NULL constraint failed: tail_logs.message: SQLITE_CONSTRAINT",
                "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
                "D1_ERROR: malformed JSON: SQLITE_ERROR",
                "D1_ERROR: datatype mismatch: SQLITE_MISMATCH",
                "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
            ],
        ),
        (
            ErrorKind::NotReady,
            &[
                "D1_ERROR: no such table: tail_logs: SQLITE_ERROR",
                "D1_ERROR: table tail_logs has no column named x: SQLITE_ERROR",
                "D1_ERROR: No SQL statements detected.",
                "D1_ERROR: statement too long: SQLITE_TOOBIG",
                "D1_ERROR: too many SQL variables at offset 241: SQLITE_ERROR",
                "D1_ERROR: near \"FROM\": syntax error at offset 12: SQLITE_ERROR",
                "D1_ERROR: attempt to write a readonly database: SQLITE_READONLY",
                "D1_ERROR: not authorized: SQLITE_AUTH",
                "D1_ERROR: database disk image is malformed: SQLITE_CORRUPT",
            ],
        ),
        (
            ErrorKind::OutOfBudget,
            &[
                "Error: Too many subrequests by single Worker invocation.",
                "Error: Too many API requests by single worker invocation.",
            ],
        ),
        (ErrorKind::Unknown, &["D1_ERROR: something new", ""]),
    ];

    #[test]
    fn every_known_error_has_its_kind() {
        for (kind, texts) in KNOWN {
            for text in *texts {
                assert_eq!(ErrorKind::of_text(text), *kind, "{text}");
            }
        }
    }

    #[test]
    fn every_row_of_the_table_can_be_reached() {
        for (part, kind) in TABLE {
            assert_eq!(ErrorKind::of_text(part), *kind, "{part}");
        }
    }

    #[test]
    fn silence_passes_and_a_missing_binding_does_not() {
        let kind = |error| StoreError::from(error).kind;
        let silence = CallError::TimedOut { limit_ms: 1 };
        assert_eq!(kind(silence), ErrorKind::Transient);
        assert_eq!(kind(CallError::MissingBinding("DB")), ErrorKind::NotReady);
    }
}
