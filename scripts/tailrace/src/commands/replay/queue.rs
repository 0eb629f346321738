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
use super::summary::Look;
use super::table::{Entry, SkipReason, State, few_left};
use crate::client::queues::{CALL_MESSAGES, Message, MessageBody, Queue};
use crate::letter::{Letter, Origin};
use crate::{Error, output};

/// Rounds without a letter that is older than the run and was not met before, until the run has seen everything. Pulling
/// is short polling, and the backlog is an estimate that lags behind.
const QUIET_ROUNDS: usize = 4;

/// The pause after a round that brought nothing at all.
const PAUSE: Duration = Duration::from_secs(1);

/// A pull consumer with fewer retries than this may lose messages by being looked at.
const FEW_RETRIES: u32 = 10;

/// A run on one queue.
struct Run<'r, 'j, 'a> {
    queue: &'r Queue<'a>,
    job: &'j Job<'a>,
    ledger: &'r mut Ledger<'j, 'a>,
    /// After how many retries the platform deletes a message.
    max_retries: u32,
    /// The begin of the run by Cloudflare's clock, which counts in whole seconds here.
    begun_ms: i64,
    /// True if messages were only looked at: such are purged, leased ones acknowledged.
    is_peeking: bool,
    /// The bodies that were put back: what comes with one of them later is not a letter of its own.
    requeued: HashSet<String>,
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
        max_retries,
        begun_ms: queue.found_at.as_millisecond(),
        is_peeking: !job.args.all,
        requeued: HashSet::new(),
    };
    if run.is_peeking && run.peek().await? {
        return Ok(());
    }
    run.is_peeking = false;
    let unseen = run.pull_all().await?;
    run.finish(unseen).await;
    Ok(())
}

impl Run<'_, '_, '_> {
    /// Looks at the head of the queue. Returns whether that was all there is to do.
    async fn peek(&mut self) -> Result<bool, Error> {
        let args = self.job.args;
        let messages = match self.queue.peek(CALL_MESSAGES).await {
            Ok(messages) => messages,
            // Where the API does not let one peek, pulling shows the same.
            Err(Error::Api { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let is_full = messages.len() >= CALL_MESSAGES;
        let stays = |message: &Message| {
            let letter = Letter::read(message.body.clone(), Origin::Platform);
            let came_back = self.came_back(message);
            self.ledger.judge(&message.id, &letter, came_back).is_some()
        };
        let is_enough = match &args.message {
            Some(named) => messages.iter().any(|message| message.id == *named),
            // Where nothing is shown, something may be leased elsewhere: a pull tells.
            None if messages.is_empty() => false,
            None => args.dry_run || !is_full && messages.iter().all(stays),
        };
        if is_enough {
            if is_full && args.dry_run {
                self.ledger.summary.look = Some(Look::FirstOnly);
            }
            self.meet(messages).await;
            self.replay().await;
        }
        Ok(is_enough)
    }

    /// Pulls until nothing comes that was not met before. Returns how many messages were not delivered, as far as the
    /// queue tells.
    async fn pull_all(&mut self) -> Result<Option<u64>, Error> {
        self.ledger.summary.look = self.job.args.dry_run.then_some(Look::Leased);
        let (mut quiet, mut pulls, mut unseen) = (0, 1, Some(0));
        while !self.ledger.is_over() && quiet < QUIET_ROUNDS {
            let (messages, backlog) = self.pull(pulls).await?;
            // A full round is followed by a larger one.
            let is_full = messages.len() >= pulls * CALL_MESSAGES;
            pulls = if is_full { self.job.at_once() } else { 1 };
            let is_empty = messages.is_empty();
            let has_new = messages.iter().any(|message| self.is_new(message));
            quiet = if has_new { 0 } else { quiet + 1 };
            let scarce = self.meet(messages).await;
            let known = self.ledger.select(Entry::is_queued).len() as u64;
            unseen = backlog.map(|backlog| backlog.saturating_sub(known));
            self.protect(&scarce).await;
            self.replay().await;
            self.protect(&scarce).await;
            self.job.stop.hold_last(false);
            if is_empty && unseen == Some(0) {
                // Where the queue holds no more than what stays, everything published is gone.
                let published = self.ledger.select(|entry| entry.state == State::Published);
                if backlog.is_some_and(|backlog| backlog + published.len() as u64 <= known) {
                    self.ledger.set_state(&published, |_| State::Gone);
                }
                break;
            }
            if is_empty {
                self.job.stop.sleep(PAUSE).await;
            }
        }
        Ok(unseen)
    }

    /// Makes `pulls` pulls, or fewer under a limit. Returns what they bring, and how many messages the queue counts.
    async fn pull(&mut self, pulls: usize) -> Result<(Vec<Message>, Option<u64>), Error> {
        let room = self.ledger.room();
        let pull = |n| {
            let count = room.saturating_sub(n * CALL_MESSAGES).min(CALL_MESSAGES);
            (count > 0).then(|| self.queue.pull(count, self.job.args.lease * 1000))
        };
        let (mut messages, mut backlog) = (Vec::new(), None);
        for answer in join_all((0..pulls).filter_map(pull)).await {
            match answer {
                Ok(pulled) => {
                    backlog = backlog.max(pulled.backlog);
                    messages.extend(pulled.messages);
                }
                Err(error) if self.ledger.entries.is_empty() => return Err(error),
                Err(error) => self.ledger.fail(error),
            }
        }
        Ok((messages, backlog))
    }

    fn came_back(&self, message: &Message) -> bool {
        let is_later = |ms| ms > self.begun_ms + 999;
        message.timestamp_ms.is_some_and(is_later)
    }

    fn is_copy(&self, message: &Message) -> bool {
        message.timestamp_ms.is_some_and(|ms| ms >= self.begun_ms)
            && matches!(&message.body, MessageBody::Text(text) if self.requeued.contains(text))
    }

    fn is_new(&self, message: &Message) -> bool {
        let is_known = self.ledger.entries.contains_key(&message.id);
        !(is_known || self.came_back(message) || self.is_copy(message))
    }

    /// Enters messages into the table, and takes away again what was published before. Returns those with few deliveries
    /// left, and those on their last one with their text.
    async fn meet(&mut self, messages: Vec<Message>) -> (Vec<String>, Vec<(String, String)>) {
        let (mut again, mut few, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            let (id, came_back) = (message.id.clone(), self.came_back(&message));
            let few_left = few_left(message.attempts, self.max_retries);
            match &message.body {
                MessageBody::Text(text) if few_left == Some(0) => {
                    self.job.stop.hold_last(!self.is_peeking);
                    last.push((id.clone(), text.clone()));
                }
                _ => few.extend(few_left.filter(|left| *left > 0).map(|_| id.clone())),
            }
            if let Some(entry) = self.ledger.entries.get(&id) {
                again.extend(entry.is_done().then(|| id.clone()));
            } else if self.is_copy(&message) {
                let entry = self.ledger.entries.entry(id.clone()).or_default();
                entry.state = State::Stays(SkipReason::PutBack);
            } else {
                let letter = Letter::read(message.body, Origin::Platform);
                let since_ms = message.timestamp_ms;
                self.ledger.enter(&id, letter, since_ms, came_back).await;
            }
            if let Some(entry) = self.ledger.entries.get_mut(&id) {
                entry.handle = message.handle;
                entry.few_left = few_left;
            }
        }
        self.take_away(&again).await;
        (few, last)
    }

    /// Publishes what was met and does not stay, and takes it away.
    async fn replay(&mut self) {
        // (1) If the process dies in here, the leases run out: all of it is published again, and stored once.
        let published = self.ledger.publish().await;
        // (2) If the process dies in here, the same.
        self.take_away(&published).await;
    }

    /// Takes messages away, for the first time or again.
    async fn take_away(&mut self, ids: &[String]) {
        let handles = self.handles(ids);
        let (gone, failure) = if self.is_peeking {
            self.queue.purge(&handles).await
        } else {
            self.queue.ack(&handles, self.job.at_once()).await
        };
        self.ledger.set_state(ids, |entry| match entry.state {
            State::Published if gone.contains(&entry.handle) => State::Gone,
            state => state,
        });
        if let Some(error) = failure {
            self.ledger.fail(error);
        }
    }

    fn handles(&self, ids: &[String]) -> Vec<&str> {
        let entries = ids.iter().filter_map(|id| self.ledger.entries.get(id));
        entries.map(|entry| entry.handle.as_str()).collect()
    }

    /// Puts back as new messages what stays and is on its last delivery, and gives back at once what has few left: out of
    /// sight for as long as a lease, so that this run does not use them up.
    async fn protect(&mut self, (few, last): &(Vec<String>, Vec<(String, String)>)) {
        let entries = &self.ledger.entries;
        let is_held = |id: &String| entries.get(id).is_some_and(Entry::is_held);
        let few: Vec<_> = few.iter().filter(|id| is_held(id)).cloned().collect();
        let last = last.iter().filter(|(id, _)| is_held(id)).cloned();
        let (ids, texts): (Vec<_>, Vec<_>) = last.unzip();
        let bodies: Vec<_> = texts.iter().map(String::as_str).collect();
        // (1) If the process dies in here, a message on its last delivery is lost, unless the call has arrived.
        let (count, failure) = self.queue.publish(&bodies, self.job.at_once()).await;
        let ids = ids.get(..count).unwrap_or_default();
        self.requeued.extend(texts.into_iter().take(count));
        // (2) If the process dies in here, it is there twice, and stored once.
        self.take_away(ids).await;
        self.ledger.set_state(ids, |entry| match entry.state {
            State::Stays(why) => State::Requeued(why),
            state => state,
        });
        if let Some(error) = failure {
            self.ledger.fail(error);
        }
        self.release(&few, self.job.args.lease).await;
    }

    /// Gives messages back.
    async fn release(&mut self, ids: &[String], delay_seconds: u64) {
        let handles = self.handles(ids);
        if let Err(error) = self.queue.release(&handles, delay_seconds).await {
            let lease = self.job.args.lease;
            return output::note(&format!(
                "some messages stay leased for up to {lease} s, and come back then: {error}"
            ));
        }
        for id in ids {
            if let Some(entry) = self.ledger.entries.get_mut(id) {
                entry.handle.clear();
            }
        }
    }

    /// Acknowledges again what nobody confirmed, counts what was not seen, and gives back what stays.
    async fn finish(&mut self, mut unseen: Option<u64>) {
        let unconfirmed = self.ledger.select(|entry| entry.state == State::Published);
        self.take_away(&unconfirmed).await;
        if unseen.is_none()
            && let Ok(messages) = self.queue.peek(CALL_MESSAGES).await
        {
            // The backlog is not promised either.
            let is_known = |one: &&Message| self.ledger.entries.contains_key(&one.id);
            unseen = Some(messages.iter().filter(|one| !is_known(one)).count() as u64);
        }
        self.ledger.leave_unseen(unseen.unwrap_or(0));
        let is_last = |entry: &Entry| entry.is_held() && entry.few_left == Some(0);
        let last = self.ledger.select(is_last);
        if !last.is_empty() {
            let lease = self.job.args.lease;
            let letters = output::counted(last.len() as u64, "dead letter is", "dead letters are");
            output::note(&format!(
                "{letters} on the last delivery and could not be put back (only text can): once the lease has run out, in \
                 up to {lease} s, the platform may delete what is in there (--export keeps a copy)"
            ));
        }
        let others = |entry: &Entry| entry.is_held() && entry.few_left.is_none();
        self.release(&self.ledger.select(others), 0).await;
    }
}
