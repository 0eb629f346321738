//! The needs of a load, its cost a month, and which limit binds first: arithmetic from what the bench measured, the
//! platform's limits and its prices, and a simulation, second by second, of an outage of D1 and the time after it.

mod bill;
mod load;
pub mod page;
pub mod platform;
mod print;

use log_record::archive::Rows;

pub use self::bill::{Elsewhere, Item};
use self::load::Flow;
pub use self::load::{Batches, Load};
use self::platform::limits;
use crate::constants::Constants;

/// Share of what the local D1 takes that is planned with: production's D1 confirms each write to several places, and
/// shares its machine. Not measured; measure it where it matters.
const PLANNED_SHARE: f64 = 0.5;

const DAY_SECONDS: f64 = 86_400.0;
const DAYS_OF_A_MONTH: f64 = 30.0;
const MONTH_SECONDS: f64 = DAYS_OF_A_MONTH * DAY_SECONDS;

/// Values of `RETENTION_DAYS` that are compared with each other.
const RETENTIONS: [f64; 5] = [1.0, 7.0, 14.0, 30.0, 90.0];

/// The needs of a load.
#[derive(Clone, Debug)]
pub struct Capacity {
    load: Load,
    /// Rows in a second.
    pub rows_per_second: f64,
    /// Rows written that D1 bills for a log, to store and to delete it.
    pub written_per_log: [f64; 2],
    /// Messages in a second.
    pub messages_per_second: f64,
    /// Bytes of a log on the queue, its share of the request's own record included.
    pub queue_bytes_per_log: f64,
    /// Bytes of a log in D1, the same.
    pub stored_bytes_per_log: f64,
    /// Bytes in D1 once logs have begun to expire.
    pub stored_bytes: f64,
    /// Objects of a million logs.
    pub objects_per_million: f64,
    /// Bytes of a log in the archive.
    pub archived_bytes_per_log: f64,
    /// Bytes in the archive once objects have begun to expire.
    pub archived_bytes: f64,
    /// Databases that hold them.
    pub databases: f64,
    /// Days of such logs that one database holds.
    pub days_in_one_database: f64,
    /// Each limit, and at how many logs a second it binds; the first to bind comes first.
    pub limits: Vec<(&'static str, f64)>,
    /// Result of the simulation.
    pub outage: Outage,
    /// The parts that cost money.
    pub bill: Vec<Item>,
    /// The same for what Cloudflare sells.
    pub elsewhere: [Elsewhere; 2],
    /// With an index: days of retention, the bytes in D1, and dollars a month.
    pub retentions: Vec<(f64, f64, f64)>,
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

/// Works out what `load` needs.
#[must_use]
pub fn plan(load: Load, constants: &Constants) -> Capacity {
    let flow = Flow { load, constants };
    let rows_per_second = load.logs_per_second * flow.rows_per_log();
    let messages_per_second = flow.messages_per_second();
    let stored_bytes = flow.stored_bytes();
    let writes = constants.measured.d1_rows_per_second * PLANNED_SHARE;
    let databases = (stored_bytes / limits::D1_BYTES)
        .max(rows_per_second / writes)
        .ceil()
        .max(1.0);
    let rows_of_a_day = flow.stored_bytes_per_log() * load.logs_per_second * DAY_SECONDS;
    let catalog = stored_bytes - rows_of_a_day * load.retention_days;

    let mut binding = vec![
        ("one D1: 10 GB", fitting_rate(flow, limits::D1_BYTES)),
        ("one D1: rows a second", writes / flow.rows_per_log()),
        (
            "one queue: 5,000 messages a second",
            limits::QUEUE_MESSAGES_PER_SECOND / (messages_per_second / load.logs_per_second),
        ),
        (
            "one queue: 25 GB in the outage",
            limits::QUEUE_BACKLOG_BYTES / (flow.queue_bytes_per_log() * load.outage_minutes * 60.0),
        ),
        (
            "an account: 1 TB of D1, unless raised",
            fitting_rate(flow, limits::D1_ACCOUNT_BYTES),
        ),
    ];
    binding.sort_by(|a, b| a.1.total_cmp(&b.1));
    Capacity {
        load,
        rows_per_second,
        written_per_log: [
            flow.written_per_log(),
            flow.expired_per_log() * constants.measured.written_per_delete,
        ],
        messages_per_second,
        queue_bytes_per_log: flow.queue_bytes_per_log(),
        stored_bytes_per_log: flow.stored_bytes_per_log(),
        stored_bytes,
        objects_per_million: flow.objects_per_log() * 1e6,
        archived_bytes_per_log: flow.archived_bytes_per_log(),
        archived_bytes: flow.archived_bytes(),
        databases,
        days_in_one_database: (limits::D1_BYTES - catalog) / rows_of_a_day,
        limits: binding,
        outage: simulate_outage(flow, writes * databases),
        bill: bill::items(flow),
        elsewhere: bill::elsewhere(flow),
        retentions: compare_retentions(flow),
    }
}

/// Returns the logs a second that take `bytes` of D1. With more logs, batches are fuller and a log's share of the catalog is
/// smaller.
fn fitting_rate(flow: Flow<'_>, bytes: f64) -> f64 {
    let mut load = flow.load;
    for _ in 0..20 {
        load.logs_per_second *= bytes / Flow { load, ..flow }.stored_bytes();
    }
    load.logs_per_second
}

/// Returns what other values of `RETENTION_DAYS` take, with an index.
fn compare_retentions(flow: Flow<'_>) -> Vec<(f64, f64, f64)> {
    if flow.load.rows == Rows::All {
        return Vec::new();
    }
    let compare = |retention_days: f64| {
        let mut load = flow.load;
        load.retention_days = retention_days;
        // Objects are kept for as long as rows, at least.
        load.archive_days = load.archive_days.map(|days| days.max(retention_days));
        let flow = Flow { load, ..flow };
        let dollars = bill::items(flow).iter().map(Item::of_month).sum();
        (retention_days, flow.stored_bytes(), dollars)
    };
    RETENTIONS.map(compare).to_vec()
}

/// D1 away for the outage, then back: what lies on the queue, second by second.
fn simulate_outage(flow: Flow<'_>, d1_rows_per_second: f64) -> Outage {
    /// A week: what has not been caught up with by then never will be.
    const GIVE_UP_SECONDS: f64 = 7.0 * DAY_SECONDS;
    let load = flow.load;
    let outage = load.outage_minutes * 60.0;
    let arriving = load.logs_per_second;
    let written = d1_rows_per_second / flow.rows_per_log();
    let room = limits::QUEUE_BACKLOG_BYTES / flow.queue_bytes_per_log();
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
        backlog_bytes: most * flow.queue_bytes_per_log(),
        backlog_messages: most * flow.queue_bytes_per_log() / flow.message_bytes(),
        caught_up_seconds,
        overflown_logs: overflown,
    }
}

impl Capacity {
    /// Returns the dollars of a month in all, without the plan's own five and what it includes.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        self.bill.iter().map(Item::of_month).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load {
        logs_per_second: 10.0,
        log_bytes: 250.0,
        lines_per_request: 10.0,
        warnings: 0.01,
        rows: Rows::All,
        retention_days: 7.0,
        archive_days: None,
        batches: Batches::Arriving,
        outage_minutes: 60.0,
    };

    fn plan(load: Load) -> Capacity {
        super::plan(load, &Constants::read().unwrap())
    }

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
        let constants = Constants::read().unwrap();
        let flow = Flow {
            load,
            constants: &constants,
        };
        let outage = simulate_outage(flow, 40_000.0);
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

    /// An index of one warning in a hundred lines.
    const INDEX: Load = Load {
        rows: Rows::Index,
        archive_days: Some(30.0),
        ..LOAD
    };

    #[test]
    fn an_index_lets_one_database_take_110_logs_a_second() {
        let index = plan(INDEX);
        let (name, at) = index.limits[0];
        assert_eq!(name, "one D1: 10 GB");
        assert!(at >= 110.0, "{at}");
        assert!(plan(LOAD).limits[0].1 < 20.0);
    }

    #[test]
    fn an_index_costs_a_fraction() {
        let written = |load: Load| plan(load).written_per_log.iter().sum::<f64>();
        let full = |warnings| Load {
            warnings,
            batches: Batches::Full,
            ..INDEX
        };
        assert!(written(full(0.1)) <= 1.3, "{}", written(full(0.1)));
        assert!(written(full(0.01)) <= 0.75, "{}", written(full(0.01)));
        assert!(plan(full(0.1)).objects_per_million <= 2_000.0);
    }

    #[test]
    fn a_longer_retention_costs_more() {
        let retentions = plan(Load {
            logs_per_second: 100.0,
            ..INDEX
        })
        .retentions;
        assert!(retentions.is_sorted_by(|a, b| a.1 < b.1 && a.2 < b.2));
        assert!(plan(LOAD).retentions.is_empty());
    }

    #[test]
    fn a_batch_holds_what_arrives_in_five_seconds() {
        let objects = |logs_per_second| {
            let load = Load {
                logs_per_second,
                ..INDEX
            };
            plan(load).objects_per_million * logs_per_second * MONTH_SECONDS / 1e6
        };
        // One each five seconds, then one for each hundred requests.
        assert!((objects(100.0) / 518_400.0 - 1.0).abs() < 1e-9);
        assert!((objects(400.0) / 1_036_800.0 - 1.0).abs() < 1e-9);
    }
}
