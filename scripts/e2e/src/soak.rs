//! The soak: many records at high concurrency while faults come and go, and the ledger at the end.
//!
//! Faults: another process locks the database for up to seconds at a time; messages that are no envelopes, of a version
//! still unknown, and with a record that D1 rejects arrive among the good ones.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use checkout::group::peak_memory_bytes;
use checkout::poll;
use log_record::DeadLetterPayload;
use serde_json::json;

use crate::database::Database;
use crate::probes::{record_key, record_keys};
use crate::system::{System, SystemBuilder};

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many log lines to make; each request adds an invocation record.
    pub lines: u64,
    /// How many lines each request logs.
    pub lines_per_request: u64,
    /// How many requests are under way at once.
    pub concurrency: u64,
    /// What the faults' times are drawn from.
    pub seed: u64,
}

/// Where every record ended.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Records that were made: lines, invocations, and those in messages put onto the queue directly.
    pub made: u64,
    /// Rows in D1.
    pub stored: u64,
    /// Records in dead letters on the dead-letter queue.
    pub dead_letters: u64,
    /// Records in the KV fallback.
    pub fallback: u64,
    /// Records found in two places.
    pub doubled: u64,
    /// Bodies put onto the queue that were no envelopes; they hold no record.
    pub bad_bodies: u64,
    /// Dead letters that hold a body.
    pub bad_bodies_found: u64,
    /// How often the database was locked.
    pub locks: u64,
    /// The most memory workerd had, in bytes.
    pub peak_memory_bytes: u64,
    /// The time that it took until every record was accounted for.
    pub elapsed: Duration,
}

impl Ledger {
    /// Returns whether every record is in exactly one place, and every bad body was kept.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.made == self.stored + self.dead_letters + self.fallback
            && self.doubled == 0
            && self.bad_bodies == self.bad_bodies_found
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.stored + self.dead_letters + self.fallback;
        writeln!(f, "records made              {:>9}", self.made)?;
        writeln!(f, "  rows in D1              {:>9}", self.stored)?;
        writeln!(f, "  in dead letters         {:>9}", self.dead_letters)?;
        writeln!(f, "  in the KV fallback      {:>9}", self.fallback)?;
        writeln!(f, "  in two places           {:>9}", self.doubled)?;
        writeln!(
            f,
            "  missing                 {:>9}",
            i128::from(self.made) - i128::from(found)
        )?;
        writeln!(
            f,
            "bodies that are no envelope {:>7}, kept as dead letters {}",
            self.bad_bodies, self.bad_bodies_found
        )?;
        writeln!(f, "database locks            {:>9}", self.locks)?;
        writeln!(
            f,
            "workerd's peak memory     {:>6} MB",
            self.peak_memory_bytes / 1_000_000
        )?;
        write!(
            f,
            "took                      {:>7} s",
            self.elapsed.as_secs()
        )
    }
}

/// Runs the soak and returns the ledger, whether it adds up or not.
///
/// # Errors
/// When the system cannot be started, driven or read.
pub fn run(options: &Options) -> Result<Ledger> {
    let mut builder = SystemBuilder::probed()?;
    builder.vary("log-writer", |config| {
        config.var("MAX_ATTEMPTS", "4");
    });
    let system = builder.start()?;
    let started = Instant::now();
    let made = AtomicU64::new(0);
    let bad_bodies = AtomicU64::new(0);
    let locks = AtomicU64::new(0);
    let done = AtomicBool::new(false);

    let requests = options.lines.div_ceil(options.lines_per_request);
    let next = AtomicU64::new(0);

    let driven: Result<()> = thread::scope(|scope| {
        let faults = scope.spawn(|| lock_now_and_then(&system, options.seed, &done, &locks));
        let drivers: Vec<_> = (0..options.concurrency)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let request = next.fetch_add(1, Ordering::Relaxed);
                        if request >= requests {
                            return Ok(());
                        }
                        system.log_lines(&format!("soak-{request}"), options.lines_per_request)?;
                        made.fetch_add(options.lines_per_request + 1, Ordering::Relaxed);
                        if request.is_multiple_of(50) {
                            system.send(&bad_messages(request))?;
                            // Two good records, one rejected, and the probe's own invocation.
                            made.fetch_add(4, Ordering::Relaxed);
                            bad_bodies.fetch_add(2, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let mut result = Ok(());
        for driver in drivers {
            result = result.and(joined(driver));
        }
        done.store(true, Ordering::Relaxed);
        result.and(joined(faults))
    });
    driven?;

    let made = made.into_inner();
    let database = system.database()?;
    // Every queued message is delivered within seconds of the last fault; ten times that is for a busy machine.
    let limit = Duration::from_secs(120 + options.lines / 1_000);
    let mut ledger = Ledger {
        made,
        stored: 0,
        dead_letters: 0,
        fallback: 0,
        doubled: 0,
        bad_bodies: bad_bodies.into_inner(),
        bad_bodies_found: 0,
        locks: locks.into_inner(),
        peak_memory_bytes: 0,
        elapsed: Duration::ZERO,
    };
    poll(limit, || {
        count(&system, &database, &mut ledger)?;
        Ok(ledger.adds_up().then_some(()))
    })?;
    ledger.elapsed = started.elapsed();
    ledger.peak_memory_bytes = peak_memory_bytes(system.server.process_id(), "workerd");
    Ok(ledger)
}

fn joined(handle: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    match handle.join() {
        Ok(result) => result,
        Err(_) => bail!("a thread of the soak panicked"),
    }
}

/// Locks the database for 20 ms to 3 s at a time, with 0.2 to 1.5 s between.
fn lock_now_and_then(
    system: &System,
    seed: u64,
    done: &AtomicBool,
    locks: &AtomicU64,
) -> Result<()> {
    let connection = system.database()?.another_connection()?;
    let mut random = seed;
    let mut draw = |from: u64, to: u64| {
        // Knuth's MMIX generator: the faults must differ, not be unpredictable.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(from + (random >> 33) % (to - from))
    };
    while !done.load(Ordering::Relaxed) {
        thread::sleep(draw(200, 1_500));
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        locks.fetch_add(1, Ordering::Relaxed);
        thread::sleep(draw(20, 3_000));
        connection.execute_batch("ROLLBACK")?;
    }
    Ok(())
}

/// A body that is no envelope, one of a version still unknown, and an envelope whose second record D1 rejects.
fn bad_messages(request: u64) -> Vec<String> {
    let row = |position: u64, level: &str| {
        json!([
            format!("0193579c-{:04x}-7{position:03x}-8000-{request:012x}", request % 0xffff),
            "probe",
            "soak-request",
            "soak-bad-messages",
            level,
            format!("bad-{request}-{position}"),
            {"kind": "log", "seq": position},
            "2026-11-23T17:57:06.376Z",
            null
        ])
    };
    vec![
        format!("no envelope {request}"),
        json!({"v": 99, "request": request}).to_string(),
        json!({"v": 1, "records": [row(0, "info"), row(1, "loud"), row(2, "error")]}).to_string(),
    ]
}

fn count(system: &System, database: &Database, ledger: &mut Ledger) -> Result<()> {
    ledger.stored = database.count()?;
    let queued = system.dead_letters()?;
    let parked = system.parked_dead_letters()?;
    ledger.bad_bodies_found = queued
        .iter()
        .chain(&parked)
        .filter(|letter| !matches!(letter.payload, DeadLetterPayload::Records(_)))
        .count() as u64;
    let queued = record_keys(&queued)?;
    let mut parked = record_keys(&parked)?;
    for key in system
        .server
        .kv_keys("FALLBACK", log_record::fallback::ENVELOPES)?
    {
        let body = system.server.kv_value("FALLBACK", &key)?;
        let envelope = log_record::Envelope::decode(&body)?;
        parked.extend(envelope.records.iter().map(record_key));
    }
    ledger.dead_letters = queued.len() as u64;
    ledger.fallback = parked.len() as u64;
    let mut seen = HashSet::new();
    let mut doubled = 0;
    let mut stored = database
        .connection()
        .prepare("SELECT count(*) FROM tail_logs WHERE timestamp = ?1 AND log_id = ?2")?;
    for key in queued.iter().chain(&parked) {
        let rows: i64 = stored.query_row([&key.0, &key.1], |row| row.get(0))?;
        if rows > 0 || !seen.insert(key) {
            doubled += 1;
        }
    }
    ledger.doubled = doubled;
    Ok(())
}
