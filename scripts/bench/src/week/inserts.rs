//! Rows that log-writer would write meanwhile: inserted one statement at a time through the Workers binding, and how long
//! each waited for D1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Database, System};
use serde_json::Value;

use super::store::BINDING;
use crate::d1::now_ms;
use crate::rows::{Random, Row, timestamp};

/// The Worker of these rows, by which they are found and taken out again.
pub(super) const INSERTED: &str = "inserted-meanwhile";

/// Inserts at a steady pace, until they are stopped.
pub(super) struct Inserts {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>>>,
}

impl Inserts {
    /// Begins to insert `rows` rows in one statement `every` so often.
    pub(super) fn start(system: &System, rows: u64, every: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = system.server.url();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut random = Random(now_ms()?);
            let mut waits = Vec::new();
            let mut next = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                waits.push(insert(&url, &new_rows(&mut random, rows)?)?);
                next += every;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(waits)
        });
        Self { stop, thread }
    }

    /// Ends them; returns how many milliseconds each took.
    pub(super) fn stop(self) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        let waits = self.thread.join();
        waits.unwrap_or_else(|_| anyhow::bail!("the inserts ended in a panic"))
    }
}

/// Makes rows of now.
pub(super) fn new_rows(random: &mut Random, rows: u64) -> Result<Vec<Row>> {
    let now = now_ms()?;
    let row = |index| Row {
        log_id: random.time_ordered_uuid(now, index),
        worker_name: INSERTED,
        request_id: random.random_uuid(),
        correlation_id: random.random_uuid(),
        log_level: "info",
        message: format!("inserted meanwhile, {index}"),
        context: format!(r#"{{"kind":"log","seq":1,"data":{{"index":{index}}}}}"#),
        timestamp: timestamp(now),
    };
    Ok((0..rows).map(row).collect())
}

/// Inserts rows in one statement through the Worker at `url`; returns how many milliseconds D1 took for it, with the time
/// that it had others before.
pub(super) fn insert(url: &str, rows: &[Row]) -> Result<f64> {
    let texts = rows
        .iter()
        .map(Row::wire)
        .collect::<serde_json::Result<Vec<_>>>()?;
    let url = format!(
        "{url}/insert?db={BINDING}&method=jsonb_each&per={}",
        rows.len()
    );
    let mut answer = ureq::post(&url)
        .config()
        .timeout_global(Some(Duration::from_secs(120)))
        .http_status_as_error(false)
        .build()
        .send(texts.join("\n"))?;
    let body = answer.body_mut().read_to_string()?;
    ensure!(
        answer.status() == 200,
        "an insert: {} {body}",
        answer.status()
    );
    let answer: Value = serde_json::from_str(&body)?;
    answer
        .get("ms")
        .and_then(Value::as_f64)
        .context("an insert has no time")
}

/// Takes out what was inserted.
pub(super) fn remove(database: &Database) -> Result<()> {
    database
        .connection()
        .execute("DELETE FROM tail_logs WHERE worker_name = ?1", [INSERTED])?;
    Ok(())
}
