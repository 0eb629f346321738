//! The soak: many records at high concurrency while faults come and go, and the ledger at the end.
//!
//! Faults: another process locks the database for up to seconds at a time; the queues and the archive's bucket are slow,
//! refuse, do their work without saying so, or are silent for seconds at a time (`workers/hesitant.js`); messages that are
//! not envelopes, of a version still unknown, and with a record that D1 rejects arrive among the good ones.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use checkout::group::peak_memory_bytes;
use checkout::poll;
use log_record::DeadLetterPayload;
use log_record::archive::Rows;
use serde_json::json;

use crate::archive::reconcile;
use crate::database::Database;
use crate::probes::record_keys;
use crate::system::{System, SystemBuilder};

/// Options of a soak.
#[derive(Clone, Debug)]
pub struct Options {
    /// Log lines to make; each request adds an invocation record.
    pub lines: u64,
    /// Lines that each request logs.
    pub lines_per_request: u64,
    /// Requests under way at once.
    pub concurrency: u64,
    /// Seed of the faults' times.
    pub seed: u64,
    /// The records that become rows beside the archive; `None` without an archive.
    pub archive: Option<Rows>,
}

/// The places where the records ended.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Records that were made: lines, invocations, and those in messages put onto the queue directly.
    pub made: u64,
    /// Records that are stored: rows in D1, lines in cataloged objects, or both.
    pub stored: u64,
    /// Rows in D1.
    pub rows: u64,
    /// Records in cataloged objects.
    pub archived: u64,
    /// Lines in cataloged objects, duplicates included.
    pub archived_lines: u64,
    /// Objects in the catalog.
    pub objects: u64,
    /// Objects in the bucket that are not in the catalog: copies of what came again.
    pub uncataloged: u64,
    /// Records in dead letters on the dead-letter queue.
    pub dead_letters: u64,
    /// Records in the KV fallback.
    pub fallback: u64,
    /// Records that are stored and in a dead letter.
    pub doubled: u64,
    /// Records that should be rows, by the setting, and are not.
    pub missing_rows: u64,
    /// Keys that the cron brought back from KV.
    pub drained_keys: u64,
    /// The time that its runs took.
    pub drained_in: Duration,
    /// Bodies put onto the queue that were no envelopes; they hold no record.
    pub bad_bodies: u64,
    /// Dead letters that hold a body.
    pub bad_bodies_found: u64,
    /// Times that the database was locked.
    pub locks: u64,
    /// The most memory workerd had, in bytes.
    pub peak_memory_bytes: u64,
    /// The time that it took until every record was accounted for.
    pub elapsed: Duration,
}

impl Ledger {
    /// Returns how fast the cron brought keys back from KV.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "keys are far fewer than 2^52")]
    pub fn drained_keys_a_second(&self) -> f64 {
        self.drained_keys as f64 / self.drained_in.as_secs_f64().max(0.001)
    }

    /// Returns whether every record is in exactly one place, and every bad body was kept.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.made == self.stored + self.dead_letters
            && self.fallback == 0
            && self.doubled == 0
            && self.missing_rows == 0
            && self.bad_bodies == self.bad_bodies_found
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.stored + self.dead_letters + self.fallback;
        writeln!(f, "records made              {:>9}", self.made)?;
        writeln!(f, "  stored                  {:>9}", self.stored)?;
        writeln!(f, "    as rows in D1         {:>9}", self.rows)?;
        writeln!(f, "    in the archive        {:>9}", self.archived)?;
        writeln!(f, "  in dead letters         {:>9}", self.dead_letters)?;
        writeln!(f, "  in the KV fallback      {:>9}", self.fallback)?;
        writeln!(f, "  stored and in a letter  {:>9}", self.doubled)?;
        writeln!(f, "  not rows, but should be {:>9}", self.missing_rows)?;
        writeln!(
            f,
            "  missing                 {:>9}",
            i128::from(self.made) - i128::from(found)
        )?;
        writeln!(
            f,
            "bodies that are not envelopes {:>5}, kept as dead letters {}",
            self.bad_bodies, self.bad_bodies_found
        )?;
        writeln!(
            f,
            "objects                   {:>9} with {} lines, and {} outside of the catalog",
            self.objects, self.archived_lines, self.uncataloged
        )?;
        writeln!(
            f,
            "drained from KV           {:>9} keys, {:.0} a second",
            self.drained_keys,
            self.drained_keys_a_second()
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
/// Fails if the system cannot be started, driven or read.
pub fn run(options: &Options) -> Result<Ledger> {
    let mut builder = SystemBuilder::probed()?;
    builder.vary("log-writer", |config| {
        config.var("MAX_ATTEMPTS", "4");
    });
    match options.archive {
        Some(rows) => builder.archive(rows.as_str()),
        None => builder.no_archive(),
    };
    builder.hesitant()?;
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
    let limit = Duration::from_secs(180 + options.lines / 500);
    let mut ledger = Ledger {
        made,
        stored: 0,
        rows: 0,
        archived: 0,
        archived_lines: 0,
        objects: 0,
        uncataloged: 0,
        missing_rows: 0,
        drained_keys: 0,
        drained_in: Duration::ZERO,
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
        drain(&system, &mut ledger)?;
        count(&system, &database, options.archive, &mut ledger)?;
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

/// A body that is not an envelope, one of a version still unknown, and an envelope whose second record D1 rejects.
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
            "2036-11-23T17:57:06.376Z",
            null
        ])
    };
    vec![
        format!("no envelope {request}"),
        json!({"v": 99, "request": request}).to_string(),
        json!({"v": 1, "records": [row(0, "info"), row(1, "loud"), row(2, "error")]}).to_string(),
    ]
}

/// Fires the cron where KV holds something, as it would be fired every minute.
fn drain(system: &System, ledger: &mut Ledger) -> Result<()> {
    let keys = |prefix| system.server.kv_keys("FALLBACK", prefix);
    let waiting = || -> Result<usize> {
        let envelopes = keys(log_record::fallback::ENVELOPES)?.len();
        Ok(envelopes + keys(log_record::fallback::DEAD_LETTERS)?.len())
    };
    let before = waiting()?;
    if before == 0 {
        return Ok(());
    }
    let started = Instant::now();
    system.server.fire_cron("log-writer", "* * * * *")?;
    ledger.drained_in += started.elapsed();
    ledger.drained_keys += before.saturating_sub(waiting()?) as u64;
    Ok(())
}

/// The key of a record: its timestamp and its id.
type Key = (String, String);

fn count(
    system: &System,
    database: &Database,
    archive: Option<Rows>,
    ledger: &mut Ledger,
) -> Result<()> {
    let letters = [system.dead_letters()?, system.parked_dead_letters()?].concat();
    let bodies: BTreeSet<&str> = letters
        .iter()
        .filter_map(|letter| match &letter.payload {
            DeadLetterPayload::Records(_) => None,
            DeadLetterPayload::Body(text) | DeadLetterPayload::BodyKey(text) => Some(text.as_str()),
        })
        .collect();
    ledger.bad_bodies_found = bodies.len() as u64;
    // A letter may be sent twice, where the first answer was lost.
    let dead: HashSet<Key> = record_keys(&letters)?.into_iter().collect();
    ledger.dead_letters = dead.len() as u64;
    ledger.fallback = 0;
    for key in system
        .server
        .kv_keys("FALLBACK", log_record::fallback::ENVELOPES)?
    {
        // It may be drained by now.
        if let Ok(body) = system.server.kv_value("FALLBACK", &key) {
            let envelope = log_record::Envelope::decode(&body)?;
            ledger.fallback += envelope.records.len() as u64;
        }
    }
    let rows: HashSet<Key> = database
        .rows("timestamp >= ?1", "0")?
        .into_iter()
        .map(|row| (row.timestamp, row.log_id))
        .collect();
    ledger.rows = rows.len() as u64;
    let mut stored = rows;
    if archive.is_some() {
        let catalog = database.catalog()?;
        let objects = system.archived_objects()?;
        let records = reconcile(&catalog, &objects)?;
        let rows = &stored;
        let is_missing = |record: &&&log_record::LogRecord| {
            let is_row =
                archive == Some(Rows::All) || crate::archive::is_always_a_row(record.log_level);
            is_row && !rows.contains(&(record.timestamp.clone(), record.log_id.clone()))
        };
        ledger.missing_rows = records.iter().filter(is_missing).count() as u64;
        ledger.objects = catalog.len() as u64;
        ledger.uncataloged = (objects.len() - catalog.len()) as u64;
        ledger.archived_lines = records.len() as u64;
        let archived: HashSet<Key> = records
            .into_iter()
            .map(|record| (record.timestamp.clone(), record.log_id.clone()))
            .collect();
        ledger.archived = archived.len() as u64;
        stored.extend(archived);
    }
    ledger.stored = stored.len() as u64;
    ledger.doubled = dead.intersection(&stored).count() as u64;
    Ok(())
}
