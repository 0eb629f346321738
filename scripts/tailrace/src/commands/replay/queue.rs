//! Letters from the dead-letter queue: pull, publish, acknowledge.
//!
//! One loop pulls; batches of at most 100 messages are published and acknowledged beside it, `--concurrency` at once.
//! Every message is in one of four states, by its id, so that a second delivery of it (its lease ran out, or its ack
//! was lost) is known:
//!
//! - *in flight*: being published. A second delivery's lease is kept and used once that is settled.
//! - *published*: a second delivery is acknowledged, and not published again.
//! - *held*: it stays. It is kept leased, so that the run does not meet it again and again, and given back at the end.
//! - *renewed*: it was put back as another message, since it had few deliveries left (see `held`). A second delivery is
//!   acknowledged.
//!
//! A process that dies leaves leases that run out: what was not acknowledged comes back. Only what was on its last
//! delivery does not, so this is put back or published before anything else, and a second Ctrl-C waits for that.
//!
//! The loop is here. In reading order: `sort` (what to do with each message that was pulled), `bodies` (what letters left
//! in KV), `batch` (publishing and acknowledging), `held` (what stays) and `unconfirmed` (whose ack was not taken).

mod batch;
mod bodies;
mod held;
mod sort;
mod unconfirmed;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::letter::Left;
use super::tally::Tally;
use super::target::Target;
use super::{Alone, Job};
use crate::client::kv::Namespace;
use crate::client::queues::{Message, Pulled, Queue};
use crate::{Error, output};

use batch::{Again, Done, Taken, send};
use bodies::Body;
use held::{Deliveries, Held};
use unconfirmed::Unconfirmed;

/// Messages of one pull: the platform's maximum.
const PULL_MESSAGES: usize = 100;

/// How often to look again when nothing is delivered although there should be something: pulling is short polling, and
/// the backlog is an estimate that lags behind.
const IDLE_LOOKS: usize = 3;
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Pulls in a row that bring nothing but what was met before, until the run has seen everything.
const STALE_PULLS: usize = 3;

/// A pull consumer with fewer retries than this may lose messages by being looked at.
const FEW_RETRIES: u32 = 10;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InFlight,
    Published,
    Held,
    Renewed,
}

/// A run, and what it knows of the queue.
struct Run<'r, 'a> {
    queue: &'r Queue<'a>,
    job: &'r mut Job<'a>,
    tally: &'r mut Tally,
    states: HashMap<String, State>,
    held: Held,
    /// Second deliveries of messages in flight.
    again: HashMap<String, Again>,
    /// Messages in the queue, as far as is known.
    backlog: Option<u64>,
    /// Published messages whose ack was not confirmed.
    unconfirmed: Unconfirmed,
    /// The bodies in KV that were met, by key.
    bodies: HashMap<String, Body>,
    /// Letters taken, against the limit.
    taken: usize,
    /// Of the held messages, those that nobody looked at: more than was asked for, or after a failure.
    aside: u64,
    /// Messages that were met for the first time, to tell when a pull brings none.
    met: usize,
    kv: Option<Namespace<'a>>,
    stopped: bool,
}

/// Replays, or counts, what the dead-letter queue holds.
///
/// # Errors
/// Where nothing could be begun.
pub async fn run(job: &mut Job<'_>, tally: &mut Tally) -> Result<(), Error> {
    let client = job.client;
    let name = job.place.dead_letter_queue();
    let queue = Queue::find(client, &name, "--dead-letter-queue").await?;
    let consumer = queue.pull_consumer().await?;
    if consumer.max_retries < FEW_RETRIES {
        output::note(&format!(
            "the HTTP pull consumer of {name} deletes a message after {} retries, and each look at it counts as one; raise \
             that: npx wrangler queues consumer http remove {name} && npx wrangler queues consumer http add {name} \
             --message-retries 100",
            consumer.max_retries
        ));
    }
    // The target leaves the job for as long as the batches borrow it.
    let target = job.target.take();
    let mut run = Run {
        queue: &queue,
        job,
        tally,
        states: HashMap::new(),
        held: Held::new(consumer.max_retries, queue.found_at.timestamp_millis()),
        again: HashMap::new(),
        backlog: None,
        unconfirmed: Unconfirmed::default(),
        bodies: HashMap::new(),
        taken: 0,
        aside: 0,
        met: 0,
        kv: None,
        stopped: false,
    };
    let result = run.go(target.as_ref()).await;
    job.target = target;
    result
}

impl<'a> Run<'_, 'a> {
    async fn go(&mut self, target: Option<&Target<'a>>) -> Result<(), Error> {
        let queue = self.queue;
        let at_once = usize::from(self.job.args.concurrency);
        let mut running = FuturesUnordered::new();
        let (mut idle, mut stale, mut pulls) = (0, 0, 0_u64);
        while !self.stopped && !self.job.stop.is_asked() {
            let room = self
                .job
                .args
                .limit
                .map_or(PULL_MESSAGES, |limit| limit.saturating_sub(self.taken));
            if room == 0 {
                self.tally.limited = true;
                break;
            }
            // The last pull that a limit leaves room for tells how many are beyond it.
            let last = self.job.args.limit.is_some() && room <= PULL_MESSAGES;
            if running.len() >= at_once || (last && !running.is_empty()) {
                if let Some(done) = running.next().await {
                    self.done(done).await;
                }
                continue;
            }
            // Acks that are sent while the answer is on its way overtake the count of messages in it.
            let quiet = running.is_empty();
            let pulled = match self.pull(room.min(PULL_MESSAGES), &mut running).await {
                Ok(pulled) => pulled,
                Err(error) if pulls == 0 => return Err(error),
                Err(error) => {
                    self.fail(error);
                    break;
                }
            };
            pulls += 1;
            self.backlog = pulled.backlog;
            if pulls == 1 {
                self.tally.expect(pulled.backlog.unwrap_or(0));
            }
            if pulled.messages.is_empty() {
                if let Some(done) = running.next().await {
                    self.done(done).await;
                } else if !quiet {
                    // Nothing is under way any more, so the next count holds.
                } else if idle < IDLE_LOOKS && self.unseen() > 0 {
                    idle += 1;
                    self.job.stop.sleep(IDLE_PAUSE).await;
                } else {
                    if self.unseen() == 0
                        && self
                            .backlog
                            .is_some_and(|backlog| backlog <= self.held.len())
                    {
                        // The acks that nobody confirmed have come through.
                        self.unconfirmed.clear();
                        self.drop_bodies().await;
                    }
                    break;
                }
                continue;
            }
            idle = 0;
            let met = self.met;
            let mut batch = self.sort(pulled.messages).await;
            stale = if self.met == met { stale + 1 } else { 0 };
            if let Some(target) = target {
                // One batch, unless more came than was asked for.
                while !batch.is_empty() {
                    let rest = batch.split_off(batch.len().min(PULL_MESSAGES));
                    running.push(send(queue, target, batch));
                    batch = rest;
                }
            }
            if stale >= STALE_PULLS && quiet && running.is_empty() {
                break;
            }
        }
        while let Some(done) = running.next().await {
            self.done(done).await;
        }
        self.finish().await;
        Ok(())
    }

    /// Pulls, and settles the batches that come to their end meanwhile.
    async fn pull(
        &mut self,
        count: usize,
        running: &mut FuturesUnordered<impl Future<Output = Done>>,
    ) -> Result<Pulled, Error> {
        let pull = self.queue.pull(count, self.job.args.lease * 1000);
        tokio::pin!(pull);
        loop {
            tokio::select! {
                pulled = &mut pull => return pulled,
                Some(done) = running.next(), if !running.is_empty() => self.done(done).await,
            }
        }
    }

    /// Counts what was not seen or not taken away, and gives back what stays.
    async fn finish(&mut self) {
        self.tally.unseen = self.unseen();
        self.tally
            .leave_many(Left::NotSettled, self.unconfirmed.len());
        self.renew(Deliveries::Few).await;
        self.held.release(self.queue, self.job.args.lease).await;
    }

    /// Messages that are there, but neither looked at nor replayed by this run.
    fn unseen(&self) -> u64 {
        let known = self.held.len().saturating_sub(self.aside) + self.unconfirmed.len();
        self.backlog
            .map_or(0, |backlog| backlog.saturating_sub(known))
            .max(self.aside)
    }

    /// Begins nothing new.
    fn fail(&mut self, error: Error) {
        self.stopped = true;
        // The first failure is the cause; what follows is mostly its echo.
        self.tally.failure.get_or_insert(error);
    }

    /// Keeps a message, whatever was to become of it.
    fn hold(&mut self, message: Message, alone: Option<Alone>) {
        self.states.insert(message.id.clone(), State::Held);
        self.held.hold(message, alone);
    }

    /// Keeps a message that was to be replayed.
    fn leave(&mut self, taken: Taken, why: Left) {
        self.taken -= 1;
        self.tally.leave(why);
        self.hold(taken.message, taken.alone);
    }

    /// Puts held messages with no more than so many deliveries to come at the end of the queue anew.
    async fn renew(&mut self, most: Deliveries) {
        let renewed = self.held.renew(self.queue, most).await;
        let count = renewed.ids.len() as u64;
        self.tally.renewed += count;
        self.backlog = self
            .backlog
            .map(|backlog| (backlog + count).saturating_sub(renewed.gone));
        for id in renewed.ids {
            self.states.insert(id, State::Renewed);
        }
        if let Some(error) = renewed.failure {
            self.fail(error);
        }
    }
}
