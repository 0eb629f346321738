//! From a request to the last of its rows: the same producer under the same load, with five designs behind it, in turn:
//! a tail Worker that writes D1 itself, Tailrace's architecture in TypeScript, and Tailrace without the archive and with it.
//! All run at once, but only the one under measurement has anything to do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use checkout::Workspace;
use checkout::dev_server::{agent, free_port};
use harness::Database;
use serde_json::{Value, json};

use crate::cpu;
use crate::local::{Builder, Local, migrations};
use crate::plan::{Load, Plan, take_turns};
use crate::report::{Better, Report, Table};
use crate::samples::Samples;

/// The designs in the tables.
pub const DIRECT: &str = "direct: TypeScript tail Worker, batch() of 100";
/// Tailrace's architecture.
pub const TUNED: &str = "Tailrace's architecture in tuned TypeScript";
/// Tailrace.
pub const RUST: &str = "Tailrace";
/// Tailrace with the archive, and every record a row.
pub const ARCHIVE: &str = "Tailrace with the archive";
/// Tailrace with the archive, and few rows.
pub const INDEX: &str = "Tailrace with the archive, ROWS=index";

const PRODUCER: &str = "workers/producer.js";
const FILL: &str = "workers/fill.js";

/// Requests under way at once.
const CONCURRENCY: u64 = 16;

/// The time that rows may take to arrive after the last request.
const PATIENCE: Duration = Duration::from_secs(120);

struct Design {
    name: &'static str,
    local: Local,
    /// Port of the producer itself.
    port: u16,
    /// Port of the Worker that fills up the queue's batch, if it has one.
    fill: Option<u16>,
    database: Database,
    /// The places where it stores records.
    stores: Stores,
}

/// The places where a design stores records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stores {
    /// Every record as a row.
    Rows,
    /// Every record as a row and in the archive.
    RowsAndArchive,
    /// Every record in the archive, and some as rows.
    Archive,
}

/// Counts the records that the catalog of the archive knows.
const ARCHIVED: &str = "\
SELECT ifnull(sum(level.value), 0) FROM archive_objects, json_each(counts) AS worker, json_each(worker.value) AS level";

/// Measures the designs in turn.
///
/// # Errors
/// Fails if one of them fails, or loses or doubles rows.
pub fn measure(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let designs = start_designs(workspace)?;
    let mut speed = Table::new(
        "end-to-end",
        "End to end",
        "logs/s",
        Better::Higher,
        format!(
            "Requests × console lines of each, {CONCURRENCY} at a time, until the last row is in D1; each request also \
             leaves a row of its own. The table is empty before each sample, and every row is checked to be there once. \
             The same load runs once before each sample, unmeasured. What is left at the end does not wait for the \
             queue's timeout: empty messages fill up the last batch.",
        ),
    );
    let mut cpu = Table::new(
        "end-to-end-cpu",
        "End to end, processor time",
        "µs workerd CPU/log",
        Better::Lower,
        "Processor time of workerd in the same runs: the producer, the design's Workers, and the local queue and D1.",
    );
    for round in 0..plan.end_to_end_rounds {
        for load in plan.loads {
            for design in take_turns(&designs, round) {
                // The runtime compiles in steps what runs often, and while others run it lets go of memory: the first run
                // brings it back to full speed.
                design.run(*load)?;
                let (took, spent) = design.run(*load)?;
                #[allow(clippy::cast_precision_loss)]
                let logs = load.logs() as f64;
                speed.add(&load.label(), design.name, logs / took.as_secs_f64());
                cpu.add(&load.label(), design.name, spent.as_secs_f64() * 1e6 / logs);
            }
        }
    }
    let shares = compare_archived(&speed, plan);
    for mut table in [speed, cpu] {
        table.compare_with(DIRECT);
        report.tables.push(table);
    }
    report.tables.push(shares);
    Ok(())
}

/// Tells apart what the architecture gains and what the language gains.
fn compare_archived(speed: &Table, plan: &Plan) -> Table {
    let mut table = Table::new(
        "end-to-end-shares",
        "End to end: architecture and language",
        "×",
        Better::Higher,
        "The same samples. The architecture's gain is the tuned TypeScript against direct writes; the language's gain \
         is Tailrace against the tuned TypeScript, which has the same architecture and does less.",
    );
    for load in plan.loads {
        let case = load.label();
        for (gain, subject, than) in [("architecture", TUNED, DIRECT), ("language", RUST, TUNED)] {
            let (Some(subject), Some(than)) =
                (speed.samples(&case, subject), speed.samples(&case, than))
            else {
                continue;
            };
            for ratio in speed.ratios(subject, than).iter().flat_map(Samples::values) {
                table.add(&case, gain, *ratio);
            }
        }
    }
    table
}

fn start_designs(workspace: &Workspace) -> Result<Vec<Design>> {
    let migrations = migrations(workspace)?;
    let first = migrations.get(..1).context("there is no migration 0001")?;

    let mut direct = Builder::new(workspace)?;
    let direct_port = add_producer(&mut direct, "direct")?;
    direct.script(
        "direct",
        "baselines/direct/worker.ts",
        json!({ "d1Databases": { "DB": "DB" } }),
    )?;

    // The consumers are set as in wrangler/log-writer.toml.
    let consumers =
        json!({ "tail-logs": { "maxBatchSize": 100, "maxBatchTimeout": 5, "maxRetries": 100 } });
    let (tuned, tuned_ports) = build_tuned(workspace, &consumers)?;

    let (rust, rust_ports) = build_tailrace(workspace, &consumers, &json!({}))?;
    let bucket = |rows| json!({ "r2Buckets": { "ARCHIVE": "tailrace-archive" }, "bindings": { "ROWS": rows } });
    let (archive, archive_ports) = build_tailrace(workspace, &consumers, &bucket("all"))?;
    let (index, index_ports) = build_tailrace(workspace, &consumers, &bucket("index"))?;

    let all = migrations.as_slice();
    [
        (DIRECT, direct, (direct_port, None), first, Stores::Rows),
        (TUNED, tuned, tuned_ports, all, Stores::Rows),
        (RUST, rust, rust_ports, all, Stores::Rows),
        (ARCHIVE, archive, archive_ports, all, Stores::RowsAndArchive),
        (INDEX, index, index_ports, all, Stores::Archive),
    ]
    .into_iter()
    .map(|(name, builder, (port, fill), migrations, stores)| {
        let local = builder
            .start()
            .with_context(|| format!("{name} does not start"))?;
        let database = local.migrate(migrations)?;
        Ok(Design {
            name,
            local,
            port,
            fill,
            database,
            stores,
        })
    })
    .collect()
}

/// Tailrace, with `more` options of log-writer; and the ports of its producer and of what fills up its queue's batch.
fn build_tailrace<'w>(
    workspace: &'w Workspace,
    consumers: &Value,
    more: &Value,
) -> Result<(Builder<'w>, (u16, Option<u16>))> {
    let mut builder = Builder::new(workspace)?;
    let port = add_producer(&mut builder, "tail-ingest")?;
    let options = json!({
        "queueProducers": { "TAIL_LOGS": "tail-logs" },
        "kvNamespaces": { "FALLBACK": "FALLBACK" },
    });
    builder.built("tail-ingest", options)?;
    let mut options = json!({
        "queueConsumers": consumers,
        "queueProducers": { "DLQ": "tail-logs-dlq" },
        "kvNamespaces": { "FALLBACK": "FALLBACK" },
        "d1Databases": { "DB": "DB" },
    });
    if let (Some(options), Some(more)) = (options.as_object_mut(), more.as_object()) {
        options.extend(more.clone());
    }
    builder.built("log-writer", options)?;
    let fill = add_filler(&mut builder)?;
    Ok((builder, (port, Some(fill))))
}

/// Tailrace's architecture in TypeScript; and the ports of its producer and of what fills up its queue's batch.
fn build_tuned<'w>(
    workspace: &'w Workspace,
    consumers: &Value,
) -> Result<(Builder<'w>, (u16, Option<u16>))> {
    let mut builder = Builder::new(workspace)?;
    let port = add_producer(&mut builder, "tuned-tail")?;
    let options = json!({ "queueProducers": { "TAIL_LOGS": "tail-logs" } });
    builder.script("tuned-tail", "baselines/tuned/tail.ts", options)?;
    let options = json!({ "queueConsumers": consumers, "d1Databases": { "DB": "DB" } });
    builder.script("tuned-writer", "baselines/tuned/writer.ts", options)?;
    let fill = add_filler(&mut builder)?;
    Ok((builder, (port, Some(fill))))
}

/// Adds the producer, tailed by the Worker `tail`; returns the port at which it answers by itself. The runtime's own
/// front door is a Worker that takes a tenth of a millisecond for each request, whatever the design behind it.
fn add_producer(builder: &mut Builder<'_>, tail: &str) -> Result<u16> {
    let port = free_port()?;
    let socket = json!({ "host": "127.0.0.1", "port": port });
    let options = json!({ "tails": [tail], "unsafeDirectSockets": [socket] });
    builder.script("producer", PRODUCER, options)?;
    Ok(port)
}

/// Adds the Worker that fills up the queue's batch; returns the port at which it answers.
fn add_filler(builder: &mut Builder<'_>) -> Result<u16> {
    let port = free_port()?;
    let socket = json!({ "host": "127.0.0.1", "port": port });
    let options = json!({
        "queueProducers": { "TAIL_LOGS": "tail-logs" },
        "unsafeDirectSockets": [socket],
    });
    builder.script("fill", FILL, options)?;
    Ok(port)
}

impl Design {
    /// Puts `load` on the design; returns how long it took until the last row was stored, and the processor time of it.
    fn run(&self, load: Load) -> Result<(Duration, Duration)> {
        self.put_load(load)
            .with_context(|| format!("{}, {}", self.name, load.label()))
    }

    fn put_load(&self, load: Load) -> Result<(Duration, Duration)> {
        let group = self.local.process_id();
        let cpu_before = cpu::of_workerd(group)?;
        let started = Instant::now();
        self.send_requests(load)?;
        let driven = Instant::now();
        let agent = agent(Duration::from_secs(60));
        let mut before = None;
        loop {
            let stored = self.count_stored()?;
            if stored >= load.rows() {
                break;
            }
            if let (true, Some(port)) = (before == Some(stored), self.fill) {
                agent.get(format!("http://127.0.0.1:{port}/")).call()?;
            }
            before = Some(stored);
            if driven.elapsed() > PATIENCE {
                bail!(
                    "{} rows are missing of {}\n{}",
                    load.rows() - stored,
                    load.rows(),
                    self.local.errors()
                );
            }
            thread::sleep(Duration::from_millis(3));
        }
        let took = started.elapsed();
        let spent = cpu::of_workerd(group)?.saturating_sub(cpu_before);

        // What is doubled may still be under way.
        thread::sleep(Duration::from_millis(500));
        let connection = self.database.connection();
        if self.stores != Stores::Rows {
            let archived = self.count_archived()?;
            ensure!(
                archived == load.rows(),
                "{} records were made, {archived} are in the archive",
                load.rows()
            );
            connection.execute("DELETE FROM archive_objects", [])?;
        }
        let (rows, distinct): (u64, u64) = connection.query_row(
            "SELECT count(*), count(DISTINCT correlation_id || message) FROM tail_logs",
            [],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?.unsigned_abs(),
                    row.get::<_, i64>(1)?.unsigned_abs(),
                ))
            },
        )?;
        ensure!(
            (rows == load.rows() || self.stores == Stores::Archive) && distinct == rows,
            "{} rows were made, {rows} are stored, {distinct} different ones",
            load.rows()
        );
        connection.execute("DELETE FROM tail_logs", [])?;
        Ok((took, spent))
    }

    /// Returns the records that are where the design stores them.
    fn count_stored(&self) -> Result<u64> {
        Ok(match self.stores {
            Stores::Rows => self.database.count()?,
            Stores::RowsAndArchive => self.database.count()?.min(self.count_archived()?),
            Stores::Archive => self.count_archived()?,
        })
    }

    fn count_archived(&self) -> Result<u64> {
        let connection = self.database.connection();
        let count: i64 = connection.query_row(ARCHIVED, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn send_requests(&self, load: Load) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/logs?count={}", self.port, load.lines);
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            let drivers: Vec<_> = (0..CONCURRENCY)
                .map(|_| {
                    scope.spawn(|| -> Result<()> {
                        let agent = agent(Duration::from_secs(60));
                        while next.fetch_add(1, Ordering::Relaxed) < load.requests {
                            let mut answer = agent.get(&url).call()?;
                            let body = answer.body_mut().read_to_string()?;
                            ensure!(answer.status() == 200, "{}: {body}", answer.status());
                        }
                        Ok(())
                    })
                })
                .collect();
            for driver in drivers {
                match driver.join() {
                    Ok(result) => result?,
                    Err(_) => bail!("a thread that makes requests panicked"),
                }
            }
            Ok(())
        })
    }
}
