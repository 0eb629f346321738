//! Which acknowledged messages may still be there. By message, not by number: a later ack of one that is gone already
//! must not be taken for the missing ack of another.

use std::collections::HashMap;

use crate::Error;
use crate::client::queues::{Message, Settled};

/// A message to acknowledge.
#[derive(Clone, Debug)]
pub(super) struct Ack {
    pub(super) id: String,
    pub(super) lease: String,
}

impl Ack {
    /// Of this delivery.
    pub(super) fn of(message: &Message) -> Self {
        Self {
            id: message.id.clone(),
            lease: message.lease_id.clone(),
        }
    }
}

/// The messages whose ack nobody confirmed.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// By id; the number is the [`Call`] that a message shares its doubt with, if it may as well be gone.
    messages: HashMap<String, Option<usize>>,
    calls: Vec<Call>,
}

/// A call that took fewer acks than it was sent, and did not say of which messages.
#[derive(Debug)]
struct Call {
    /// Messages of it that are still in doubt.
    ids: usize,
    /// How many of them are there.
    missing: usize,
}

impl Unconfirmed {
    /// How many messages are still there. Where a call did not say which, and some of them were acknowledged again since,
    /// the most that it can be.
    pub(super) fn len(&self) -> u64 {
        let named = self.messages.values().filter(|call| call.is_none()).count();
        let unnamed: usize = self.calls.iter().map(|call| call.missing).sum();
        (named + unnamed) as u64
    }

    /// Whether this message may still be there.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.messages.contains_key(id)
    }

    /// Takes the answer to a call that acknowledged `acks`, for the first time or again. Answers how many of them are gone.
    pub(super) fn settle(&mut self, acks: &[Ack], settled: &Result<Settled, Error>) -> u64 {
        for ack in acks {
            self.forget(&ack.id);
        }
        let (refused, others): (Vec<_>, Vec<_>) = acks.iter().partition(|ack| match settled {
            Ok(settled) => settled.warnings.contains_key(&ack.lease),
            // Whatever was done of it.
            Err(_) => true,
        });
        for ack in refused {
            self.messages.insert(ack.id.clone(), None);
        }
        let acked = settled.as_ref().map_or(0, |settled| settled.acked);
        let missing = others.len().saturating_sub(acked);
        let gone = (others.len() - missing) as u64;
        if missing > 0 {
            let all = missing == others.len();
            let call = (!all).then_some(self.calls.len());
            if !all {
                self.calls.push(Call {
                    ids: others.len(),
                    missing,
                });
            }
            for ack in others {
                self.messages.insert(ack.id.clone(), call);
            }
        }
        gone
    }

    /// Nothing is in doubt any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, id: &str) {
        let call = self.messages.remove(id).flatten();
        if let Some(call) = call.and_then(|index| self.calls.get_mut(index)) {
            call.ids -= 1;
            call.missing = call.missing.min(call.ids);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acks(ids: &str) -> Vec<Ack> {
        ids.chars()
            .map(|id| Ack {
                id: id.to_string(),
                lease: format!("lease of {id}"),
            })
            .collect()
    }

    /// The answer to a call, by how many acks were taken and which were named as not.
    fn took(acked: usize, refused: &str) -> Settled {
        Settled {
            acked,
            warnings: acks(refused)
                .into_iter()
                .map(|ack| (ack.lease, "lease not found".to_owned()))
                .collect(),
        }
    }

    #[test]
    fn an_ack_of_another_message_makes_up_for_none() {
        let mut unconfirmed = Unconfirmed::default();
        assert_eq!(unconfirmed.settle(&acks("abc"), &Ok(took(2, "b"))), 2);
        assert_eq!(unconfirmed.settle(&acks("a"), &Ok(took(1, ""))), 1);
        assert_eq!(unconfirmed.len(), 1);
        assert!(unconfirmed.holds("b") && !unconfirmed.holds("a"));
        assert_eq!(unconfirmed.settle(&acks("b"), &Ok(took(1, ""))), 1);
        assert_eq!(unconfirmed.len(), 0);
    }

    #[test]
    fn a_call_that_failed_leaves_all_of_it_until_each_is_acknowledged() {
        let mut unconfirmed = Unconfirmed::default();
        assert_eq!(unconfirmed.settle(&acks("abc"), &Err(Error::NoToken)), 0);
        assert_eq!(unconfirmed.len(), 3);
        unconfirmed.settle(&acks("ac"), &Ok(took(1, "c")));
        assert_eq!(unconfirmed.len(), 2);
        unconfirmed.settle(&acks("bc"), &Ok(took(2, "")));
        assert_eq!(unconfirmed.len(), 0);
    }

    #[test]
    fn a_number_without_names_is_never_told_too_low() {
        let mut unconfirmed = Unconfirmed::default();
        assert_eq!(unconfirmed.settle(&acks("abcd"), &Ok(took(2, ""))), 2);
        assert_eq!(unconfirmed.len(), 2);
        assert!("abcd".chars().all(|id| unconfirmed.holds(&id.to_string())));
        // Whether this one was missing is not known.
        unconfirmed.settle(&acks("a"), &Ok(took(1, "")));
        assert_eq!(unconfirmed.len(), 2);
        unconfirmed.settle(&acks("bc"), &Ok(took(2, "")));
        assert_eq!(unconfirmed.len(), 1);
        unconfirmed.settle(&acks("d"), &Ok(took(1, "")));
        assert_eq!(unconfirmed.len(), 0);
        // None of them taken, and none named: all of them are there.
        unconfirmed.settle(&acks("ef"), &Ok(took(0, "")));
        assert_eq!(unconfirmed.len(), 2);
    }
}
