//! The needs of a load, its cost a month, and which limit binds first: arithmetic from what the bench measured, the
//! platform's limits and its prices, and a simulation, second by second, of an outage of D1 and the time after it.

pub mod constants;
mod print;

use self::constants::{limits, measured, prices};

/// Share of what the local D1 takes that is planned with: production's D1 confirms each write to several places, and
/// shares its machine. Not measured; measure it where it matters.
const PLANNED_SHARE: f64 = 0.5;

const DAY_SECONDS: f64 = 86_400.0;
const MONTH_SECONDS: f64 = 30.0 * DAY_SECONDS;

/// A load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Console lines in a second, on average.
    pub logs_per_second: f64,
    /// Their length, in bytes, on average.
    pub log_bytes: f64,
    /// Lines that a request logs, on average.
    pub lines_per_request: f64,
    /// The time that logs are kept, in days.
    pub retention_days: f64,
    /// The time that D1 is away in the simulation, in minutes.
    pub outage_minutes: f64,
}

/// The needs of a load.
#[derive(Clone, Debug)]
pub struct Capacity {
    load: Load,
    /// Rows in a second.
    pub rows_per_second: f64,
    /// Messages in a second.
    pub messages_per_second: f64,
    /// Bytes of a log on the queue, its share of the request's own record included.
    pub queue_bytes_per_log: f64,
    /// Bytes of a log in D1, the same.
    pub stored_bytes_per_log: f64,
    /// Bytes in D1 once logs have begun to expire.
    pub stored_bytes: f64,
    /// Databases that hold them.
    pub databases: f64,
    /// Each limit, and at how many logs a second it binds; the first to bind comes first.
    pub limits: Vec<(&'static str, f64)>,
    /// Result of the simulation.
    pub outage: Outage,
    /// Dollars a month: what for, and how much, without what is included.
    pub bill: Vec<(&'static str, f64)>,
    /// The same for what Cloudflare sells.
    pub elsewhere: Vec<(&'static str, f64)>,
}

/// An outage of D1, and the time after it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outage {
    /// The most bytes that lay on the queue.
    pub backlog_bytes: f64,
    /// The most messages.
    pub backlog_messages: f64,
    /// The time that it took until nothing was left, from D1's return on, in seconds; `None`: never.
    pub caught_up_seconds: Option<f64>,
    /// Logs that found no room on the queue, and went to KV.
    pub overflown_logs: f64,
}

impl Load {
    fn requests_per_second(self) -> f64 {
        self.logs_per_second / self.lines_per_request
    }

    /// Records of a log: itself, and its share of the request's own.
    fn rows_per_log(self) -> f64 {
        1.0 + 1.0 / self.lines_per_request
    }

    fn queue_bytes_per_log(self) -> f64 {
        self.log_bytes
            + measured::RECORD_BYTES
            + measured::INVOCATION_BYTES / self.lines_per_request
    }

    fn stored_bytes_per_log(self) -> f64 {
        self.queue_bytes_per_log() + measured::INDEX_BYTES * self.rows_per_log()
    }

    fn message_bytes(self) -> f64 {
        let request = self.queue_bytes_per_log() * self.lines_per_request;
        request / self.messages_per_request()
    }

    fn messages_per_request(self) -> f64 {
        (self.queue_bytes_per_log() * self.lines_per_request / limits::MESSAGE_BYTES).ceil()
    }
}

/// Works out what `load` needs.
#[must_use]
pub fn plan(load: Load) -> Capacity {
    let rows_per_second = load.logs_per_second * load.rows_per_log();
    let messages_per_second = load.requests_per_second() * load.messages_per_request();
    let retention = load.retention_days * DAY_SECONDS;
    let stored_bytes = load.stored_bytes_per_log() * load.logs_per_second * retention;
    let writes = measured::D1_ROWS_PER_SECOND * PLANNED_SHARE;
    let databases = (stored_bytes / limits::D1_BYTES)
        .max(rows_per_second / writes)
        .ceil()
        .max(1.0);

    let mut binding = vec![
        (
            "one D1: 10 GB",
            limits::D1_BYTES / (load.stored_bytes_per_log() * retention),
        ),
        ("one D1: rows a second", writes / load.rows_per_log()),
        (
            "one queue: 5,000 messages a second",
            limits::QUEUE_MESSAGES_PER_SECOND / (messages_per_second / load.logs_per_second),
        ),
        (
            "one queue: 25 GB in the outage",
            limits::QUEUE_BACKLOG_BYTES / (load.queue_bytes_per_log() * load.outage_minutes * 60.0),
        ),
        (
            "an account: 250 GB of D1, unless raised",
            limits::D1_ACCOUNT_BYTES / (load.stored_bytes_per_log() * retention),
        ),
    ];
    binding.sort_by(|a, b| a.1.total_cmp(&b.1));
    Capacity {
        load,
        rows_per_second,
        messages_per_second,
        queue_bytes_per_log: load.queue_bytes_per_log(),
        stored_bytes_per_log: load.stored_bytes_per_log(),
        stored_bytes,
        databases,
        limits: binding,
        outage: simulate(load, writes * databases),
        bill: bill(load, stored_bytes),
        elsewhere: elsewhere(load),
    }
}

/// D1 away for the outage, then back: what lies on the queue, second by second.
fn simulate(load: Load, d1_rows_per_second: f64) -> Outage {
    /// A week: what has not been caught up with by then never will be.
    const GIVE_UP_SECONDS: f64 = 7.0 * DAY_SECONDS;
    let outage = load.outage_minutes * 60.0;
    let arriving = load.logs_per_second;
    let written = d1_rows_per_second / load.rows_per_log();
    let room = limits::QUEUE_BACKLOG_BYTES / load.queue_bytes_per_log();
    let (mut waiting, mut most, mut overflown) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut second = 0.0;
    let caught_up_seconds = loop {
        waiting += arriving;
        if second >= outage {
            waiting = (waiting - written).max(0.0);
        }
        overflown += (waiting - room).max(0.0);
        waiting = waiting.min(room);
        most = most.max(waiting);
        second += 1.0;
        if second >= outage && waiting <= 0.0 {
            break Some((second - outage).max(0.0));
        }
        if second > outage + GIVE_UP_SECONDS {
            break None;
        }
    };
    Outage {
        backlog_bytes: most * load.queue_bytes_per_log(),
        backlog_messages: most * load.queue_bytes_per_log() / load.message_bytes(),
        caught_up_seconds,
        overflown_logs: overflown,
    }
}

fn charge(amount: f64, (price, included): (f64, f64), unit: f64) -> f64 {
    (amount - included).max(0.0) / unit * price
}

fn bill(load: Load, stored_bytes: f64) -> Vec<(&'static str, f64)> {
    const MILLION: f64 = 1e6;
    let logs = load.logs_per_second * MONTH_SECONDS;
    let rows = logs * load.rows_per_log();
    let messages = load.requests_per_second() * load.messages_per_request() * MONTH_SECONDS;
    // Written, read and deleted, each for every 64 kB begun.
    let operations = messages * 3.0 * (load.message_bytes() / limits::OPERATION_BYTES).ceil();
    // What the plan includes is for both together: whatever storing leaves of it, deleting takes.
    let written = |rows_written: f64| charge(rows_written, prices::D1_WRITTEN, MILLION);
    let stored = written(rows * measured::WRITTEN_PER_ROW);
    let both = written(rows * (measured::WRITTEN_PER_ROW + measured::WRITTEN_PER_DELETE));
    vec![
        ("D1, rows written (stored)", stored),
        ("D1, rows written (expired)", both - stored),
        (
            "D1, rows read (expired)",
            charge(rows * measured::READ_PER_DELETE, prices::D1_READ, MILLION),
        ),
        (
            "D1, storage",
            charge(stored_bytes / 1e9, prices::D1_GB_MONTHS, 1.0),
        ),
        (
            "queue operations",
            charge(operations, prices::QUEUE_OPERATIONS, MILLION),
        ),
        (
            "requests (batches)",
            charge(messages / limits::BATCH_MESSAGES, prices::REQUESTS, MILLION),
        ),
        (
            "processor time",
            charge(logs * measured::CPU_MS_PER_LOG, prices::CPU_MS, MILLION),
        ),
        ("KV (the fallback; nothing while all is well)", 0.0),
    ]
}

fn elsewhere(load: Load) -> Vec<(&'static str, f64)> {
    let logs = load.logs_per_second * MONTH_SECONDS;
    let requests = load.requests_per_second() * MONTH_SECONDS;
    let gigabytes = logs * load.queue_bytes_per_log() / 1e9;
    let stored = gigabytes * 7.0 / 30.0;
    vec![
        (
            "Workers Logs, until 2026-11-30 ($0.60 a million events)",
            charge(logs + requests, prices::WORKERS_LOGS_EVENTS, 1e6),
        ),
        (
            "Workers Logs, from 2026-12-01 ($0.25 a GB, $0.10 a GB-month)",
            charge(gigabytes, prices::OBSERVABILITY_GB, 1.0)
                + charge(stored, prices::OBSERVABILITY_GB_MONTHS, 1.0),
        ),
        (
            "Logpush ($0.05 a million requests), without its destination",
            charge(requests, prices::LOGPUSH_REQUESTS, 1e6),
        ),
    ]
}

impl Capacity {
    /// Dollars a month in all, without the plan's own five.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        self.bill.iter().map(|(_, dollars)| dollars).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load {
        logs_per_second: 10.0,
        log_bytes: 250.0,
        lines_per_request: 10.0,
        retention_days: 7.0,
        outage_minutes: 60.0,
    };

    #[test]
    fn a_small_load_fits_one_database_and_a_large_one_does_not() {
        assert!((plan(LOAD).databases - 1.0).abs() < 1e-9);
        let large = plan(Load {
            logs_per_second: 1_000.0,
            ..LOAD
        });
        assert!(large.databases > 10.0);
        assert_eq!(
            large.limits.first().map(|(name, _)| *name),
            Some("one D1: 10 GB")
        );
    }

    #[test]
    fn an_outage_leaves_its_logs_on_the_queue() {
        let outage = plan(LOAD).outage;
        let expected = 10.0 * 3_600.0 * plan(LOAD).queue_bytes_per_log;
        assert!(
            (outage.backlog_bytes / expected - 1.0).abs() < 0.01,
            "{outage:?}"
        );
        assert!(
            outage
                .caught_up_seconds
                .is_some_and(|seconds| seconds < 60.0)
        );
        assert!(outage.overflown_logs < 1.0);
    }

    #[test]
    fn more_than_d1_takes_overflows_the_queue() {
        let load = Load {
            logs_per_second: 50_000.0,
            ..LOAD
        };
        let outage = simulate(load, 40_000.0);
        assert_eq!(outage.caught_up_seconds, None);
        assert!(outage.overflown_logs > 0.0);
    }

    #[test]
    fn what_is_included_is_not_billed() {
        let tiny = plan(Load {
            logs_per_second: 0.1,
            ..LOAD
        });
        // Rows, queue operations and storage are all within what a month includes.
        assert!(tiny.dollars() < 1e-9, "{}", tiny.dollars());
    }
}
