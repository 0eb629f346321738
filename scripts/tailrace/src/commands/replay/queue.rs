//! Letters from the dead-letter queue: peek, pull, publish, acknowledge. [`super::table`] has the states.
//!
//! Peeking is not a delivery, and shows the head of the queue: enough for a dry run, for one letter by its id, and where
//! nothing would be replayed. Else rounds of pulls lease up to `--concurrency` times 100 messages, publish and acknowledge
//! them; between two rounds nothing is in flight, so that the queue's count of messages can be compared with the table.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::Job;
use super::ledger::Ledger;
use super::letter::{Letter, Origin};
use super::summary::Look;
use super::table::{Deliveries, Entry, State};
use crate::client::queues::{CALL_MESSAGES, Message, MessageBody, Queue};
use crate::{Error, output};

/// How often to look again when nothing is delivered although there should be something: pulling is short polling, and
/// the backlog is an estimate that lags behind.
const IDLE_LOOKS: usize = 3;
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Rounds without a letter that is older than the run and was not met before, until the run has seen everything.
const STALE_ROUNDS: usize = 3;

/// A pull consumer with fewer retries than this may lose messages by being looked at.
const FEW_RETRIES: u32 = 10;

/// A run on one queue.
struct Run<'r, 'j, 'a> {
    queue: &'r Queue<'a>,
    job: &'j Job<'a>,
    ledger: &'r mut Ledger<'j, 'a>,
    /// Calls made together.
    at_once: usize,
    /// After how many retries the platform deletes a message.
    max_retries: u32,
    /// When the run began, by Cloudflare's clock, which counts in whole seconds here.
    begun_ms: i64,
    /// The bodies that were put back: what comes with one of them later is not a letter of its own.
    requeued: HashSet<String>,
}

/// How messages are taken away: leased ones by an ack, peeked ones by a purge.
#[derive(Clone, Copy)]
enum Removal {
    Ack,
    Purge,
}

/// Replays, or counts, what the dead-letter queue holds.
pub(super) async fn run<'j, 'a>(
    job: &'j Job<'a>,
    ledger: &mut Ledger<'j, 'a>,
) -> Result<(), Error> {
    let name = job.place.dead_letter_queue();
    let queue = Queue::find(job.client, &name, "--dead-letter-queue").await?;
    let max_retries = queue.pull_consumer().await?.max_retries;
    if max_retries < FEW_RETRIES {
        output::note(&format!(
            "the HTTP pull consumer of {name} deletes a message after {max_retries} retries, and each delivery counts as \
             one; raise that: npx wrangler queues consumer http remove {name} && npx wrangler queues consumer http add \
             {name} --message-retries 100"
        ));
    }
    let mut run = Run {
        queue: &queue,
        job,
        ledger,
        at_once: usize::from(job.args.concurrency),
        max_retries,
        begun_ms: queue.found_at.as_millisecond(),
        requeued: HashSet::new(),
    };
    if run.peek().await? {
        return Ok(());
    }
    run.pull_all().await
}

impl Run<'_, '_, '_> {
    /// Looks at the head of the queue. Returns whether that was all there is to do.
    async fn peek(&mut self) -> Result<bool, Error> {
        let args = self.job.args;
        if args.all {
            return Ok(false);
        }
        let messages = match self.queue.peek(CALL_MESSAGES).await {
            Ok(messages) => messages,
            // Where the API does not let one peek, pulling shows the same.
            Err(Error::Api { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let is_full = messages.len() >= CALL_MESSAGES;
        let stays = |message: &Message| {
            let letter = Letter::read(message.body.clone(), Origin::Platform);
            let why = self
                .ledger
                .judge(&message.id, &letter, self.came_back(message));
            why.is_some()
        };
        let is_enough = match &args.message {
            Some(named) => messages.iter().any(|message| message.id == *named),
            // Where nothing is shown, something may be leased elsewhere: a pull tells.
            None if messages.is_empty() => false,
            None => args.dry_run || !is_full && messages.iter().all(stays),
        };
        if is_enough {
            if is_full && args.dry_run {
                self.ledger.summary.look = Look::FirstOnly;
            }
            let batch = self.meet(messages).await;
            self.replay(batch, Removal::Purge).await;
        }
        Ok(is_enough)
    }

    /// Pulls until nothing comes that was not met before.
    async fn pull_all(&mut self) -> Result<(), Error> {
        if self.job.args.dry_run {
            self.ledger.summary.look = Look::Leased;
        }
        let (mut idle, mut stale, mut pulls) = (0, 0, 1);
        let mut unseen = Some(0);
        let mut is_first = true;
        while !self.ledger.is_over() && stale < STALE_ROUNDS && idle <= IDLE_LOOKS {
            let room = self.ledger.room();
            let pull = |n| {
                let count = room.saturating_sub(n * CALL_MESSAGES).min(CALL_MESSAGES);
                (count > 0).then(|| self.queue.pull(count, self.job.args.lease * 1000))
            };
            let answers = join_all((0..pulls).filter_map(pull)).await;
            let (mut messages, mut backlog) = (Vec::new(), None);
            for answer in answers {
                match answer {
                    Ok(pulled) => {
                        backlog = backlog.max(pulled.backlog);
                        messages.extend(pulled.messages);
                    }
                    Err(error) if is_first => return Err(error),
                    Err(error) => self.ledger.fail(error),
                }
            }
            is_first = false;
            // A full round is followed by a larger one.
            let is_full = messages.len() >= pulls * CALL_MESSAGES;
            pulls = if is_full { self.at_once } else { 1 };
            let is_new = |one: &Message| {
                let is_known = self.ledger.entries.contains_key(&one.id);
                !(is_known || self.came_back(one) || self.is_copy(one))
            };
            let (is_empty, is_stale) = (messages.is_empty(), !messages.iter().any(is_new));
            let is_last = |one: &Message| self.deliveries(one) == Deliveries::Last;
            let _guard = if messages.iter().any(is_last) {
                Some(self.job.stop.guard_last_delivery().await)
            } else {
                None
            };
            let batch = self.meet(messages).await;
            let known = self.select(Entry::is_queued).len() as u64;
            unseen = backlog.map(|backlog: u64| backlog.saturating_sub(known));
            self.protect().await;
            self.replay(batch, Removal::Ack).await;
            if !is_empty {
                (idle, stale) = (0, if is_stale { stale + 1 } else { 0 });
            } else if unseen == Some(0) {
                self.confirm_by(backlog);
                break;
            } else {
                idle += 1;
                self.job.stop.sleep(IDLE_PAUSE).await;
            }
        }
        self.finish(unseen).await;
        Ok(())
    }

    fn deliveries(&self, message: &Message) -> Deliveries {
        Deliveries::after(message.attempts, self.max_retries)
    }

    fn came_back(&self, message: &Message) -> bool {
        message
            .timestamp_ms
            .is_some_and(|ms| ms > self.begun_ms + 999)
    }

    fn is_copy(&self, message: &Message) -> bool {
        message.timestamp_ms.is_some_and(|ms| ms >= self.begun_ms)
            && matches!(&message.body, MessageBody::Text(text) if self.requeued.contains(text))
    }

    /// Enters messages into the table. Returns those to publish; whatever fails, each of them is in the batch, or stays,
    /// or was published before.
    async fn meet(&mut self, messages: Vec<Message>) -> Vec<(String, Letter)> {
        let mut batch = Vec::new();
        let mut again = Vec::new();
        for message in messages {
            let (id, came_back) = (message.id.clone(), self.came_back(&message));
            let deliveries = self.deliveries(&message);
            let last_body = match &message.body {
                MessageBody::Text(text) if deliveries == Deliveries::Last => Some(text.clone()),
                _ => None,
            };
            if self.ledger.entries.contains_key(&id) {
                again.push(id.clone());
            } else if self.is_copy(&message) {
                let letter = Letter::read(message.body, Origin::Platform);
                let entry = Entry::new(State::Copy, &letter);
                self.ledger.entries.insert(id.clone(), entry);
            } else {
                let mut letter = Letter::read(message.body, Origin::Platform);
                let since_ms = message.timestamp_ms;
                if self
                    .ledger
                    .enter(&id, &mut letter, since_ms, came_back)
                    .await
                {
                    batch.push((id.clone(), letter));
                }
            }
            if let Some(entry) = self.ledger.entries.get_mut(&id) {
                entry.handle = message.handle;
                entry.deliveries = deliveries;
                entry.last_body = last_body;
                if let State::Returned(why) = entry.state {
                    entry.state = State::Held(why);
                }
            }
        }
        again.retain(|id| self.ledger.entries.get(id).is_some_and(Entry::is_done));
        self.take_away(&again, Removal::Ack).await;
        batch
    }

    /// Publishes a batch and takes it away.
    async fn replay(&mut self, batch: Vec<(String, Letter)>, by: Removal) {
        // (1) If the process dies in here, the leases run out: all of it is published again, and stored once.
        let published = self.ledger.publish(batch).await;
        // (2) If the process dies in here, the same.
        self.take_away(&published, by).await;
    }

    /// Takes messages away, for the first time or again.
    async fn take_away(&mut self, ids: &[String], by: Removal) {
        let handles = self.leases(ids);
        let (gone, failure) = match by {
            Removal::Ack => self.queue.ack(&handles, self.at_once).await,
            Removal::Purge => self.queue.purge(&handles).await,
        };
        for id in ids {
            let entry = self.ledger.entries.get(id);
            if entry.is_some_and(|entry| gone.contains(&entry.handle)) {
                self.ledger.confirm_gone(id);
            }
        }
        if let Some(error) = failure {
            self.ledger.fail(error);
        }
    }

    fn leases(&self, ids: &[String]) -> Vec<&str> {
        let entries = ids.iter().filter_map(|id| self.ledger.entries.get(id));
        entries.map(|entry| entry.handle.as_str()).collect()
    }

    fn select(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<String> {
        let entries = self.ledger.entries.iter();
        let wanted = entries.filter(|(_, entry)| is_wanted(entry));
        wanted.map(|(id, _)| id.clone()).collect()
    }

    /// Puts back as new messages what stays and is on its last delivery, and gives back at once what has few left: out of
    /// sight for as long as a lease, so that this run does not use them up.
    async fn protect(&mut self) {
        let last = self.select(|entry| entry.is_held() && entry.last_body.is_some());
        let entries = last.iter().filter_map(|id| self.ledger.entries.get(id));
        let bodies: Vec<_> = entries
            .filter_map(|entry| entry.last_body.clone())
            .collect();
        let texts: Vec<_> = bodies.iter().map(String::as_str).collect();
        // (1) If the process dies in here, a message on its last delivery is lost, unless the call has arrived.
        let (count, failure) = self.queue.publish(&texts, self.at_once).await;
        let ids = last.get(..count).unwrap_or_default();
        self.requeued.extend(bodies.into_iter().take(count));
        // (2) If the process dies in here, it is there twice, and stored once.
        self.take_away(ids, Removal::Ack).await;
        let entries = &mut self.ledger.entries;
        entries.retain(|id, entry| entry.state != State::Copy || !ids.contains(id));
        self.set_state(ids, |entry| {
            entry.skip_reason().map_or(entry.state, State::Requeued)
        });
        if let Some(error) = failure {
            return self.ledger.fail(error);
        }
        let few = self.select(|entry| entry.is_held() && entry.deliveries.is_few());
        if self.release(&few, self.job.args.lease).await {
            self.set_state(&few, |entry| {
                entry.skip_reason().map_or(entry.state, State::Returned)
            });
        }
    }

    fn set_state(&mut self, ids: &[String], next: impl Fn(&Entry) -> State) {
        for id in ids {
            if let Some(entry) = self.ledger.entries.get_mut(id) {
                entry.state = next(entry);
            }
        }
    }

    /// Gives messages back. Returns whether that worked; if not, they come back when their leases are over.
    async fn release(&self, ids: &[String], delay_seconds: u64) -> bool {
        let released = self.queue.release(&self.leases(ids), delay_seconds).await;
        if let Err(error) = &released {
            let lease = self.job.args.lease;
            output::note(&format!(
                "some messages stay leased for up to {lease} s, and come back then: {error}"
            ));
        }
        released.is_ok()
    }

    /// Takes the queue's own count for it: where it holds no more than what stays, everything published is gone.
    fn confirm_by(&mut self, backlog: Option<u64>) {
        let staying = self.select(|entry| entry.is_queued() && entry.state != State::Published);
        if backlog.is_some_and(|backlog| backlog <= staying.len() as u64) {
            let published = self.select(|entry| entry.state == State::Published);
            self.set_state(&published, |_| State::Gone);
        }
    }

    /// Acknowledges again what nobody confirmed, counts what was not seen, and gives back what stays.
    async fn finish(&mut self, mut unseen: Option<u64>) {
        self.protect().await;
        let unconfirmed = self.select(|entry| entry.state == State::Published);
        self.take_away(&unconfirmed, Removal::Ack).await;
        if unseen.is_none()
            && let Ok(messages) = self.queue.peek(CALL_MESSAGES).await
        {
            // The backlog is not promised either.
            let is_known = |one: &&Message| self.ledger.entries.contains_key(&one.id);
            unseen = Some(messages.iter().filter(|one| !is_known(one)).count() as u64);
        }
        self.ledger.leave_unseen(unseen.unwrap_or(0));
        let last = self.select(|entry| entry.is_held() && entry.deliveries == Deliveries::Last);
        if !last.is_empty() {
            let lease = self.job.args.lease;
            let letters = output::counted(last.len() as u64, "dead letter is", "dead letters are");
            output::note(&format!(
                "{letters} on the last delivery and could not be put back (only text can): once the lease has run out, in \
                 up to {lease} s, the platform may delete what is in there (--export keeps a copy)"
            ));
        }
        let others = self.select(|entry| entry.is_held() && entry.deliveries == Deliveries::Enough);
        self.release(&others, 0).await;
    }
}
