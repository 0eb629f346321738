//! Messages that stay: leased until the end of the run, so that it does not meet them again and again, and then given back.
//!
//! Every delivery counts, and the platform deletes a message that was delivered too often. One that comes near to that is
//! put at the end of its queue anew, where all deliveries lie before it, and then acknowledged, in this order:
//!
//! - on its last delivery, at once: until then it is in this process alone;
//! - with few deliveries left, at the end of the run. A process that dies before that costs one more of them.
//!
//! What was put back is a message with another id, and the same run pulls it again: it is known by its body and by being
//! younger than the run, and stays. Older ones with that body are letters of their own.

use std::collections::HashMap;

use super::PULL_MESSAGES;
use super::unconfirmed::{Ack, Unconfirmed};
use crate::client::queues::{Message, Queue};
use crate::commands::replay::Alone;
use crate::commands::replay::pack::{Outgoing, calls};
use crate::{Error, output};

/// Deliveries that are few: as many runs may die in a row, one delivery each, before a message comes to its last. Of a
/// consumer that has not twice as many, half of what it has.
const FEW_DELIVERIES: u32 = 10;

/// The messages that stay.
#[derive(Default)]
pub(super) struct Held {
    /// By id, so that a second delivery takes the place of the first.
    messages: HashMap<String, Leased>,
    /// After how many retries the platform deletes a message.
    max_retries: u32,
    /// When the run began, by Cloudflare's clock, in milliseconds since 1970; rounded down, as that counts in whole seconds
    /// here.
    begun_ms: i64,
    /// The bodies that were put back anew, and how many of each have not been met since.
    copies: HashMap<String, u64>,
    /// Of the messages that were put back anew, those whose ack was not confirmed.
    pub(super) unconfirmed: Unconfirmed,
}

/// One that is leased.
struct Leased {
    lease: String,
    deliveries: Deliveries,
    /// `None` where it is no text, or is not needed.
    body: Option<String>,
    /// Until it is put back, or given up.
    _alone: Option<Alone>,
}

/// How many deliveries of a message there are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deliveries {
    /// None.
    Spent,
    /// Not many.
    Few,
    /// Enough for now.
    Enough,
}

/// What was put back anew.
#[derive(Default)]
pub(super) struct Renewed {
    /// The ids that it had before.
    pub(super) ids: Vec<String>,
    /// How many of these are gone.
    pub(super) gone: u64,
    /// Why it is not all that should be.
    pub(super) failure: Option<Error>,
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(max_retries: u32, begun_ms: i64) -> Self {
        Self {
            max_retries,
            begun_ms,
            ..Self::default()
        }
    }

    /// How many messages of the queue are held, or were put back by this run and not met since, or are there twice.
    pub(super) fn len(&self) -> u64 {
        self.messages.len() as u64 + self.copies.values().sum::<u64>() + self.unconfirmed.len()
    }

    /// How many deliveries are to come after `attempts`.
    pub(super) fn deliveries(&self, attempts: u32) -> Deliveries {
        match self.max_retries.saturating_sub(attempts) {
            0 => Deliveries::Spent,
            left if left <= FEW_DELIVERIES.min(self.max_retries / 2) => Deliveries::Few,
            _ => Deliveries::Enough,
        }
    }

    /// Keeps a message.
    pub(super) fn hold(&mut self, message: Message, alone: Option<Alone>) {
        let deliveries = self.deliveries(message.attempts);
        let leased = Leased {
            lease: message.lease_id,
            deliveries,
            body: message
                .body
                .ok()
                .filter(|_| deliveries < Deliveries::Enough),
            _alone: alone,
        };
        self.messages.insert(message.id, leased);
    }

    /// Whether this run has put this message here. Told once for each.
    pub(super) fn is_copy(&mut self, message: &Message) -> bool {
        if message.timestamp_ms < self.begun_ms {
            return false;
        }
        let known = message
            .body
            .as_ref()
            .ok()
            .and_then(|body| self.copies.get_mut(body));
        match known {
            Some(unmet) => {
                // Twice, where the answer to publishing it was lost.
                *unmet = unmet.saturating_sub(1);
                true
            }
            None => false,
        }
    }

    /// Puts the messages with no more than so many deliveries to come at the end of the queue anew.
    pub(super) async fn renew(&mut self, queue: &Queue<'_>, most: Deliveries) -> Renewed {
        let mut acks = Vec::new();
        let mut outgoing = Vec::new();
        for (id, held) in &self.messages {
            if let (true, Some(body)) = (held.deliveries <= most, &held.body) {
                outgoing.push(Outgoing {
                    body: body.clone(),
                    letters: vec![acks.len()],
                });
                acks.push(Ack {
                    id: id.clone(),
                    lease: held.lease.clone(),
                });
            }
        }
        let mut renewed = Renewed::default();
        let mut acks = acks.as_slice();
        for call in calls(&outgoing) {
            let bodies: Vec<_> = call.iter().map(|one| one.body.as_str()).collect();
            // (1) If the process dies in here, a message on its last delivery is lost, unless the call has arrived.
            if let Err(error) = queue.publish(&bodies).await {
                renewed.failure = Some(error);
                break;
            }
            let (published, others) = acks.split_at(call.len());
            acks = others;
            for (ack, body) in published.iter().zip(bodies) {
                self.messages.remove(&ack.id);
                *self.copies.entry(body.to_owned()).or_default() += 1;
                renewed.ids.push(ack.id.clone());
            }
            let leases: Vec<_> = published.iter().map(|ack| ack.lease.as_str()).collect();
            // (2) If the process dies in here, it is there twice, and stored once.
            let settled = queue.settle(&leases, &[]).await;
            renewed.gone += self.unconfirmed.settle(published, &settled);
            if let Err(error) = settled {
                renewed.failure = Some(error);
                break;
            }
        }
        renewed
    }

    /// Gives back what stays, and says what cannot be.
    pub(super) async fn release(&self, queue: &Queue<'_>, lease_seconds: u64) {
        let (spent, others): (Vec<_>, Vec<_>) = self
            .messages
            .values()
            .partition(|held| held.deliveries == Deliveries::Spent);
        let bytes = spent.iter().filter(|held| held.body.is_none()).count();
        let text = spent.len() - bytes;
        let letters =
            |count: usize| output::counted(count as u64, "dead letter is", "dead letters are");
        if bytes > 0 {
            output::note(&format!(
                "{} on the last delivery and no text, which is all that can be put back over this API: the platform will \
                 delete what is in there (--export keeps a copy)",
                letters(bytes)
            ));
        }
        if text > 0 {
            output::note(&format!(
                "{} on the last delivery and could not be put back: once the lease has run out, in up to {lease_seconds} s, \
                 the platform may delete what is in there (--export keeps a copy)",
                letters(text)
            ));
        }
        let leases: Vec<_> = others.iter().map(|held| held.lease.as_str()).collect();
        for leases in leases.chunks(PULL_MESSAGES) {
            if let Err(error) = queue.settle(&[], leases).await {
                output::note(&format!(
                    "some messages stay leased for up to {lease_seconds} s, and come back then: {error}"
                ));
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_deliveries_are_ten_or_half_of_what_there_are() {
        use Deliveries::{Enough, Few, Spent};
        for (max_retries, attempts, expected) in [
            (100, 1, Enough),
            (100, 89, Enough),
            (100, 90, Few),
            (100, 99, Few),
            (100, 100, Spent),
            (100, 101, Spent),
            (3, 1, Enough),
            (3, 2, Few),
            (3, 3, Spent),
            (1, 1, Spent),
            (0, 1, Spent),
        ] {
            let held = Held::new(max_retries, 0);
            assert_eq!(
                held.deliveries(attempts),
                expected,
                "{attempts} of {max_retries}"
            );
        }
    }
}
