//! What log-writer needs of the outside: a database, a queue for dead letters, a key-value store and a clock. The edge
//! modules (`d1`, `dlq`, `kv`, `clock`) implement these on the Workers runtime; the native tests implement them over
//! SQLite and with fakes that fail on demand. `classify` judges what a database error means.

use thiserror::Error;

use crate::classify::{Class, classify};

/// One SQL statement. Every parameter is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, with `?1`, `?2`, ….
    pub sql: &'static str,
    /// The parameters, in order.
    pub parameters: Vec<String>,
}

/// What one statement did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The columns of the first row that came back, if one did. Every column is text.
    pub row: Vec<String>,
    /// Rows inserted or deleted (`meta.changes`).
    pub changes: u64,
    /// Rows written as D1 bills them, index entries included (`meta.rows_written`).
    pub rows_written: u64,
    /// The database's size in bytes afterwards (`meta.size_after`); 0 when unknown.
    pub size_bytes: u64,
}

/// Why the database did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct StoreError {
    /// What it means for the caller.
    pub class: Class,
    /// D1's own words. They name tables, columns and constraints, never values.
    pub text: String,
}

impl StoreError {
    /// Judges D1's error text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            class: classify(&text),
            text,
        }
    }
}

/// The D1 database.
pub trait Store {
    /// Runs `statements` in one transaction: all of them, or none. Outcomes are in the order of the statements.
    ///
    /// An error does not prove that nothing was committed: the answer may have been lost after the commit.
    ///
    /// # Errors
    /// [`StoreError`], already judged.
    fn batch(
        &self,
        statements: Vec<Statement>,
    ) -> impl Future<Output = Result<Vec<Outcome>, StoreError>>;
}

/// Why a queue or KV did not do it: its own words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The queue for dead letters.
pub trait DeadLetterQueue {
    /// Sends `text` as one message of content type text.
    ///
    /// # Errors
    /// The queue did not take it, or its answer was lost.
    fn send(&self, text: &str) -> impl Future<Output = Result<(), Refused>>;
}

/// Some keys of a KV namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The keys, ascending.
    pub keys: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

/// The KV namespace behind the queues.
pub trait Fallback {
    /// Stores `value` under `key` for `ttl_seconds`.
    ///
    /// # Errors
    /// KV did not take it, or its answer was lost.
    fn put(
        &self,
        key: &str,
        value: &str,
        ttl_seconds: u64,
    ) -> impl Future<Output = Result<(), Refused>>;

    /// The value under `key`; `None` when there is none (any more).
    ///
    /// # Errors
    /// KV did not answer.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<String>, Refused>>;

    /// Forgets `key`, whether it exists or not.
    ///
    /// # Errors
    /// KV did not answer.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), Refused>>;

    /// The first `limit` keys that begin with `prefix`.
    ///
    /// # Errors
    /// KV did not answer.
    fn list(&self, prefix: &str, limit: u32) -> impl Future<Output = Result<Keys, Refused>>;
}

/// Time. In production it stands still while a Worker computes and moves across I/O.
pub trait Clock {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Returns after `ms` milliseconds.
    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()>;
}

/// The four together, as the runs take them.
#[derive(Clone, Debug)]
pub struct Adapters<S, Q, K, C> {
    /// D1.
    pub store: S,
    /// The dead-letter queue.
    pub queue: Q,
    /// KV.
    pub kv: K,
    /// The clock.
    pub clock: C,
}

/// [`Adapters`] under one name.
pub trait Ports {
    /// The database.
    type Store: Store;
    /// The queue for dead letters.
    type Queue: DeadLetterQueue;
    /// The key-value store.
    type Kv: Fallback;
    /// The clock.
    type Clock: Clock;

    /// The database.
    fn store(&self) -> &Self::Store;
    /// The queue for dead letters.
    fn queue(&self) -> &Self::Queue;
    /// The key-value store.
    fn kv(&self) -> &Self::Kv;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
}

impl<S: Store, Q: DeadLetterQueue, K: Fallback, C: Clock> Ports for Adapters<S, Q, K, C> {
    type Store = S;
    type Queue = Q;
    type Kv = K;
    type Clock = C;

    fn store(&self) -> &S {
        &self.store
    }
    fn queue(&self) -> &Q {
        &self.queue
    }
    fn kv(&self) -> &K {
        &self.kv
    }
    fn clock(&self) -> &C {
        &self.clock
    }
}
