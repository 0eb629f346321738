//! One invocation of the Worker: what it may still ask of the platform, and the limits of each call. Every call to a
//! port passes through here, so that none is without a deadline and none is uncounted.

use std::cell::Cell;

use worker_runtime::{CallError, within};

use crate::d1_error::{ErrorKind, StoreError};
use crate::ports::{Clock, Ports, Statement, StatementResult, Store};
use crate::settings::Settings;

/// The calls that one invocation makes at most: statements of D1 (D1 limits: 1,000 an invocation) and calls to KV and to
/// the queue (KV limits: 1,000 operations on external services) from one account, which leaves room for a few that are
/// made before anybody counts.
const OPERATIONS: usize = 950;

/// A batch leaves this many of them for its dead letters: two for each of 100 messages, and room.
const DEAD_LETTER_OPERATIONS: usize = 250;

/// A batch asks nothing of D1 after this time. A queue consumer may run for 15 minutes (Workers limits): 5 for D1, 40 s
/// for its last answer and 2 for dead letters are 7 min 40 s.
const BATCH_MS: u64 = 5 * 60 * 1000;

/// A cron asks nothing of anybody after this time: it runs every minute, and its last answer is due 15 s before the next
/// run starts where D1 answers within 5 s.
const CRON_MS: u64 = 40 * 1000;

/// D1 ends a query after 30 s (D1 limits). A call without an answer for longer was lost on its way.
const D1_CALL_MS: u64 = 40 * 1000;

/// KV and queues answer within a fraction of a second, or after much more than this.
const CALL_MS: u64 = 5 * 1000;

/// R2 stores some hundred kilobytes within a second, or after much more than this.
const BUCKET_CALL_MS: u64 = 10 * 1000;

/// A part of the platform that was silent this often is asked no more: a call that is given up cannot be cancelled, and
/// holds one of the six connections that may wait for an answer.
const SILENCES: u32 = 2;

/// The queue for dead letters has this long for all of them; then KV has as long.
const DEAD_LETTERS_MS: u64 = 60 * 1000;

/// One run of the Worker, from its start to its end.
#[derive(Debug)]
pub struct Invocation<'a, P> {
    /// The platform.
    pub ports: &'a P,
    /// The settings.
    pub settings: &'a Settings,
    /// The calls to the dead-letter queue.
    pub queue: Outlet,
    /// The calls to KV.
    pub kv: Outlet,
    /// The calls to the bucket of the archive.
    pub bucket: Outlet,
    operations: Cell<usize>,
    reserve: Cell<usize>,
    d1_deadline_ms: Cell<u64>,
    end_ms: u64,
    d1_calls: Cell<u64>,
    d1_ms: Cell<u64>,
}

impl<'a, P: Ports> Invocation<'a, P> {
    /// Begins a batch of the queue.
    pub fn of_batch(ports: &'a P, settings: &'a Settings) -> Self {
        let now_ms = ports.clock().now_ms();
        Self::new(ports, settings, now_ms + BATCH_MS, u64::MAX)
    }

    /// Begins a run of the cron.
    pub fn of_cron(ports: &'a P, settings: &'a Settings) -> Self {
        let end_ms = ports.clock().now_ms() + CRON_MS;
        Self::new(ports, settings, end_ms, end_ms)
    }

    fn new(ports: &'a P, settings: &'a Settings, d1_deadline_ms: u64, end_ms: u64) -> Self {
        Self {
            ports,
            settings,
            queue: Outlet::new(CALL_MS),
            kv: Outlet::new(CALL_MS),
            bucket: Outlet::new(BUCKET_CALL_MS),
            operations: Cell::new(OPERATIONS),
            reserve: Cell::new(DEAD_LETTER_OPERATIONS),
            d1_deadline_ms: Cell::new(d1_deadline_ms),
            end_ms,
            d1_calls: Cell::default(),
            d1_ms: Cell::default(),
        }
    }

    /// Returns the time.
    pub fn now_ms(&self) -> u64 {
        self.ports.clock().now_ms()
    }

    /// Returns the number of calls that may still be made.
    pub fn operations_left(&self) -> usize {
        self.operations.get()
    }

    /// Returns the time until this invocation asks nothing of D1 any more, in milliseconds.
    pub fn time_left_ms(&self) -> u64 {
        self.d1_deadline_ms.get().saturating_sub(self.now_ms())
    }

    /// Leaves `operations` and `ms` of the time to whoever comes after the calls that follow.
    pub fn reserve(&self, operations: usize, ms: u64) {
        self.reserve.set(operations);
        self.d1_deadline_ms.set(self.end_ms.saturating_sub(ms));
    }

    /// Returns whether `operations` more calls can be made beside the reserve, and there is time for them.
    pub fn has_room(&self, operations: usize) -> bool {
        self.operations.get() >= self.reserve.get() + operations && self.time_left_ms() > 0
    }

    /// Starts the time that dead letters have, unless it has started already.
    pub fn start_dead_letters(&self) {
        let now_ms = self.now_ms();
        self.queue.limit(now_ms + DEAD_LETTERS_MS);
        self.kv.limit(now_ms + 2 * DEAD_LETTERS_MS);
    }

    /// Returns the calls to D1 so far, and the time spent waiting for them in milliseconds.
    pub fn d1_calls(&self) -> (u64, u64) {
        (self.d1_calls.get(), self.d1_ms.get())
    }

    /// Runs `statements` in one transaction.
    ///
    /// # Errors
    /// D1's, already judged; [`ErrorKind::OutOfBudget`] where this invocation may not ask any more.
    pub async fn run_statements(
        &self,
        statements: &[Statement],
    ) -> Result<Vec<StatementResult>, StoreError> {
        if !self.has_room(statements.len()) {
            return Err(StoreError {
                kind: ErrorKind::OutOfBudget,
                text: "the calls or the time of one invocation are used up".to_owned(),
            });
        }
        self.take(statements.len());
        let clock = self.ports.clock();
        let start_ms = clock.now_ms();
        let answer = within(clock, D1_CALL_MS, self.ports.store().batch(statements)).await;
        self.d1_calls.set(self.d1_calls.get() + 1);
        let waited_ms = clock.now_ms().saturating_sub(start_ms);
        self.d1_ms.set(self.d1_ms.get() + waited_ms);
        answer.map_err(StoreError::from)
    }

    /// Makes `call` through `outlet`, within its limits.
    ///
    /// # Errors
    /// The call's own, or silence; a refusal without asking where the outlet is closed.
    pub async fn ask<T>(
        &self,
        outlet: &Outlet,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let clock = self.ports.clock();
        let deadline_ms = outlet.deadline_ms.get().unwrap_or(u64::MAX);
        let left_ms = deadline_ms.min(self.end_ms).saturating_sub(clock.now_ms());
        if outlet.is_silent() || left_ms == 0 || self.operations.get() == 0 {
            return Err(CallError::OutOfTime);
        }
        self.take(1);
        let answer = within(clock, outlet.call_ms.min(left_ms), call).await;
        if let Err(error) = &answer {
            outlet.refusals.set(outlet.refusals.get() + 1);
            let silences = outlet.silences.get() + u32::from(error.is_silence());
            outlet.silences.set(silences);
        }
        answer
    }

    fn take(&self, operations: usize) {
        self.operations
            .set(self.operations.get().saturating_sub(operations));
    }
}

/// A part of the platform, as one invocation has found it.
#[derive(Debug)]
pub struct Outlet {
    call_ms: u64,
    silences: Cell<u32>,
    refusals: Cell<u64>,
    deadline_ms: Cell<Option<u64>>,
}

impl Outlet {
    /// Returns one that has answered so far; a call to it may take `call_ms`.
    fn new(call_ms: u64) -> Self {
        Self {
            call_ms,
            silences: Cell::default(),
            refusals: Cell::default(),
            deadline_ms: Cell::default(),
        }
    }

    /// Returns whether it was silent so often that it is asked no more.
    pub fn is_silent(&self) -> bool {
        self.silences.get() >= SILENCES
    }

    /// Returns how often it was asked and refused, or did not answer.
    pub fn refusals(&self) -> u64 {
        self.refusals.get()
    }

    fn limit(&self, deadline_ms: u64) {
        if self.deadline_ms.get().is_none() {
            self.deadline_ms.set(Some(deadline_ms));
        }
    }
}
