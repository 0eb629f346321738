//! Messages that stay: leased until the end of the run, so that it does not meet them again and again, and then given back.

use std::collections::HashMap;

use super::PULL_MESSAGES;
use crate::client::queues::{Message, Queue};
use crate::commands::replay::pack::{Outgoing, calls};
use crate::{Error, output};

/// The messages that stay.
#[derive(Default)]
pub(super) struct Held {
    /// By id, so that a second delivery takes the place of the first.
    messages: HashMap<String, Leased>,
    /// After how many retries the platform deletes a message.
    max_retries: u32,
}

/// One that is leased.
struct Leased {
    lease: String,
    again: Again,
}

/// Whether a message can be delivered again.
enum Again {
    /// It can.
    Yes,
    /// This was the last delivery of this body; `None` is no text.
    No(Option<String>),
}

/// What became of them at the end.
#[derive(Default)]
pub(super) struct Released {
    /// How many were put at the end of the queue anew.
    pub(super) renewed: u64,
    /// Why some were not.
    pub(super) failure: Option<Error>,
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(max_retries: u32) -> Self {
        Self {
            max_retries,
            ..Self::default()
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Keeps a message.
    pub(super) fn hold(&mut self, message: Message) {
        let again = if message.attempts >= self.max_retries {
            Again::No(message.body)
        } else {
            Again::Yes
        };
        let lease = message.lease_id;
        self.messages.insert(message.id, Leased { lease, again });
    }

    /// Gives back what stays. A message on its last delivery is put at the end of the queue anew and then acknowledged,
    /// in this order: given back, it would be deleted.
    pub(super) async fn release(&self, queue: &Queue<'_>, lease_seconds: u64) -> Released {
        let mut releases = Vec::new();
        let mut renewals = Vec::new();
        for held in self.messages.values() {
            match &held.again {
                Again::Yes => releases.push(held.lease.as_str()),
                Again::No(Some(body)) => renewals.push((held.lease.as_str(), body.as_str())),
                Again::No(None) => output::note(
                    "a message that is no text is on its last delivery; it cannot be kept over this API and will be \
                     deleted by the platform",
                ),
            }
        }
        for leases in releases.chunks(PULL_MESSAGES) {
            if let Err(error) = queue.settle(&[], leases).await {
                output::note(&format!(
                    "some messages stay leased for up to {lease_seconds} s, and come back then: {error}"
                ));
                break;
            }
        }
        let outgoing: Vec<_> = renewals
            .iter()
            .enumerate()
            .map(|(index, (_, body))| Outgoing {
                body: (*body).to_owned(),
                letters: vec![index],
            })
            .collect();
        let mut end = Released::default();
        for call in calls(&outgoing) {
            let bodies: Vec<_> = call.iter().map(|one| one.body.as_str()).collect();
            let leases: Vec<_> = call
                .iter()
                .flat_map(|one| &one.letters)
                .filter_map(|index| Some(renewals.get(*index)?.0))
                .collect();
            let renewed = async {
                queue.publish(&bodies).await?;
                queue.settle(&leases, &[]).await
            };
            match renewed.await {
                Ok(_) => end.renewed += leases.len() as u64,
                Err(error) => end.failure = Some(error),
            }
        }
        end
    }
}
