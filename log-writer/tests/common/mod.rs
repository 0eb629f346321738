//! A world for log-writer: SQLite with the real migrations, a queue, KV and a clock. Each part fails when told to: before
//! or after it has done its work, slowly, without an answer, or by taking the process with it. Time is tokio's, paused: it
//! jumps to the next timer.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use log_record::archive::CatalogRow;
use log_record::{DeadLetter, DeadLetterPayload, Envelope, LogRecord};
use log_writer::batch::{Verdict, process_batch};
use log_writer::message::{Body, Message};
use log_writer::ports::{
    Bucket, CallError, DeadLetterQueue, Fallback, KeyPage, Platform, Statement, StatementResult,
    Store,
};
use log_writer::settings::Settings;
use log_writer::statement;
use log_writer::stats::BatchStats;
use rusqlite::Connection;
use tokio::sync::Notify;
use worker_runtime::testing::PausedClock;
use worker_runtime::timestamp::format_ms;

/// The migrations, in order.
pub const MIGRATIONS: [&str; 3] = [
    include_str!("../../../migrations/0001_tail_logs.sql"),
    include_str!("../../../migrations/0002_lean_schema.sql"),
    include_str!("../../../migrations/0003_archive_objects.sql"),
];

pub const LOCKED: &str = "D1_ERROR: database is locked: SQLITE_BUSY";
pub const OVERLOADED: &str = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";
pub const TOO_MUCH: &str = "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.";
pub const NO_TABLE: &str = "D1_ERROR: no such table: tail_logs: SQLITE_ERROR";
pub const NEW: &str = "D1_ERROR: something that nobody has seen before";

/// A fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None.
    None,
    /// It fails, and nothing was done.
    Before(&'static str),
    /// It is done, and fails.
    After(&'static str),
    /// It is done after this number of milliseconds.
    Slow(u64),
    /// It never answers, and nothing was done.
    Silent,
    /// It is done, and never answers.
    SilentAfter,
    /// The process dies, and nothing was done.
    DieBefore,
    /// It is done, and the process dies.
    DieAfter,
}

/// Faults to come, one a call; healthy after the last.
#[derive(Debug, Default)]
pub struct Faults {
    to_come: RefCell<VecDeque<Fault>>,
    always: Cell<Option<Fault>>,
    death: Rc<Notify>,
}

impl Faults {
    fn new(death: &Rc<Notify>) -> Self {
        Self {
            death: death.clone(),
            ..Self::default()
        }
    }

    pub fn set(&self, faults: impl IntoIterator<Item = Fault>) {
        self.always.set(None);
        *self.to_come.borrow_mut() = faults.into_iter().collect();
    }

    /// Every call to come fails with `text`.
    pub fn always(&self, text: &'static str) {
        self.always_has(Fault::Before(text));
    }

    pub fn always_has(&self, fault: Fault) {
        self.set([]);
        self.always.set(Some(fault));
    }

    pub fn heal(&self) {
        self.set([]);
    }

    pub fn left(&self) -> usize {
        self.to_come.borrow().len()
    }

    /// Does `work` under the next fault.
    async fn around<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, CallError> {
        let next = self.to_come.borrow_mut().pop_front();
        let fault = next.or(self.always.get()).unwrap_or(Fault::None);
        let result = match fault {
            Fault::None => work(),
            Fault::Before(text) => Err(text.to_owned()),
            Fault::After(text) => work().and(Err(text.to_owned())),
            Fault::Slow(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                work()
            }
            Fault::Silent => std::future::pending().await,
            Fault::SilentAfter => {
                let _done = work();
                std::future::pending().await
            }
            Fault::DieBefore => self.die().await,
            Fault::DieAfter => {
                let _done = work();
                self.die().await
            }
        };
        result.map_err(CallError::Refused)
    }

    async fn die<T>(&self) -> T {
        self.death.notify_one();
        std::future::pending().await
    }
}

/// D1, on SQLite.
#[derive(Debug)]
pub struct Sqlite {
    pub connection: RefCell<Connection>,
    pub faults: Faults,
    /// The number of statements of each call, failed ones included.
    pub calls: RefCell<Vec<usize>>,
    /// The most bytes that the parameters of one call had.
    pub largest_call_bytes: Cell<usize>,
    /// The most rows that one statement has changed.
    pub largest_change: Cell<u64>,
    /// Rows read, as D1 counts them: those that a look passes over, and those that a delete deletes.
    pub rows_read: Cell<u64>,
    /// The time that each call is under way, beside the time that D1 itself takes.
    pub distance_ms: Cell<u64>,
    /// The time that D1 itself takes for each row that a call changes, in microseconds.
    pub row_takes_us: Cell<u64>,
    /// The time that D1 itself took for each call, in microseconds.
    pub durations_us: RefCell<Vec<u64>>,
}

impl Sqlite {
    fn migrated(death: &Rc<Notify>) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        Self {
            connection: RefCell::new(connection),
            faults: Faults::new(death),
            calls: RefCell::default(),
            largest_call_bytes: Cell::default(),
            largest_change: Cell::default(),
            rows_read: Cell::default(),
            distance_ms: Cell::default(),
            row_takes_us: Cell::default(),
            durations_us: RefCell::default(),
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

    /// Records whose message is among `lines` ("line 3") fail in a way that nobody knows.
    pub fn make_odd(&self, lines: impl IntoIterator<Item = u64>) {
        let lines: Vec<String> = lines.into_iter().map(|n| format!("'line {n}'")).collect();
        // RAISE(ABORT) is a constraint error to SQLite, but not by its text alone.
        self.execute(&format!(
            "CREATE TRIGGER odd BEFORE INSERT ON tail_logs WHEN NEW.message IN ({}) \
             BEGIN SELECT RAISE(ABORT, 'very odd'); END",
            lines.join(",")
        ));
    }

    fn run(&self, statements: &[Statement]) -> Result<Vec<StatementResult>, String> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().map_err(|e| error_text(&e))?;
        let mut results = Vec::new();
        for Statement { sql, parameters } in statements {
            let mut result = run_one(&transaction, sql, parameters).map_err(|e| error_text(&e))?;
            let read = match *sql {
                statement::NTH_OLDEST => rows_passed(&transaction, parameters),
                _ => result.changes,
            };
            self.rows_read.set(self.rows_read.get() + read);
            result.duration_us = 100 + result.changes * self.row_takes_us.get();
            results.push(result);
        }
        transaction.commit().map_err(|error| error_text(&error))?;
        let largest = results.iter().map(|result| result.changes).max();
        let largest = self.largest_change.get().max(largest.unwrap_or(0));
        self.largest_change.set(largest);
        Ok(results)
    }
}

fn run_one(
    connection: &Connection,
    sql: &str,
    parameters: &[String],
) -> rusqlite::Result<StatementResult> {
    let mut statement = connection.prepare(sql)?;
    let parameters = rusqlite::params_from_iter(parameters);
    if statement.column_count() == 0 {
        return Ok(StatementResult {
            changes: statement.execute(parameters)? as u64,
            ..StatementResult::default()
        });
    }
    let columns = statement.column_count();
    let mut rows = statement.query(parameters)?;
    let row = match rows.next()? {
        Some(row) => (0..columns).map(|column| row.get(column)).collect(),
        None => Ok(Vec::new()),
    };
    Ok(StatementResult {
        row: row?,
        ..StatementResult::default()
    })
}

/// The number of rows that are read to find the n-th oldest.
fn rows_passed(connection: &Connection, parameters: &[String]) -> u64 {
    let count = "SELECT COUNT(*) FROM (SELECT 1 FROM tail_logs WHERE timestamp < ?1 LIMIT ?2 + 1)";
    let count = connection.query_row(count, rusqlite::params_from_iter(parameters), |row| {
        row.get(0)
    });
    count.unwrap()
}

/// An error as D1 words it.
fn error_text(error: &rusqlite::Error) -> String {
    format!("D1_ERROR: {error}")
}

impl Store for Sqlite {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<StatementResult>, CallError> {
        self.calls.borrow_mut().push(statements.len());
        let parameters = statements
            .iter()
            .flat_map(|statement| &statement.parameters);
        let bytes = parameters.map(String::len).sum();
        let largest = self.largest_call_bytes.get().max(bytes);
        self.largest_call_bytes.set(largest);
        sleep(self.distance_ms.get() * 1000).await;
        let results = self.faults.around(|| self.run(statements)).await?;
        let duration_us = results.iter().map(|result| result.duration_us).sum();
        self.durations_us.borrow_mut().push(duration_us);
        if self.row_takes_us.get() > 0 {
            sleep(duration_us).await;
        }
        Ok(results)
    }
}

async fn sleep(us: u64) {
    if us > 0 {
        tokio::time::sleep(Duration::from_micros(us)).await;
    }
}

/// The dead-letter queue.
#[derive(Debug)]
pub struct Letters {
    pub sent: RefCell<Vec<String>>,
    /// The number of sends, failed ones included.
    pub calls: Cell<u64>,
    pub faults: Faults,
}

impl DeadLetterQueue for Letters {
    async fn send(&self, text: &str) -> Result<(), CallError> {
        self.calls.set(self.calls.get() + 1);
        let work = || {
            self.sent.borrow_mut().push(text.to_owned());
            Ok(())
        };
        self.faults.around(work).await
    }
}

/// KV.
#[derive(Debug)]
pub struct Kv {
    pub values: RefCell<BTreeMap<String, String>>,
    /// By key.
    pub ttls: RefCell<BTreeMap<String, u64>>,
    /// The number of calls, failed ones included.
    pub calls: Cell<u64>,
    /// The keys of the largest bulk read.
    pub largest_read: Cell<usize>,
    /// The keys on one page.
    pub page_keys: Cell<usize>,
    pub faults: Faults,
}

impl Kv {
    async fn around<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, CallError> {
        self.calls.set(self.calls.get() + 1);
        self.faults.around(work).await
    }
}

impl Fallback for Kv {
    async fn put(&self, key: &str, value: &str, ttl_seconds: u64) -> Result<(), CallError> {
        let work = || {
            self.values
                .borrow_mut()
                .insert(key.to_owned(), value.to_owned());
            self.ttls.borrow_mut().insert(key.to_owned(), ttl_seconds);
            Ok(())
        };
        self.around(work).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, CallError> {
        let largest = self.largest_read.get().max(keys.len());
        self.largest_read.set(largest);
        let values = || {
            let values = self.values.borrow();
            Ok(keys.iter().map(|key| values.get(key).cloned()).collect())
        };
        self.around(values).await
    }

    async fn delete(&self, key: &str) -> Result<(), CallError> {
        let work = || {
            self.values.borrow_mut().remove(key);
            Ok(())
        };
        self.around(work).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, CallError> {
        let work = || {
            let values = self.values.borrow();
            let mut keys: Vec<String> = values
                .keys()
                .filter(|key| key.starts_with(prefix) && cursor < Some(key.as_str()))
                .cloned()
                .collect();
            let more = keys.len() > self.page_keys.get();
            keys.truncate(self.page_keys.get());
            let cursor = keys.last().cloned().filter(|_| more);
            Ok(KeyPage { keys, cursor })
        };
        self.around(work).await
    }
}

/// R2. An object is its lines, as they were before they were compressed.
#[derive(Debug)]
pub struct R2 {
    pub is_bound: Cell<bool>,
    pub objects: RefCell<BTreeMap<String, String>>,
    /// The number of puts, failed ones included.
    pub calls: Cell<u64>,
    pub faults: Faults,
}

impl Bucket for R2 {
    type Object = String;

    fn is_bound(&self) -> bool {
        self.is_bound.get()
    }

    async fn compress(&self, lines: String) -> Result<String, CallError> {
        Ok(lines)
    }

    fn size_bytes(&self, object: &String) -> u64 {
        object.len() as u64
    }

    async fn put_new(&self, key: &str, object: &String) -> Result<(), CallError> {
        self.calls.set(self.calls.get() + 1);
        let work = || {
            let mut objects = self.objects.borrow_mut();
            objects
                .entry(key.to_owned())
                .or_insert_with(|| object.clone());
            Ok(())
        };
        self.faults.around(work).await
    }
}

pub type Ports = Platform<Sqlite, Letters, Kv, R2, PausedClock>;

/// The parts, and whether the process lives.
pub struct World {
    pub ports: Ports,
    death: Rc<Notify>,
}

impl std::ops::Deref for World {
    type Target = Ports;

    fn deref(&self) -> &Ports {
        &self.ports
    }
}

/// 2026-11-23T18:00:00.000Z.
pub const NOW_MS: u64 = 1_795_456_800_000;

/// A healthy world. To be made within a tokio runtime whose time is paused.
pub fn world() -> World {
    let death = Rc::new(Notify::new());
    let ports = Platform {
        store: Sqlite::migrated(&death),
        queue: Letters {
            sent: RefCell::default(),
            calls: Cell::default(),
            faults: Faults::new(&death),
        },
        kv: Kv {
            values: RefCell::default(),
            ttls: RefCell::default(),
            calls: Cell::default(),
            largest_read: Cell::default(),
            page_keys: Cell::new(1_000),
            faults: Faults::new(&death),
        },
        bucket: R2 {
            is_bound: Cell::new(false),
            objects: RefCell::default(),
            calls: Cell::default(),
            faults: Faults::new(&death),
        },
        clock: PausedClock::new(NOW_MS),
    };
    World { ports, death }
}

/// A healthy world with an archive.
pub fn archiving_world() -> World {
    let world = world();
    world.bucket.is_bound.set(true);
    world
}

impl World {
    /// Runs `future` to its end; `None` if the process died first.
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = self.death.notified() => None,
        }
    }

    /// Processes a batch to its end.
    pub async fn process(
        &self,
        settings: &Settings,
        messages: &[Message],
    ) -> (Vec<Verdict>, BatchStats) {
        let run = self.run(process_batch(&self.ports, settings, messages));
        run.await.expect("the process died")
    }
}

/// Lets so much time pass.
pub async fn pass_ms(ms: u64) {
    tokio::time::advance(Duration::from_millis(ms)).await;
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

/// Record `n`, of `n` milliseconds before the world was made.
pub fn row(n: u64, level: &str) -> String {
    row_at(n, level, &format_ms(NOW_MS - n))
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

/// Messages 0 to `count`, of ten records each, delivered for the `attempts`-th time.
pub fn tens(count: usize, attempts: u32) -> Vec<Message> {
    let first = |number: usize| number as u64 * 10;
    (0..count)
        .map(|number| message(number, attempts, good(first(number)..first(number) + 10)))
        .collect()
}

pub fn message(number: usize, attempts: u32, body: impl Into<String>) -> Message {
    Message {
        id: format!("message{number}"),
        timestamp: "2026-11-23T17:59:59.000Z".to_owned(),
        attempts,
        body: Body::Text(body.into()),
    }
}

/// The rows of the catalog.
pub fn catalog(world: &World) -> Vec<CatalogRow> {
    let connection = world.store.connection.borrow();
    let sql = "SELECT json_object('key', key, 'stored_at', stored_at, 'first_timestamp', first_timestamp, \
               'last_timestamp', last_timestamp, 'bytes', bytes, 'rows', rows, 'counts', counts) \
               FROM archive_objects ORDER BY key";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0));
    rows.unwrap()
        .map(|row| serde_json::from_str(&row.unwrap()).unwrap())
        .collect()
}

/// The ids in the objects that the catalog names, in the order of their keys, with duplicates.
pub fn archived(world: &World) -> Vec<String> {
    let objects = world.bucket.objects.borrow();
    let cataloged = catalog(world).into_iter();
    let lines = cataloged.flat_map(|row| objects[&row.key].lines().collect::<Vec<_>>());
    lines
        .map(|line| serde_json::from_str::<LogRecord>(line).unwrap().log_id)
        .collect()
}

/// The number of records in D1.
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
