//! The ladder: message bodies to the queue, else to KV, else counted as lost. `retry` says when to try again, `edge`
//! brings the runtime's queue, KV and timer; the tests bring ones that fail.

use std::time::Duration;

use log_record::limits::{QUEUE_METADATA_BYTES, SEND_BATCH_BYTES, SEND_BATCH_MESSAGES};
use thiserror::Error;

use crate::pack::Body;
use crate::retry::Delays;

/// Why a body was not taken. Carries the platform's message, never the body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It may be taken later.
    #[error("{0}")]
    Transient(String),
    /// It never will be: there is no such binding.
    #[error("{0}")]
    Permanent(String),
}

/// Where bodies can go, and time.
#[allow(async_fn_in_trait)] // one thread; nothing here needs `Send`
pub trait Outlets {
    /// Sends one group of bodies to the queue: all of it, or an error.
    async fn queue(&self, bodies: &[Body]) -> Result<(), Refused>;
    /// Keeps one body in KV under a key of its own.
    async fn keep(&self, body: &Body) -> Result<(), Refused>;
    /// Waits.
    async fn sleep(&self, delay: Duration);
}

/// Where the records of one call ended, each in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Records that the queue took.
    pub queued: usize,
    /// Records that KV took.
    pub kept: usize,
    /// Records that nothing took.
    pub lost: usize,
    /// There is no queue to send to: an operator has to act, even where KV took everything.
    pub misconfigured: bool,
    /// What the queue said last, if it ever refused.
    pub queue_error: Option<String>,
    /// What KV said last, if it ever refused.
    pub kv_error: Option<String>,
}

/// Sends every body down the ladder. `refused` is what the queue said to a first try that the caller made with all of
/// them at once, if it made one.
///
/// If the isolate dies at an `.await` here, the bodies not yet taken are gone: the runtime delivers a trace event once.
/// What a refusing queue or KV has taken all the same comes twice, with the same `log_id`s, of which D1 keeps one.
pub async fn deliver(
    outlets: &impl Outlets,
    bodies: &[Body],
    mut refused: Option<Refused>,
) -> Delivery {
    let mut delivery = Delivery::default();
    for group in groups(bodies) {
        let Err(error) = offer(outlets, group, refused.take()).await else {
            delivery.queued += records(group);
            continue;
        };
        delivery.misconfigured |= matches!(error, Refused::Permanent(_));
        delivery.queue_error = Some(error.to_string());
        for body in group {
            match outlets.keep(body).await {
                Ok(()) => delivery.kept += body.records,
                Err(error) => {
                    delivery.lost += body.records;
                    delivery.kv_error = Some(error.to_string());
                }
            }
        }
    }
    delivery
}

/// Offers a group to the queue until it is taken or the tries are used up.
async fn offer(
    outlets: &impl Outlets,
    group: &[Body],
    mut refused: Option<Refused>,
) -> Result<(), Refused> {
    let mut delays = Delays::default();
    loop {
        let refused = match refused.take() {
            Some(refused) => refused,
            None => match outlets.queue(group).await {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            },
        };
        match (&refused, delays.next()) {
            (Refused::Transient(_), Some(delay)) => outlets.sleep(delay).await,
            _ => return Err(refused),
        }
    }
}

fn records(bodies: &[Body]) -> usize {
    bodies.iter().map(|body| body.records).sum()
}

/// Divides bodies into groups that one `sendBatch` takes: at most [`SEND_BATCH_MESSAGES`] messages and
/// [`SEND_BATCH_BYTES`] with what the platform adds to each.
pub fn groups(bodies: &[Body]) -> impl Iterator<Item = &[Body]> {
    let mut rest = bodies;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(SEND_BATCH_MESSAGES)
            .take_while(|body| {
                bytes += body.bytes.len() + QUEUE_METADATA_BYTES;
                bytes <= SEND_BATCH_BYTES
            })
            .count();
        // A body over every limit (none is made) still gets its turn, and its refusal its place on the ladder.
        let (group, after) = rest.split_at_checked(fitting.max(1))?;
        rest = after;
        Some(group)
    })
}
