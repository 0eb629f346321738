//! What a load needs, what it costs a month, and which limit binds first: arithmetic from what the bench measured, the
//! platform's limits and its prices, and a simulation, second by second, of an outage of D1 and the time after it.

use std::fmt;

use crate::render::number;

/// What the bench measured; docs/performance.md has the run. Bytes are those of its producer's lines.
pub mod measured {
    /// What a record has on the queue besides the text of its line, in bytes.
    pub const RECORD_BYTES: f64 = 190.0;
    /// What the record of a request itself has on the queue, in bytes.
    pub const INVOCATION_BYTES: f64 = 495.0;
    /// What a row takes in D1 besides what it has on the queue, in bytes: index entries, the room that pages leave.
    pub const INDEX_BYTES: f64 = 390.0;
    /// Rows that one local D1 takes in a second, with a million in it.
    pub const D1_ROWS_PER_SECOND: f64 = 68_000.0;
    /// Rows written that D1 bills for storing a row, one in ten a warning or an error.
    pub const WRITTEN_PER_ROW: f64 = 4.1;
    /// Rows written that D1 bills for deleting it again.
    pub const WRITTEN_PER_DELETE: f64 = 1.0;
    /// Rows read for deleting one.
    pub const READ_PER_DELETE: f64 = 1.0;
    /// Processor time for a log at ten a request, in milliseconds: all of the local workerd, the producer, queue and D1
    /// included, so more than what is billed.
    pub const CPU_MS_PER_LOG: f64 = 0.05;
}

/// The platform's limits (developers.cloudflare.com: queues/platform/limits, d1/platform/limits; seen 2026-11-23).
pub mod limits {
    /// Messages that one queue takes in a second.
    pub const QUEUE_MESSAGES_PER_SECOND: f64 = 5_000.0;
    /// What one queue holds, in bytes.
    pub const QUEUE_BACKLOG_BYTES: f64 = 25e9;
    /// What one D1 database holds, in bytes.
    pub const D1_BYTES: f64 = 10e9;
    /// What all D1 databases of an account hold, in bytes, unless Cloudflare is asked for more.
    pub const D1_ACCOUNT_BYTES: f64 = 250e9;
    /// Messages in one batch of a consumer.
    pub const BATCH_MESSAGES: f64 = 100.0;
    /// What one queue message holds, in bytes, as tail-ingest fills it.
    pub const MESSAGE_BYTES: f64 = 127_500.0;
    /// What one queue operation covers, in bytes.
    pub const OPERATION_BYTES: f64 = 64_000.0;
}

/// The platform's prices in dollars, beyond what is included in the Workers Paid plan (developers.cloudflare.com:
/// workers/platform/pricing, observability/pricing; seen 2026-11-23). What is included is by the month.
pub mod prices {
    /// A million queue operations, of which one million are included.
    pub const QUEUE_OPERATIONS: (f64, f64) = (0.40, 1e6);
    /// A million rows written to D1.
    pub const D1_WRITTEN: (f64, f64) = (1.00, 50e6);
    /// A million rows read from D1.
    pub const D1_READ: (f64, f64) = (0.001, 25e9);
    /// A gigabyte in D1 for a month.
    pub const D1_GB_MONTHS: (f64, f64) = (0.75, 5.0);
    /// A million milliseconds of processor time.
    pub const CPU_MS: (f64, f64) = (0.02, 30e6);
    /// A million requests: log-writer's batches are such, tail-ingest's calls are not.
    pub const REQUESTS: (f64, f64) = (0.30, 10e6);
    /// A million events in Workers Logs, until 2026-11-30.
    pub const WORKERS_LOGS_EVENTS: (f64, f64) = (0.60, 20e6);
    /// A gigabyte into Workers Logs, from 2026-12-01.
    pub const OBSERVABILITY_GB: (f64, f64) = (0.25, 50.0);
    /// A gigabyte in Workers Logs for a month, from 2026-12-01.
    pub const OBSERVABILITY_GB_MONTHS: (f64, f64) = (0.10, 12.0);
    /// A million requests' logs through Logpush, whose destination costs extra.
    pub const LOGPUSH_REQUESTS: (f64, f64) = (0.05, 10e6);
}

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

/// What a load needs.
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
    /// What the simulation saw.
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
    // Written, read and deleted, each for so many kilobytes begun.
    let operations = messages * 3.0 * (load.message_bytes() / limits::OPERATION_BYTES).ceil();
    vec![
        (
            "D1, rows written (stored)",
            charge(
                rows * measured::WRITTEN_PER_ROW,
                prices::D1_WRITTEN,
                MILLION,
            ),
        ),
        (
            "D1, rows written (expired)",
            rows * measured::WRITTEN_PER_DELETE / MILLION * prices::D1_WRITTEN.0,
        ),
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

fn bytes(count: f64) -> String {
    match count {
        count if count >= 1e9 => format!("{} GB", number(count / 1e9)),
        count if count >= 1e6 => format!("{} MB", number(count / 1e6)),
        count => format!("{} kB", number(count / 1e3)),
    }
}

fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.005 {
        return "under $0.01".to_owned();
    }
    let cents = (amount * 100.0).round() / 100.0;
    format!(
        "${}.{:02.0}",
        number(cents.trunc()),
        (cents.fract() * 100.0).round()
    )
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        writeln!(
            f,
            "{} logs a second of {} bytes, {} a request, kept for {} days\n",
            number(load.logs_per_second),
            number(load.log_bytes),
            number(load.lines_per_request),
            number(load.retention_days)
        )?;
        writeln!(f, "What flows")?;
        writeln!(
            f,
            "  on the queue        {} messages a second, {} a second",
            number(self.messages_per_second),
            bytes(self.queue_bytes_per_log * load.logs_per_second)
        )?;
        writeln!(
            f,
            "  into D1             {} rows a second",
            number(self.rows_per_second)
        )?;
        writeln!(
            f,
            "  kept in D1          {} ({} bytes a log)",
            bytes(self.stored_bytes),
            number(self.stored_bytes_per_log)
        )?;
        writeln!(f, "\nWhat it needs")?;
        writeln!(f, "  D1 databases        {}", number(self.databases))?;
        let queues = (self.messages_per_second / limits::QUEUE_MESSAGES_PER_SECOND)
            .ceil()
            .max(1.0);
        writeln!(f, "  queues              {}", number(queues))?;
        writeln!(
            f,
            "\nWhich limit binds first, and at how many logs a second"
        )?;
        for (name, at) in &self.limits {
            let mark = if load.logs_per_second > *at {
                "  <- exceeded"
            } else {
                ""
            };
            writeln!(f, "  {name:<42} {:>12}{mark}", number(*at))?;
        }
        let outage = &self.outage;
        writeln!(f, "\nD1 away for {} minutes", number(load.outage_minutes))?;
        writeln!(
            f,
            "  on the queue then   {} in {} messages",
            bytes(outage.backlog_bytes),
            number(outage.backlog_messages)
        )?;
        match outage.caught_up_seconds {
            Some(seconds) => writeln!(f, "  caught up after     {} s", number(seconds))?,
            None => writeln!(
                f,
                "  caught up           never: D1 takes no more than arrives"
            )?,
        }
        if outage.overflown_logs > 0.0 {
            writeln!(
                f,
                "  to the KV fallback  {} logs, for which the queue had no room",
                number(outage.overflown_logs)
            )?;
        }
        writeln!(
            f,
            "\nWhat it costs a month, beyond the $5 plan and what that includes"
        )?;
        for (name, amount) in &self.bill {
            writeln!(f, "  {name:<62} {:>12}", dollars(*amount))?;
        }
        writeln!(f, "  {:<62} {:>12}", "in all", dollars(self.dollars()))?;
        writeln!(f, "\nWhat Cloudflare's own cost for the same")?;
        for (name, amount) in &self.elsewhere {
            writeln!(f, "  {name:<62} {:>12}", dollars(*amount))?;
        }
        Ok(())
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
    fn an_outage_leaves_its_logs_on_the_queue_and_is_caught_up_with() {
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
    fn more_than_d1_takes_is_never_caught_up_with_and_overflows_the_queue() {
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
        assert!(tiny.dollars() < 0.5, "{}", tiny.dollars());
    }
}
