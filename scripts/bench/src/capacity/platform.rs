//! The platform's limits, and its prices.

/// The platform's limits (developers.cloudflare.com: queues/platform/limits, d1/platform/limits; seen 2026-11-25).
pub mod limits {
    /// Messages that one queue takes in a second.
    pub const QUEUE_MESSAGES_PER_SECOND: f64 = 5_000.0;
    /// Bytes that one queue holds.
    pub const QUEUE_BACKLOG_BYTES: f64 = 25e9;
    /// Bytes that one D1 database holds.
    pub const D1_BYTES: f64 = 10e9;
    /// Bytes that all D1 databases of an account hold, unless Cloudflare is asked for more.
    pub const D1_ACCOUNT_BYTES: f64 = 1e12;
    /// Messages in one batch of a consumer.
    pub const BATCH_MESSAGES: f64 = 100.0;
    /// Bytes that tail-ingest puts into one queue message.
    pub const MESSAGE_BYTES: f64 = 127_500.0;
    /// Bytes that one queue operation covers.
    pub const OPERATION_BYTES: f64 = 64_000.0;
}

/// A price in dollars, beyond what is included in the Workers Paid plan. What is included is by the month.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    /// Dollars.
    pub dollars: f64,
    /// The amount that costs so much.
    pub per: f64,
    /// The amount that is included.
    pub included: f64,
}

const MILLION: f64 = 1e6;

const fn price(dollars: f64, per: f64, included: f64) -> Price {
    Price {
        dollars,
        per,
        included,
    }
}

impl Price {
    /// Returns the dollars of a month's `amount`.
    #[must_use]
    pub fn of_month(self, amount: f64) -> f64 {
        self.beyond_the_plan((amount - self.included).max(0.0))
    }

    /// Returns the dollars of `amount` where nothing of it is included.
    #[must_use]
    pub fn beyond_the_plan(self, amount: f64) -> f64 {
        amount / self.per * self.dollars
    }
}

/// The platform's prices (developers.cloudflare.com: workers/platform/pricing, r2/pricing, observability/pricing; seen
/// 2026-11-25).
pub mod prices {
    use super::{MILLION, Price, price};

    /// Queue operations.
    pub const QUEUE_OPERATIONS: Price = price(0.40, MILLION, MILLION);
    /// Rows written to D1.
    pub const D1_WRITTEN: Price = price(1.00, MILLION, 50.0 * MILLION);
    /// Rows read from D1.
    pub const D1_READ: Price = price(0.001, MILLION, 25e9);
    /// Gigabytes in D1 for a month.
    pub const D1_GB_MONTHS: Price = price(0.75, 1.0, 5.0);
    /// Writes to R2 (class A).
    pub const R2_WRITES: Price = price(4.50, MILLION, MILLION);
    /// Gigabytes in R2 for a month.
    pub const R2_GB_MONTHS: Price = price(0.015, 1.0, 10.0);
    /// Milliseconds of processor time.
    pub const CPU_MS: Price = price(0.02, MILLION, 30.0 * MILLION);
    /// Requests: log-writer's batches are such, tail-ingest's calls are not.
    pub const REQUESTS: Price = price(0.30, MILLION, 10.0 * MILLION);
    /// Gigabytes into Workers Logs.
    pub const OBSERVABILITY_GB: Price = price(0.25, 1.0, 50.0);
    /// Gigabytes in Workers Logs for a month.
    pub const OBSERVABILITY_GB_MONTHS: Price = price(0.10, 1.0, 12.0);
    /// Requests' logs through Logpush, whose destination costs extra.
    pub const LOGPUSH_REQUESTS: Price = price(0.05, MILLION, 10.0 * MILLION);

    /// Bytes of an event in Workers Logs, with all that Cloudflare adds to a line before it bills: what one user measured
    /// for short lines of their own, and the average that Cloudflare's documentation names
    /// (observability/logs/datasets).
    pub const WORKERS_LOGS_EVENT_BYTES: [f64; 2] = [883.0, 4_840.0];
    /// The time that Workers Logs keep events, in days.
    pub const WORKERS_LOGS_DAYS: f64 = 7.0;
}
