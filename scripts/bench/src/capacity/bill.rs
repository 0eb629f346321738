//! The price of a load, beside that of Cloudflare's own products.

use super::load::Flow;
use super::platform::{Price, limits, prices};
use super::{DAYS_OF_A_MONTH, MONTH_SECONDS};

/// A month's use of something that has a price.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The thing.
    pub name: &'static str,
    /// The amount in a month.
    pub amount: f64,
    /// The price.
    pub price: Price,
}

impl Item {
    /// Returns the dollars of a month, without what the plan includes.
    #[must_use]
    pub fn of_month(&self) -> f64 {
        self.price.of_month(self.amount)
    }

    /// Returns the dollars where all that the plan includes is used up.
    #[must_use]
    pub fn beyond_the_plan(&self) -> f64 {
        self.price.beyond_the_plan(self.amount)
    }
}

pub(super) fn items(flow: Flow<'_>) -> Vec<Item> {
    let logs = flow.load.logs_per_second * MONTH_SECONDS;
    let messages = flow.messages_per_second() * MONTH_SECONDS;
    let measured = flow.constants.measured;
    let expired = logs * flow.expired_per_log();
    let mut items = vec![
        Item {
            name: "D1, rows written: stored, and deleted when they expire",
            amount: logs * flow.written_per_log() + expired * measured.written_per_delete,
            price: prices::D1_WRITTEN,
        },
        Item {
            name: "D1, rows read to delete them",
            amount: expired * measured.read_per_delete,
            price: prices::D1_READ,
        },
        Item {
            name: "D1, storage",
            amount: flow.stored_bytes() / 1e9,
            price: prices::D1_GB_MONTHS,
        },
        Item {
            // Written, read and deleted, each for every 64 kB begun.
            name: "queue operations",
            amount: messages * 3.0 * (flow.message_bytes() / limits::OPERATION_BYTES).ceil(),
            price: prices::QUEUE_OPERATIONS,
        },
        Item {
            name: "requests (batches)",
            amount: messages / flow.batch_messages(),
            price: prices::REQUESTS,
        },
        Item {
            name: "processor time",
            amount: logs * measured.cpu_ms_per_log,
            price: prices::CPU_MS,
        },
    ];
    if flow.load.archive_days.is_some() {
        items.push(Item {
            name: "R2, writes",
            amount: logs * flow.objects_per_log(),
            price: prices::R2_WRITES,
        });
        items.push(Item {
            name: "R2, storage",
            amount: flow.archived_bytes() / 1e9,
            price: prices::R2_GB_MONTHS,
        });
    }
    items
}

/// Cloudflare's own products for the same, at the lowest and at the highest price.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The product.
    pub name: &'static str,
    /// Each end's items.
    pub ends: [Vec<Item>; 2],
}

pub(super) fn elsewhere(flow: Flow<'_>) -> [Elsewhere; 2] {
    let requests = flow.requests_per_second() * MONTH_SECONDS;
    // The invocation is an event, too.
    let events = flow.load.logs_per_second * MONTH_SECONDS * flow.records_per_log();
    let workers_logs = prices::WORKERS_LOGS_EVENT_BYTES.map(|event_bytes| {
        let gigabytes = events * event_bytes / 1e9;
        vec![
            Item {
                name: "gigabytes in",
                amount: gigabytes,
                price: prices::OBSERVABILITY_GB,
            },
            Item {
                name: "gigabytes kept",
                amount: gigabytes * prices::WORKERS_LOGS_DAYS / DAYS_OF_A_MONTH,
                price: prices::OBSERVABILITY_GB_MONTHS,
            },
        ]
    });
    let logpush = Item {
        name: "requests",
        amount: requests,
        price: prices::LOGPUSH_REQUESTS,
    };
    [
        Elsewhere {
            name: "Workers Logs, 7 days",
            ends: workers_logs,
        },
        Elsewhere {
            name: "Logpush, without its destination",
            ends: [vec![logpush], vec![logpush]],
        },
    ]
}
