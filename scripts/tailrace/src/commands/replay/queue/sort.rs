//! What was pulled: which messages to replay, which are settled already, and which stay.

use super::batch::{Again, Taken};
use super::bodies::Staying;
use super::held::Deliveries;
use super::unconfirmed::Ack;
use super::{Run, State};
use crate::Error;
use crate::client::queues::Message;
use crate::commands::replay::Alone;
use crate::commands::replay::letter::{Left, Letter, Origin};

impl Run<'_, '_> {
    /// Sorts pulled messages into those to replay, which are returned, and those that are settled already or stay.
    /// Whatever fails, each of them is in the batch, or held, or was published before.
    pub(super) async fn sort(&mut self, messages: Vec<Message>) -> Vec<Taken> {
        let mut batch = Vec::new();
        let mut acks = Vec::new();
        let mut staying = Vec::new();
        let mut exported = Ok(());
        // First of all, what a second Ctrl-C must spare.
        let messages: Vec<_> = messages
            .into_iter()
            .map(|message| {
                let spent = self.held.deliveries(message.attempts) == Deliveries::Spent;
                let alone = (spent && message.body.is_ok()).then(|| self.job.stop.alone());
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
                    acks.push(Ack::of(&message));
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
            match self.take(message, alone, &mut staying) {
                Ok(taken) => batch.extend(taken),
                Err(error) => exported = Err(error),
            }
        }
        if let (Ok(()), Some(export)) = (&exported, &mut self.job.export) {
            // Before anything that is in it may be taken away.
            exported = export.flush();
        }
        if let Err(error) = exported {
            self.fail(error);
            staying.clear();
            for taken in std::mem::take(&mut batch) {
                self.leave(taken, Left::NotPublished);
            }
        }
        // What stays and is on its last delivery, before anything that may take time. After a failure the end sees to it.
        if !self.stopped {
            self.renew(Deliveries::Spent).await;
        }
        self.acknowledge(acks).await;
        self.fetch(batch, staying).await
    }

    /// Looks at a message that is met for the first time: exports and counts it, and takes it to be replayed unless it
    /// stays. What left its body in KV is exported later, with that. The error is that of the export.
    fn take(
        &mut self,
        message: Message,
        alone: Option<Alone>,
        staying: &mut Vec<Staying>,
    ) -> Result<Option<Taken>, Error> {
        let asked = &self.job.args.reason;
        let mut letter = Letter::read(message.body.clone(), Origin::Platform);
        if !letter.is_asked_for(asked) {
            self.tally.leave(Left::NotAsked);
            self.hold(message, alone);
            return Ok(None);
        }
        let dry_run = self.job.args.dry_run;
        // What is exported and published already.
        let spared = !dry_run && self.spare(&message.id, &mut letter);
        if let Some(export) = &mut self.job.export
            && !spared
            && !letter.is_apart()
            && let Err(error) = export.write(&message.id, &letter)
        {
            self.put_aside(message, alone);
            return Err(error);
        }
        let since_ms = letter.failed_ms.unwrap_or(message.timestamp_ms);
        self.tally
            .see(&letter, Some(self.job.now.timestamp_millis() - since_ms));
        // Cloudflare's clock, which counts in whole seconds here.
        let begun_ms = self.queue.found_at.timestamp_millis() + 999;
        let left = if dry_run || spared {
            None
        } else if message.timestamp_ms > begun_ms {
            Some(Left::CameBack)
        } else {
            letter.left(asked)
        };
        if let Some(left) = left {
            self.tally.leave(left);
        } else {
            self.taken += 1;
        }
        if dry_run || left.is_some() {
            if letter.is_apart() && self.job.export.is_some() {
                staying.push((message.id.clone(), letter));
            }
            self.hold(message, alone);
            return Ok(None);
        }
        self.states.insert(message.id.clone(), State::InFlight);
        Ok(Some(Taken {
            message,
            alone,
            letter,
        }))
    }

    /// Keeps a message that nobody looks at.
    fn put_aside(&mut self, message: Message, alone: Option<Alone>) {
        self.aside += 1;
        self.hold(message, alone);
    }
}
