//! A batch on its way: published, then acknowledged, and what was said to either.

use super::held::Deliveries;
use super::unconfirmed::Ack;
use super::{PULL_MESSAGES, Run, State};
use crate::Error;
use crate::client::queues::{Message, Queue, Settled};
use crate::commands::replay::Alone;
use crate::commands::replay::letter::{Left, Letter};
use crate::commands::replay::target::{Sent, Target};

/// A message being replayed.
pub(super) struct Taken {
    pub(super) message: Message,
    pub(super) alone: Option<Alone>,
    pub(super) letter: Letter,
}

/// A second delivery of a message in flight.
pub(super) struct Again {
    pub(super) lease: String,
    pub(super) attempts: u32,
    pub(super) alone: Option<Alone>,
}

/// What became of a batch.
pub(super) struct Done {
    taken: Vec<Taken>,
    sent: Sent,
    /// Which acks were sent, and what was said to them.
    acks: Vec<Ack>,
    settled: Result<Settled, Error>,
}

/// Publishes a batch, then acknowledges what was published.
pub(super) async fn send(queue: &Queue<'_>, target: &Target<'_>, taken: Vec<Taken>) -> Done {
    let contents: Vec<_> = taken.iter().map(|taken| &taken.letter.content).collect();
    // (1) If the process dies in here, the leases run out: all of it is published again, and stored once.
    let sent = target.send(&contents).await;
    let acks: Vec<_> = taken
        .iter()
        .zip(&sent.published)
        .filter(|(_, published)| **published)
        .map(|(taken, _)| Ack::of(&taken.message))
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

impl Run<'_, '_> {
    /// Settles a batch.
    pub(super) async fn done(&mut self, done: Done) {
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
                let key = taken.letter.body_key;
                if let Some(body) = key.and_then(|key| self.bodies.get_mut(&key)) {
                    body.published = true;
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
            // Letters of this queue go to a queue, where what fails for one fails for all.
            self.fail(error);
        }
        if !self.stopped {
            self.renew(Deliveries::Spent).await;
        }
        self.acknowledge(late).await;
    }

    /// Acknowledges second deliveries of what was published. Those of messages that are known to be gone are acknowledged
    /// apart: whatever is said to these, it says nothing about the others.
    pub(super) async fn acknowledge(&mut self, acks: Vec<Ack>) {
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
}
