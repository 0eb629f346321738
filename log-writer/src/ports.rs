//! The outside as log-writer needs it: a database, a queue for dead letters, a key-value store, a bucket and a clock. `edge`
//! implements these on the Workers runtime; the native tests implement them over SQLite and with fakes that fail, are
//! slow or never answer. Nobody calls them without a limit: see [`crate::invocation`].

pub use worker_runtime::{CallError, Clock};

/// One SQL statement. Every parameter is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, with `?1`, `?2`, ….
    pub sql: &'static str,
    /// The parameters, in order.
    pub parameters: Vec<String>,
}

/// The effects of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementResult {
    /// The columns of the first row that came back, if one did. Every column is text.
    pub row: Vec<String>,
    /// Rows inserted or deleted (`meta.changes`).
    pub changes: u64,
    /// Rows written as D1 bills them, index entries included (`meta.rows_written`).
    pub rows_written: u64,
    /// The database's size in bytes afterwards (`meta.size_after`); 0 when unknown.
    pub size_bytes: u64,
    /// The time that D1 itself took, in microseconds (`meta.duration`); 0 when unknown.
    pub duration_us: u64,
}

/// The D1 database.
pub trait Store {
    /// Runs `statements` in one transaction: all of them, or none. Results are in the order of the statements.
    ///
    /// An error does not prove that nothing was committed: the answer may have been lost after the commit.
    ///
    /// # Errors
    /// D1 refused, or its answer was lost.
    fn batch(
        &self,
        statements: &[Statement],
    ) -> impl Future<Output = Result<Vec<StatementResult>, CallError>>;
}

/// The queue for dead letters.
pub trait DeadLetterQueue {
    /// Sends `text` as one message of content type text.
    ///
    /// # Errors
    /// The queue did not take it, or its answer was lost.
    fn send(&self, text: &str) -> impl Future<Output = Result<(), CallError>>;
}

/// A page of the keys of a KV namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, ascending.
    pub keys: Vec<String>,
    /// The place where the next page begins; `None` after the last page.
    pub cursor: Option<String>,
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
    ) -> impl Future<Output = Result<(), CallError>>;

    /// Returns the values under at most 100 `keys`, in their order; `None` for a key that is gone.
    ///
    /// # Errors
    /// KV did not answer.
    fn get_many(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<Option<String>>, CallError>>;

    /// Deletes `key`, whether it exists or not.
    ///
    /// # Errors
    /// KV did not answer.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), CallError>>;

    /// Returns a page of the keys that begin with `prefix`, from `cursor` on.
    ///
    /// # Errors
    /// KV did not answer.
    fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> impl Future<Output = Result<KeyPage, CallError>>;
}

/// The bucket of the archive.
pub trait Bucket {
    /// An object that is compressed and not yet stored.
    type Object;

    /// Returns whether the Worker has one.
    fn is_bound(&self) -> bool;

    /// Compresses `lines`.
    ///
    /// # Errors
    /// The runtime cannot.
    fn compress(&self, lines: String) -> impl Future<Output = Result<Self::Object, CallError>>;

    /// Returns the size of `object` in bytes.
    fn size_bytes(&self, object: &Self::Object) -> u64;

    /// Stores `object` under `key`, unless there is one.
    ///
    /// An error does not prove that nothing was stored: the answer may have been lost.
    ///
    /// # Errors
    /// R2 did not take it, or its answer was lost.
    fn put_new(
        &self,
        key: &str,
        object: &Self::Object,
    ) -> impl Future<Output = Result<(), CallError>>;
}

/// The five together.
#[derive(Clone, Debug)]
pub struct Platform<S, Q, K, B, C> {
    /// D1.
    pub store: S,
    /// The queue for dead letters.
    pub queue: Q,
    /// KV.
    pub kv: K,
    /// The bucket of the archive.
    pub bucket: B,
    /// The clock.
    pub clock: C,
}

/// [`Platform`] under one name, for signatures.
pub trait Ports {
    /// The database.
    type Store: Store;
    /// The queue for dead letters.
    type Queue: DeadLetterQueue;
    /// The key-value store.
    type Kv: Fallback;
    /// The bucket of the archive.
    type Bucket: Bucket;
    /// The clock.
    type Clock: Clock;

    /// Returns the database.
    fn store(&self) -> &Self::Store;
    /// Returns the queue for dead letters.
    fn queue(&self) -> &Self::Queue;
    /// Returns the key-value store.
    fn kv(&self) -> &Self::Kv;
    /// Returns the bucket of the archive.
    fn bucket(&self) -> &Self::Bucket;
    /// Returns the clock.
    fn clock(&self) -> &Self::Clock;
}

impl<S: Store, Q: DeadLetterQueue, K: Fallback, B: Bucket, C: Clock> Ports
    for Platform<S, Q, K, B, C>
{
    type Store = S;
    type Queue = Q;
    type Kv = K;
    type Bucket = B;
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
    fn bucket(&self) -> &B {
        &self.bucket
    }
    fn clock(&self) -> &C {
        &self.clock
    }
}
