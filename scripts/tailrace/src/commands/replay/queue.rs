//! Letters from the dead-letter queue: pull, publish, acknowledge; `held` keeps what stays, and `unconfirmed` knows whose
//! ack was not taken.
//!
//! One loop pulls; batches of at most 100 messages are published and acknowledged beside it, `--concurrency` at once.
//! Every message is in one of three states, by its id, so that a second delivery of it (its lease ran out, or its ack
//! was lost) is known:
//!
//! - *in flight*: being published. A second delivery's lease is kept and used once that is settled.
//! - *published*: a second delivery is acknowledged, and not published again.
//! - *held*: it stays. It is kept leased, so that the run does not meet it again and again, and given back at the end.
//!
//! - *renewed*: it was put back as another message, since it had few deliveries left (see `held`). As *published*.
//!
//! A process that dies leaves leases that run out: what was not acknowledged comes back. Only what was on its last
//! delivery does not, so this is put back or published before anything else, and a second Ctrl-C waits for that.

mod held;
mod unconfirmed;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::letter::{Content, Left, Letter, Origin};
use super::tally::Tally;
use super::target::{Sent, Target};
use super::{Alone, Job, fallback};
use crate::client::kv::Namespace;
use crate::client::queues::{Message, Queue, Settled};
use crate::{Error, output};

use held::{Deliveries, Held};
use unconfirmed::{Ack, Unconfirmed};

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

impl Message {
    fn ack(&self) -> Ack {
        Ack {
            id: self.id.clone(),
            lease: self.lease_id.clone(),
        }
    }
}

/// A message being replayed.
struct Taken {
    message: Message,
    alone: Option<Alone>,
    letter: Letter,
    /// The key of its body in KV, if it was there.
    body_key: Option<String>,
}

/// A second delivery of a message in flight.
struct Again {
    lease: String,
    attempts: u32,
    alone: Option<Alone>,
}

/// What became of a batch.
struct Done {
    taken: Vec<Taken>,
    sent: Sent,
    /// Which acks were sent, and what was said to them.
    acks: Vec<Ack>,
    settled: Result<Settled, Error>,
}

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
    /// The bodies in KV of what is published, by message id: a letter that is pulled again, maybe by the next run, needs
    /// its body, so that goes when the letter is known to be gone.
    bodies: HashMap<String, String>,
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
        held: Held::new(consumer.max_retries),
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
        let lease_ms = self.job.args.lease * 1000;
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
            let pulled = {
                let pull = queue.pull(room.min(PULL_MESSAGES), lease_ms);
                tokio::pin!(pull);
                loop {
                    tokio::select! {
                        pulled = &mut pull => break pulled,
                        Some(done) = running.next(), if !running.is_empty() => self.done(done).await,
                    }
                }
            };
            let pulled = match pulled {
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
        let unseen = self.unseen();
        self.tally.unseen = unseen;
        self.tally
            .leave_many(Left::NotSettled, self.unconfirmed.len());
        self.renew(Deliveries::Few).await;
        self.held.release(queue, self.job.args.lease).await;
        Ok(())
    }

    /// Messages that are there, but neither looked at nor replayed by this run.
    fn unseen(&self) -> u64 {
        let known = self.held.len().saturating_sub(self.aside) + self.unconfirmed.len();
        self.backlog
            .map_or(0, |backlog| backlog.saturating_sub(known))
            .max(self.aside)
    }

    fn fail(&mut self, error: Error) {
        self.stopped = true;
        // The first failure is the cause; what follows is mostly its echo.
        self.tally.failure.get_or_insert(error);
    }

    fn hold(&mut self, message: Message, alone: Option<Alone>) {
        self.states.insert(message.id.clone(), State::Held);
        self.held.hold(message, alone);
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

    /// Sorts pulled messages into those to replay, which are returned, and those that are settled already or stay.
    /// Whatever fails, each of them is in the batch, or held, or was published before.
    async fn sort(&mut self, messages: Vec<Message>) -> Vec<Taken> {
        let mut batch = Vec::new();
        let mut acks = Vec::new();
        let mut exported = Ok(());
        // Cloudflare's clock, which counts in whole seconds here.
        let begun_ms = self.queue.found_at.timestamp_millis() + 999;
        // First of all, what a second Ctrl-C must spare.
        let messages: Vec<_> = messages
            .into_iter()
            .map(|message| {
                let spent = self.held.deliveries(message.attempts) == Deliveries::Spent;
                let alone = (spent && message.body.is_some()).then(|| self.job.stop.alone());
                (message, alone)
            })
            .collect();
        for (message, alone) in messages {
            match self.states.get(&message.id) {
                Some(State::InFlight) => {
                    let again = Again {
                        lease: message.lease_id,
                        attempts: message.attempts,
                        alone,
                    };
                    self.again.insert(message.id, again);
                    continue;
                }
                Some(State::Published | State::Renewed) => {
                    acks.push(message.ack());
                    continue;
                }
                Some(State::Held) => {
                    self.hold(message, alone);
                    continue;
                }
                None if self.held.is_copy(&message) => {
                    self.hold(message, alone);
                    continue;
                }
                None => self.met += 1,
            }
            // The API may give more than was asked for.
            let full = (self.job.args.limit).is_some_and(|limit| self.taken >= limit);
            if full || exported.is_err() {
                self.put_aside(message, alone);
                continue;
            }
            let letter = Letter::read(message.body.clone(), Origin::Platform);
            if !letter.is_asked_for(&self.job.args.reason) {
                self.tally.leave(Left::NotAsked);
                self.hold(message, alone);
                continue;
            }
            if let Some(export) = &mut self.job.export {
                exported = export.write(&message.id, &letter);
                if exported.is_err() {
                    self.put_aside(message, alone);
                    continue;
                }
            }
            let since_ms = letter.failed_ms.unwrap_or(message.timestamp_ms);
            self.tally
                .see(&letter, Some(self.job.now.timestamp_millis() - since_ms));
            if self.job.args.dry_run {
                self.taken += 1;
                self.hold(message, alone);
                continue;
            }
            let left = if message.timestamp_ms > begun_ms {
                Some(Left::CameBack)
            } else {
                letter.left(&self.job.args.reason)
            };
            if let Some(left) = left {
                self.tally.leave(left);
                self.hold(message, alone);
                continue;
            }
            self.taken += 1;
            self.states.insert(message.id.clone(), State::InFlight);
            batch.push(Taken {
                message,
                alone,
                letter,
                body_key: None,
            });
        }
        if let (Ok(()), Some(export)) = (&exported, &mut self.job.export) {
            // Before anything that is in it may be taken away.
            exported = export.flush();
        }
        if let Err(error) = exported {
            self.fail(error);
            for taken in std::mem::take(&mut batch) {
                self.leave(taken, Left::NotPublished);
            }
        }
        // What stays and is on its last delivery, before anything that may take time. After a failure the end sees to it.
        if !self.stopped {
            self.renew(Deliveries::Spent).await;
        }
        self.acknowledge(acks).await;
        self.fetch(batch).await
    }

    /// Keeps a message that nobody looks at.
    fn put_aside(&mut self, message: Message, alone: Option<Alone>) {
        self.aside += 1;
        self.hold(message, alone);
    }

    /// Keeps a message that was to be replayed.
    fn leave(&mut self, taken: Taken, why: Left) {
        self.taken -= 1;
        self.tally.leave(why);
        self.hold(taken.message, taken.alone);
    }

    /// Fetches the bodies that letters left in KV; a letter without one stays.
    async fn fetch(&mut self, batch: Vec<Taken>) -> Vec<Taken> {
        let mut fetched = Vec::new();
        for mut taken in batch {
            let Content::BodyKey(key) = &taken.letter.content else {
                fetched.push(taken);
                continue;
            };
            let key = key.clone();
            // After one call that failed for good, the next would too.
            let body = if self.stopped {
                Err(None)
            } else {
                self.body(&key).await.map_err(Some)
            };
            let left = match body {
                Ok(Some(body)) => {
                    taken.letter.content = Content::of(body);
                    taken.body_key = Some(key);
                    taken.letter.left(&self.job.args.reason)
                }
                Ok(None) => Some(Left::BodyGone),
                Err(error) => {
                    if let Some(error) = error {
                        self.fail(error);
                    }
                    Some(Left::NotPublished)
                }
            };
            match left {
                Some(left) => self.leave(taken, left),
                None => fetched.push(taken),
            }
        }
        fetched
    }

    /// The body that a letter left in KV.
    async fn body(&mut self, key: &str) -> Result<Option<String>, Error> {
        if self.kv.is_none() {
            self.kv = Some(fallback(self.job.client, self.job.place).await?);
        }
        let Some(kv) = &self.kv else { return Ok(None) };
        Ok(kv
            .get(key)
            .await?
            .and_then(|body| String::from_utf8(body).ok()))
    }

    /// Acknowledges second deliveries of what was published. Those of messages that are known to be gone are acknowledged
    /// apart: whatever is said to these, it says nothing about the others.
    async fn acknowledge(&mut self, acks: Vec<Ack>) {
        let (published, others): (Vec<_>, Vec<_>) = acks
            .into_iter()
            .partition(|ack| self.unconfirmed.holds(&ack.id));
        let (renewed, gone): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|ack| self.held.unconfirmed.holds(&ack.id));
        'calls: for (acks, state) in [
            (published, Some(State::Published)),
            (renewed, Some(State::Renewed)),
            (gone, None),
        ] {
            for acks in acks.chunks(PULL_MESSAGES) {
                let leases: Vec<_> = acks.iter().map(|ack| ack.lease.as_str()).collect();
                let settled = self.queue.settle(&leases, &[]).await;
                if let Some(state) = state {
                    self.settled(acks, state, &settled);
                }
                if let Err(error) = settled {
                    self.fail(error);
                    break 'calls;
                }
            }
        }
        self.drop_bodies().await;
    }

    /// Takes the answer to acks of messages of a state.
    fn settled(&mut self, acks: &[Ack], state: State, settled: &Result<Settled, Error>) {
        let unconfirmed = match state {
            State::Renewed => &mut self.held.unconfirmed,
            _ => &mut self.unconfirmed,
        };
        let gone = unconfirmed.settle(acks, settled);
        self.backlog = self.backlog.map(|backlog| backlog.saturating_sub(gone));
    }

    /// Deletes bodies in KV whose letters are gone.
    async fn drop_bodies(&mut self) {
        let Some(kv) = &self.kv else { return };
        let unconfirmed = &self.unconfirmed;
        for (_, key) in self.bodies.extract_if(|id, _| !unconfirmed.holds(id)) {
            if let Err(error) = kv.delete(&key).await {
                // It expires by itself.
                output::note(&format!("a body that is replayed stays in KV: {error}"));
            }
        }
    }

    /// Settles a batch.
    async fn done(&mut self, done: Done) {
        let mut late = Vec::new();
        self.settled(&done.acks, State::Published, &done.settled);
        if let Err(error) = done.settled {
            self.fail(error);
        }
        for (index, taken) in done.taken.into_iter().enumerate() {
            let second = self.again.remove(&taken.message.id);
            if done.sent.published.get(index) == Some(&true) {
                self.tally.replay(taken.letter.records().len() as u64);
                let id = taken.message.id;
                late.extend(second.map(|again| Ack {
                    id: id.clone(),
                    lease: again.lease,
                }));
                if let Some(key) = taken.body_key {
                    self.bodies.insert(id.clone(), key);
                }
                self.states.insert(id, State::Published);
            } else {
                let large = done.sent.too_large.contains(&index);
                self.tally.leave(if large {
                    Left::TooLarge
                } else {
                    Left::NotPublished
                });
                let (mut message, mut alone) = (taken.message, taken.alone);
                if let Some(again) = second {
                    message.lease_id = again.lease;
                    message.attempts = again.attempts;
                    alone = again.alone.or(alone);
                }
                self.hold(message, alone);
            }
        }
        if let Some(error) = done.sent.failure {
            let go_on = done.sent.go_on;
            self.fail(error);
            self.stopped = !go_on;
        }
        if !self.stopped {
            self.renew(Deliveries::Spent).await;
        }
        self.acknowledge(late).await;
    }
}

/// Publishes a batch, then acknowledges what was published.
async fn send(queue: &Queue<'_>, target: &Target<'_>, taken: Vec<Taken>) -> Done {
    let contents: Vec<_> = taken.iter().map(|taken| &taken.letter.content).collect();
    // (1) If the process dies in here, the leases run out: all of it is published again, and stored once.
    let sent = target.send(&contents).await;
    let acks: Vec<_> = taken
        .iter()
        .zip(&sent.published)
        .filter(|(_, published)| **published)
        .map(|(taken, _)| taken.message.ack())
        .collect();
    let leases: Vec<_> = acks.iter().map(|ack| ack.lease.as_str()).collect();
    // (2) If the process dies in here, the same.
    let settled = if leases.is_empty() {
        Ok(Settled::default())
    } else {
        queue.settle(&leases, &[]).await
    };
    Done {
        taken,
        sent,
        acks,
        settled,
    }
}
