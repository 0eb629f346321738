//! A world for log-writer: SQLite with the real migrations, a queue, KV and a clock, each of which fails when told to,
//! before or after it has done what it was asked, or never comes back at all.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use log_record::{DeadLetter, DeadLetterPayload, Envelope};
use log_writer::consume::{Verdict, consume};
use log_writer::ports::{
    Adapters, Clock, DeadLetterQueue, Fallback, Keys, Outcome, Refused, Statement, Store,
    StoreError,
};
use log_writer::settings::Settings;
use log_writer::settle::{Body, Inbound};
use log_writer::statement;
use log_writer::tally::Tally;
use rusqlite::Connection;

/// The migrations, in order.
pub const MIGRATIONS: [&str; 2] = [
    include_str!("../../../migrations/0001_tail_logs.sql"),
    include_str!("../../../migrations/0002_lean_schema.sql"),
];

pub const LOCKED: &str = "D1_ERROR: database is locked: SQLITE_BUSY";
pub const OVERLOADED: &str = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";
pub const TOO_MUCH: &str = "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.";
pub const NEW: &str = "D1_ERROR: something that nobody has seen before";

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It fails, and nothing was done.
    Before(&'static str),
    /// It is done, and fails all the same.
    After(&'static str),
    /// The process dies, and nothing was done.
    DieBefore,
    /// It is done, and the process dies.
    DieAfter,
}

/// Faults to come, one a call; healthy after the last.
#[derive(Debug, Default)]
pub struct Faults(RefCell<VecDeque<Fault>>);

impl Faults {
    pub fn set(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.0.borrow_mut() = faults.into_iter().collect();
    }

    /// Every call to come fails with `text`.
    pub fn always(&self, text: &'static str) {
        self.set(vec![Fault::Before(text); 100_000]);
    }

    pub fn heal(&self) {
        self.set([]);
    }

    pub fn left(&self) -> usize {
        self.0.borrow().len()
    }

    /// Does `work` under the next fault.
    async fn around<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let fault = self.0.borrow_mut().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::None => work(),
            Fault::Before(text) => Err(text.to_owned()),
            Fault::After(text) => {
                work()?;
                Err(text.to_owned())
            }
            Fault::DieBefore => std::future::pending().await,
            Fault::DieAfter => {
                work()?;
                std::future::pending().await
            }
        }
    }
}

/// D1, on SQLite.
#[derive(Debug)]
pub struct Sqlite {
    pub connection: RefCell<Connection>,
    pub faults: Faults,
    /// The number of statements of each call, failed ones included.
    pub calls: RefCell<Vec<usize>>,
    /// The most rows that one statement has changed.
    pub largest_change: Cell<u64>,
    /// Rows read, as D1 counts them: what a look passes over, and what a delete deletes.
    pub rows_read: Cell<u64>,
    /// By how much each call moves the clock.
    pub takes_ms: Cell<u64>,
    /// By how much each row that a call changes moves it further, in microseconds.
    pub row_takes_us: Cell<u64>,
    /// The clock.
    pub now_ms: Rc<Cell<u64>>,
}

impl Sqlite {
    pub fn migrated(now_ms: Rc<Cell<u64>>) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        Self {
            connection: RefCell::new(connection),
            faults: Faults::default(),
            calls: RefCell::default(),
            largest_change: Cell::default(),
            rows_read: Cell::default(),
            takes_ms: Cell::default(),
            row_takes_us: Cell::default(),
            now_ms,
        }
    }

    pub fn execute(&self, sql: &str) {
        self.connection.borrow().execute_batch(sql).unwrap();
    }

    pub fn number(&self, sql: &str) -> u64 {
        let connection = self.connection.borrow();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub fn ids(&self) -> Vec<String> {
        let connection = self.connection.borrow();
        let mut statement = connection
            .prepare("SELECT log_id FROM tail_logs ORDER BY timestamp, log_id")
            .unwrap();
        let ids = statement.query_map([], |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect()
    }

    fn run(&self, statements: &[Statement]) -> Result<Vec<Outcome>, String> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().map_err(|e| words(&e))?;
        let mut outcomes = Vec::new();
        for Statement { sql, parameters } in statements {
            let outcome = one(&transaction, sql, parameters).map_err(|error| words(&error))?;
            let read = match *sql {
                statement::NTH_OLDEST => passed_over(&transaction, parameters),
                _ => outcome.changes,
            };
            self.rows_read.set(self.rows_read.get() + read);
            let takes_ms = outcome.changes * self.row_takes_us.get() / 1000;
            self.now_ms.set(self.now_ms.get() + takes_ms);
            outcomes.push(outcome);
        }
        transaction.commit().map_err(|error| words(&error))?;
        let largest = outcomes.iter().map(|outcome| outcome.changes).max();
        let largest = self.largest_change.get().max(largest.unwrap_or(0));
        self.largest_change.set(largest);
        Ok(outcomes)
    }
}

fn one(connection: &Connection, sql: &str, parameters: &[String]) -> rusqlite::Result<Outcome> {
    let mut statement = connection.prepare(sql)?;
    let parameters = rusqlite::params_from_iter(parameters);
    if statement.column_count() == 0 {
        return Ok(Outcome {
            changes: statement.execute(parameters)? as u64,
            ..Outcome::default()
        });
    }
    let columns = statement.column_count();
    let mut rows = statement.query(parameters)?;
    let row = match rows.next()? {
        Some(row) => (0..columns).map(|column| row.get(column)).collect(),
        None => Ok(Vec::new()),
    };
    Ok(Outcome {
        row: row?,
        ..Outcome::default()
    })
}

/// How many rows it takes to find the n-th oldest.
fn passed_over(connection: &Connection, parameters: &[String]) -> u64 {
    let count = "SELECT COUNT(*) FROM (SELECT 1 FROM tail_logs WHERE timestamp < ?1 LIMIT ?2 + 1)";
    let count = connection.query_row(count, rusqlite::params_from_iter(parameters), |row| {
        row.get(0)
    });
    count.unwrap()
}

/// An error as D1 words it.
fn words(error: &rusqlite::Error) -> String {
    format!("D1_ERROR: {error}")
}

impl Store for Sqlite {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, StoreError> {
        self.calls.borrow_mut().push(statements.len());
        self.now_ms.set(self.now_ms.get() + self.takes_ms.get());
        let result = self.faults.around(|| self.run(&statements)).await;
        result.map_err(StoreError::new)
    }
}

/// The dead-letter queue.
#[derive(Debug, Default)]
pub struct Letters {
    pub sent: RefCell<Vec<String>>,
    pub faults: Faults,
}

impl DeadLetterQueue for Letters {
    async fn send(&self, text: &str) -> Result<(), Refused> {
        let work = || {
            self.sent.borrow_mut().push(text.to_owned());
            Ok(())
        };
        self.faults.around(work).await.map_err(Refused)
    }
}

/// KV.
#[derive(Debug, Default)]
pub struct Kv {
    pub values: RefCell<BTreeMap<String, String>>,
    /// By key.
    pub ttls: RefCell<BTreeMap<String, u64>>,
    pub faults: Faults,
}

impl Fallback for Kv {
    async fn put(&self, key: &str, value: &str, ttl_seconds: u64) -> Result<(), Refused> {
        let work = || {
            self.values
                .borrow_mut()
                .insert(key.to_owned(), value.to_owned());
            self.ttls.borrow_mut().insert(key.to_owned(), ttl_seconds);
            Ok(())
        };
        self.faults.around(work).await.map_err(Refused)
    }

    async fn get(&self, key: &str) -> Result<Option<String>, Refused> {
        let work = || Ok(self.values.borrow().get(key).cloned());
        self.faults.around(work).await.map_err(Refused)
    }

    async fn delete(&self, key: &str) -> Result<(), Refused> {
        let work = || {
            self.values.borrow_mut().remove(key);
            Ok(())
        };
        self.faults.around(work).await.map_err(Refused)
    }

    async fn list(&self, prefix: &str, limit: u32) -> Result<Keys, Refused> {
        let work = || {
            let values = self.values.borrow();
            let all = values.keys().filter(|key| key.starts_with(prefix)).cloned();
            let mut keys: Vec<String> = all.take(limit as usize + 1).collect();
            let more = keys.len() > limit as usize;
            keys.truncate(limit as usize);
            Ok(Keys { keys, more })
        };
        self.faults.around(work).await.map_err(Refused)
    }
}

/// A clock that moves when it is slept by.
#[derive(Debug)]
pub struct FakeClock {
    pub now_ms: Rc<Cell<u64>>,
    pub slept_ms: RefCell<Vec<u64>>,
}

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
        self.slept_ms.borrow_mut().push(ms);
    }
}

pub type World = Adapters<Sqlite, Letters, Kv, FakeClock>;

/// 2026-11-23T18:00:00.000Z.
pub const NOW_MS: u64 = 1_795_456_800_000;

pub fn world() -> World {
    let now_ms = Rc::new(Cell::new(NOW_MS));
    Adapters {
        store: Sqlite::migrated(now_ms.clone()),
        queue: Letters::default(),
        kv: Kv::default(),
        clock: FakeClock {
            now_ms,
            slept_ms: RefCell::default(),
        },
    }
}

/// Runs `future` to its end, or to where the process died.
pub fn run<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Consumes a batch to its end.
pub fn consumed(world: &World, settings: &Settings, messages: &[Inbound]) -> (Vec<Verdict>, Tally) {
    run(consume(world, settings, messages)).expect("the process died")
}

/// The id of record `n`: time-ordered, one a millisecond.
pub fn id(n: u64) -> String {
    format!("0193579c-{:04x}-7000-8000-{n:012x}", n % 0xffff)
}

pub fn row_at(n: u64, level: &str, timestamp: &str) -> String {
    format!(
        r#"["{}","shop","ray-{}","order-{}","{level}","line {n}",{{"kind":"log","seq":{n}}},"{timestamp}",1]"#,
        id(n),
        n / 11,
        n / 11
    )
}

/// Record `n`, of `n` milliseconds before now.
pub fn row(n: u64, level: &str) -> String {
    row_at(n, level, &log_writer::time::iso(NOW_MS - n))
}

/// A record that violates the CHECK on the level.
pub fn bad_row(n: u64) -> String {
    row(n, "loud")
}

pub fn envelope(rows: &[String]) -> String {
    format!(r#"{{"v":1,"records":[{}]}}"#, rows.join(","))
}

/// An envelope of records that D1 takes.
pub fn good(ids: std::ops::Range<u64>) -> String {
    let rows: Vec<String> = ids.map(|n| row(n, "info")).collect();
    envelope(&rows)
}

pub fn message(number: usize, attempts: u32, body: impl Into<String>) -> Inbound {
    Inbound {
        id: format!("message{number}"),
        timestamp: "2026-11-23T17:59:59.000Z".to_owned(),
        attempts,
        body: Body::Text(body.into()),
    }
}

/// How many records are in D1.
pub fn rows(world: &World) -> u64 {
    world.store.number("SELECT COUNT(*) FROM tail_logs")
}

pub fn letters(world: &World) -> Vec<DeadLetter> {
    let sent = world.queue.sent.borrow();
    sent.iter()
        .map(|text| DeadLetter::decode(text).unwrap())
        .collect()
}

pub fn kept(world: &World, prefix: &str) -> Vec<(String, String)> {
    let values = world.kv.values.borrow();
    values
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The ids in a message body; the body itself where it is no envelope.
pub fn ids_of_body(body: &str) -> Vec<String> {
    match Envelope::decode(body) {
        Ok(envelope) => envelope
            .records
            .iter()
            .map(|record| record.log_id().to_owned())
            .collect(),
        Err(_) => vec![body.to_owned()],
    }
}

/// The ids in a dead letter.
pub fn ids_of_letter(world: &World, letter: &DeadLetter) -> Vec<String> {
    match &letter.payload {
        DeadLetterPayload::Body(body) => ids_of_body(body),
        DeadLetterPayload::BodyKey(key) => ids_of_body(
            world
                .kv
                .values
                .borrow()
                .get(key)
                .expect("the body is in KV"),
        ),
        DeadLetterPayload::Records(records) => {
            let rows: Vec<String> = records.iter().map(|r| r.get().to_owned()).collect();
            ids_of_body(&envelope(&rows))
        }
    }
}
