//! The fate of each letter: every reason to leave one, every state, and what a further delivery means, in one place.
//!
//! | state | the letter | delivered again |
//! | --- | --- | --- |
//! | `InFlight` | is being published | the newer lease is kept |
//! | `Published` | is published; nobody has confirmed that it is gone | it is taken away again |
//! | `Gone` | is published and was taken away | it is taken away again |
//! | `Stays` | stays; leased until the run ends, so that the run does not meet it again and again, unless it has few deliveries left: then it is given back at once | the same again |
//! | `Requeued` | stays as a new message (`PutBack` is its reason), as it had no delivery left | the old message is taken away again |
//!
//! Taking away is to acknowledge a message or to delete a key; either may be done twice. A process that dies leaves
//! leases that run out: what was not taken away comes back. Only a message on its last delivery does not, so that one is
//! put back or published before anything else.

use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{Reason, RecordView};
use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::publish::Target;
use crate::cli::Replay;
use crate::letter::{Content, Letter};

/// The reason why a letter stays, as the summary says it. From `BeyondLimit` on, nobody looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SkipReason {
    #[error("only counted")]
    OnlyCounted,
    #[error("put back by this run, and counted as the message that it was")]
    PutBack,
    #[error("not of a reason asked for")]
    NotAsked,
    #[error("not the dead letter that --message names")]
    NotNamed,
    #[error("a body that is not an envelope (name its reason with --reason to send it as it came)")]
    NoEnvelope,
    #[error("a body that is not an envelope; only a queue takes it as it came")]
    NoQueue,
    #[error("not text, and nothing else can be sent")]
    NotText,
    #[error("holds a record that cannot be read (see it with --export)")]
    NoRecord,
    #[error("too large for a message (see it with --export)")]
    TooLarge,
    #[error("its body was kept in KV and is gone from there: expired, or replayed with a copy")]
    BodyGone,
    #[error("its body was kept in KV and could not be read there")]
    BodyNotRead,
    #[error("came to the queue after the replay began: what rejected them has not been mended")]
    CameBack,
    #[error("could not be published or stored")]
    NotPublished,
    #[error("replayed, but not taken away yet: they come back, and nothing is stored twice")]
    NotRemoved,
    #[error("beyond --limit")]
    BeyondLimit,
    #[error("not reached")]
    NotReached,
    #[error(
        "not delivered to this run (leased elsewhere, or delayed); run it again in some minutes"
    )]
    NotDelivered,
}

impl SkipReason {
    /// Returns why a letter stays that is asked for, as far as its content tells. One whose body is in KV is judged
    /// again once that is fetched.
    pub(super) fn of(letter: &Letter, args: &Replay, target: Option<&Target<'_>>) -> Option<Self> {
        let is_named = args.message.is_some() || args.reason.contains(&letter.reason);
        match &letter.content {
            Content::Bytes(_) => Some(Self::NotText),
            Content::Body(_) if matches!(target, Some(Target::Database(_))) => Some(Self::NoQueue),
            Content::Body(_) if !is_named => Some(Self::NoEnvelope),
            Content::Body(body) | Content::Envelope(body) => {
                (body.len() > MESSAGE_BODY_BYTES).then_some(Self::TooLarge)
            }
            Content::Records(records) => {
                let is_large = |row: &RawValue| row.get().len() > RECORD_BYTES;
                let mut rows = records.iter().map(Box::as_ref);
                if rows
                    .clone()
                    .any(|row| !is_large(row) && RecordView::new(row).is_err())
                {
                    Some(Self::NoRecord)
                } else {
                    rows.any(is_large).then_some(Self::TooLarge)
                }
            }
            Content::BodyKey(_) => None,
        }
    }

    /// Returns whether the letter was not meant: it is neither counted nor exported.
    pub(super) fn is_unasked(self) -> bool {
        matches!(self, Self::NotNamed | Self::NotAsked | Self::BeyondLimit)
    }
}

/// The state of a letter: see the table above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub(super) enum State {
    #[default]
    InFlight,
    Published,
    Gone,
    Stays(SkipReason),
    Requeued(SkipReason),
}

/// One letter of the table.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    /// The reason for which it became one; of a copy that this run put back nothing.
    pub(super) reason: Option<Reason>,
    #[serde(flatten)]
    pub(super) state: State,
    pub(super) records: u64,
    /// The KV key of its body.
    #[serde(skip)]
    pub(super) body_key: Option<String>,
    /// The newest lease of its message, nothing once it is given back; of one that was peeked at the reference, of a key
    /// nothing.
    #[serde(skip)]
    pub(super) handle: String,
    /// Deliveries of its message that are to come, where they are few: see [`few_left`].
    #[serde(rename = "deliveries_left", skip_serializing_if = "Option::is_none")]
    pub(super) few_left: Option<u32>,
}

/// Returns how many deliveries are left after `attempts`, where they are few: ten, or, of a consumer with fewer than
/// twenty retries, half of them. 0 is the last delivery.
pub(super) fn few_left(attempts: u32, max_retries: u32) -> Option<u32> {
    let left = max_retries.saturating_sub(attempts);
    (left == 0 || left <= 10.min(max_retries / 2)).then_some(left)
}

impl Entry {
    /// Returns why it is left, if it is.
    pub(super) fn skip_reason(&self) -> Option<SkipReason> {
        match self.state {
            State::InFlight | State::Gone => None,
            State::Published => Some(SkipReason::NotRemoved),
            State::Stays(why) | State::Requeued(why) => Some(why),
        }
    }

    /// Returns whether it stays and this run has its lease.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.state, State::Stays(_)) && !self.handle.is_empty()
    }

    /// Returns whether a further delivery is to be taken away.
    pub(super) fn is_done(&self) -> bool {
        !matches!(self.state, State::InFlight | State::Stays(_))
    }

    /// Returns whether a message of the queue stands for it alone, as far as is known.
    pub(super) fn is_queued(&self) -> bool {
        self.state != State::Gone && self.skip_reason() != Some(SkipReason::PutBack)
    }
}
