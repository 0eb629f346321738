//! Normalizing: trace events in, the text of a queue message out. The real tail Workers on real trace events of a real
//! producer in a bare workerd; see `workers/measure.js` for the inside of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use checkout::{Workspace, wait_for};
use serde_json::Value;
use tempfile::TempDir;

use crate::plan::{Plan, take_turns};
use crate::report::{Better, Report, Table};
use crate::workerd::{self, Module, Workerd};

/// Names of the tail Workers in the tables.
pub const DIRECT: &str = "TypeScript, direct";
/// TypeScript with what helped in Rust.
pub const TUNED: &str = "TypeScript, tuned";
/// tail-ingest.
pub const RUST: &str = "Rust, tail-ingest";
/// A tail Worker that only reads the events: what is the runtime's own share.
const READING: &str = "only reading the event";

/// One call with events of 10 lines each.
#[must_use]
pub fn loop_case(events: u64) -> String {
    format!("{events} × 10")
}

/// Returns the case of one event with `lines` lines.
#[must_use]
pub fn real_case(lines: u64) -> String {
    format!("1 × {lines}")
}

/// The runtime's limit for what one trace event holds, in bytes (workerd, `MAX_TRACE_BYTES`).
const TRACE_BYTES: u64 = 256 * 1024;

struct Candidate {
    name: &'static str,
    workerd: Workerd,
}

/// Measures the three tail Workers in turn.
///
/// # Errors
/// Fails if one of them fails, or loses events.
pub fn measure(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let folder = TempDir::new()?;
    let (candidates, reading) = start_candidates(workspace, folder.path())?;

    let mut copies = Table::new(
        "normalize-loop",
        "Normalizing, plain events in a loop",
        "µs CPU/log",
        Better::Lower,
        "Events × lines of each in one call. Plain copies of a real trace event, called over and over inside workerd; \
         processor time of the workerd process, all threads, garbage collection included.",
    );
    let mut again = Table::new(
        "normalize-real",
        "Normalizing, a real trace event over and over",
        "µs CPU/log",
        Better::Lower,
        "One real trace event with the lines of the first column, as the runtime handed it to a real tail handler, which then calls the \
         tail Worker on it over and over. Processor time of the workerd process.",
    );
    let mut fresh = Table::new(
        "normalize-fresh",
        "Normalizing, a new real trace event each call",
        "µs/log",
        Better::Lower,
        "One real trace event with the lines of the first column, each in a call of its own, as in production: unlike the loops, this has \
         in it what the runtime does when a field of the event is first read. Timed around each call in the tail handler, \
         whose clock has whole milliseconds; over thousands of calls that averages out.",
    );
    for round in 0..=plan.normalize_rounds {
        let keep = round > 0; // the first one warms up
        for events in [1, 10, 100] {
            for candidate in take_turns(&candidates, round) {
                let passes = plan.normalize_lines / (events * 10);
                let path = format!("/loop?events={events}&logs=10&passes={passes}");
                let spent =
                    candidate.processor_time(|it| it.workerd.ask_measured(&path).map(drop))?;
                if keep {
                    copies.add(
                        &loop_case(events),
                        candidate.name,
                        micros_per_log(spent, passes * events * 10),
                    );
                }
            }
        }
        for lines in [10, 100, 1_000] {
            for candidate in take_turns(&candidates, round) {
                let passes = plan.normalize_lines / lines;
                candidate.set_passes(passes)?;
                let spent = candidate.processor_time(|it| it.make_requests(lines, 1, passes))?;
                if keep {
                    again.add(
                        &real_case(lines),
                        candidate.name,
                        micros_per_log(spent, passes * lines),
                    );
                }
            }
        }
        for lines in [10, 100, 1_000] {
            for candidate in take_turns(&candidates, round).chain([&reading]) {
                // A clock of whole milliseconds is 5% off over as many calls as the loops make.
                let requests = plan.normalize_lines * 3 / lines / 2;
                candidate.set_passes(1)?;
                let before = candidate.call_milliseconds()?;
                candidate.make_requests(lines, requests, requests)?;
                let spent = candidate.call_milliseconds()? - before;
                if keep {
                    let spent = Duration::from_secs_f64(spent.max(0.0) / 1e3);
                    fresh.add(
                        &real_case(lines),
                        candidate.name,
                        micros_per_log(spent, requests * lines),
                    );
                }
            }
        }
    }
    for mut table in [copies, again, fresh] {
        table.compare_with(DIRECT);
        report.tables.push(table);
    }
    report.tables.push(measure_messages(&candidates)?);
    report.tables.push(measure_largest(plan, &candidates)?);
    Ok(())
}

fn micros_per_log(spent: Duration, logs: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let logs = logs as f64;
    spent.as_secs_f64() * 1e6 / logs
}

/// Returns what crosses the queue, by the lines of a request.
fn measure_messages(candidates: &[Candidate]) -> Result<Table> {
    const REQUESTS: u64 = 20;
    let mut table = Table::new(
        "messages",
        "On the queue",
        "",
        Better::Lower,
        "What the tail Workers hand to the queue for requests with the lines of the first column. A log is a console line; each request's \
         invocation record is in its share.",
    );
    for lines in [1, 10, 100, 1_000] {
        for candidate in candidates {
            candidate.set_passes(1)?;
            let before = candidate.workerd.ask_measured("/")?;
            candidate.make_requests(lines, REQUESTS, REQUESTS)?;
            let after = candidate.workerd.ask_measured("/")?;
            let grown = |name: &str| -> Result<f64> {
                #[allow(clippy::cast_precision_loss)]
                Ok((read_number(&after, name)? - read_number(&before, name)?) as f64)
            };
            #[allow(clippy::cast_precision_loss)]
            let logs = (REQUESTS * lines) as f64;
            let case = |what: &str| format!("{what}, {}", real_case(lines));
            table.add(
                &case("bytes per log"),
                candidate.name,
                grown("units")? / logs,
            );
            table.add(
                &case("messages per 1,000 logs"),
                candidate.name,
                grown("messages")? / logs * 1_000.0,
            );
        }
    }
    table
        .lines
        .sort_by_key(|line| !line.case.starts_with("bytes"));
    Ok(table)
}

/// The largest calls: trace events at the runtime's limit.
fn measure_largest(plan: &Plan, candidates: &[Candidate]) -> Result<Table> {
    let mut table = Table::new(
        "largest-call",
        "The largest tail calls",
        "ms CPU/call",
        Better::Lower,
        "Real trace events at the runtime's limit of 256 KiB, one and four in a call. Each call by itself, with what it \
         takes to ask for it (about 0.3 ms) included; the maximum is the longest call of all.",
    );
    for events in [1, 4] {
        for candidate in candidates {
            candidate.workerd.ask_measured("/hold?on=1")?;
            for _ in 0..events {
                // More lines than fit: the runtime cuts the event at its limit.
                candidate.workerd.ask_producer("/logs?count=1300")?;
            }
            let held = candidate.wait_for_count("held", events)?;
            ensure!(
                read_number(&held, "truncated")? == events,
                "the runtime did not cut these events: its limit has moved from {TRACE_BYTES} bytes"
            );
        }
        for round in 0..plan.normalize_rounds * 4 {
            for candidate in take_turns(candidates, round) {
                let spent = candidate
                    .processor_time(|it| it.workerd.ask_measured("/held?passes=1").map(drop))?;
                if round > 1 {
                    let case = format!("{events} × 256 KiB");
                    table.add(&case, candidate.name, spent.as_secs_f64() * 1e3);
                }
            }
        }
    }
    for candidate in candidates {
        candidate.workerd.ask_measured("/hold?on=0")?;
    }
    table.compare_with(DIRECT);
    Ok(table)
}

fn start_candidates(
    workspace: &Workspace,
    folder: &std::path::Path,
) -> Result<(Vec<Candidate>, Candidate)> {
    let own = workerd::bench_folder(workspace);
    let measure = || Module::new("measure.js", own.join("workers/measure.js"));
    let mut candidates = Vec::new();
    let build = workspace.root().join("tail-ingest/build");
    let direct = folder.join("direct.js");
    workerd::bundle_script(workspace, "workers/direct-normalize.ts", &direct)?;
    let tuned = folder.join("tuned.js");
    workerd::bundle_script(workspace, "baselines/tuned/tail.ts", &tuned)?;
    for (name, modules) in [
        (DIRECT, vec![measure(), Module::new("candidate", direct)]),
        (TUNED, vec![measure(), Module::new("candidate", tuned)]),
        (
            RUST,
            vec![
                measure(),
                Module::new("candidate", build.join("index.js")),
                Module::new("index_bg.wasm", build.join("index_bg.wasm")),
            ],
        ),
        (
            READING,
            vec![
                measure(),
                Module::new("candidate", own.join("workers/read.js")),
            ],
        ),
    ] {
        let producer = own.join("workers/producer.js");
        let workerd = Workerd::start(workspace, &modules, Some(&producer))
            .with_context(|| format!("{name} does not run"))?;
        let candidate = Candidate { name, workerd };
        candidate.workerd.ask_measured("/hold?on=1")?;
        candidate.workerd.ask_producer("/logs?count=10")?;
        candidate.wait_for_count("held", 1)?;
        candidate.workerd.ask_measured("/held?passes=1")?; // leaves the example behind
        candidate.workerd.ask_measured("/hold?on=0")?;
        candidates.push(candidate);
    }
    let reading = candidates.pop().context("there is none")?;
    Ok((candidates, reading))
}

impl Candidate {
    /// Processor time that `act` takes.
    fn processor_time(&self, act: impl FnOnce(&Self) -> Result<()>) -> Result<Duration> {
        let before = self.workerd.processor_time()?;
        act(self).with_context(|| format!("{} fails", self.name))?;
        Ok(self.workerd.processor_time()?.saturating_sub(before))
    }

    /// Returns what calls on real events took so far.
    fn call_milliseconds(&self) -> Result<f64> {
        let answer = self.workerd.ask_measured("/")?;
        answer
            .get("ms")
            .and_then(Value::as_f64)
            .context("the measured Worker does not say ms")
    }

    fn set_passes(&self, count: u64) -> Result<()> {
        self.workerd
            .ask_measured(&format!("/passes?count={count}"))
            .map(drop)
    }

    /// Makes `requests` of `lines` console lines each, and waits for `calls` more tail calls.
    fn make_requests(&self, lines: u64, requests: u64, calls: u64) -> Result<()> {
        let before = read_number(&self.workerd.ask_measured("/")?, "calls")?;
        for _ in 0..requests {
            self.workerd.ask_producer(&format!("/logs?count={lines}"))?;
        }
        self.wait_for_count("calls", before + calls).map(drop)
    }

    /// Waits until the count `name` is `wanted`.
    fn wait_for_count(&self, name: &str, wanted: u64) -> Result<Value> {
        // At once where it can be: each question costs the process under measurement a little.
        let answer = self.workerd.ask_measured("/")?;
        if read_number(&answer, name)? == wanted {
            return Ok(answer);
        }
        wait_for(
            &format!("{wanted} {name} of {}", self.name),
            Duration::from_secs(60),
            || {
                let answer = self.workerd.ask_measured("/")?;
                Ok((read_number(&answer, name)? == wanted).then_some(answer))
            },
        )
    }
}

fn read_number(answer: &Value, name: &str) -> Result<u64> {
    answer
        .get(name)
        .and_then(Value::as_u64)
        .with_context(|| format!("the measured Worker does not say {name}"))
}
