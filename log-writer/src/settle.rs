//! What becomes of message bodies, wherever they came from: decode each alone, write all records together, bury what
//! cannot be written. `consume` (the queue) and `drain` (KV) turn the result into acks and deletes.

use log_record::{DecodeError, Envelope, Reason, RecordView};

use crate::budget::Budget;
use crate::bury::{Burial, Origin};
use crate::ports::{Clock, Ports, StoreError};
use crate::settings::Settings;
use crate::tally::Tally;
use crate::time;
use crate::write::{self, Fate, Written};

/// One message body and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its id, unique among all messages.
    pub id: String,
    /// When it was sent: ISO-8601, UTC, milliseconds.
    pub timestamp: String,
    /// How often it was delivered, from 1.
    pub attempts: u32,
    /// The body.
    pub body: Body,
}

/// A message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text, as envelopes are.
    Text(String),
    /// Anything else, rendered as JSON.
    Other(String),
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Each of its records is in D1, or buried: it may be forgotten.
    Done,
    /// It must come again. `pause`: not soon.
    Stay {
        /// Whether D1 asked for a pause.
        pause: bool,
    },
}

/// Settles `inbounds`, in their order; counts what it does in `tally`.
pub async fn settle(
    ports: &impl Ports,
    settings: &Settings,
    budget: &mut Budget,
    inbounds: &[Inbound],
    tally: &mut Tally,
) -> Vec<Settled> {
    let decoded: Vec<Result<Envelope<'_>, (Reason, String)>> = inbounds
        .iter()
        .map(|inbound| decode(&inbound.body))
        .collect();
    let envelopes = || decoded.iter().flatten();
    let records: Vec<&str> = envelopes()
        .flat_map(|envelope| envelope.records.iter().map(RecordView::raw))
        .collect();
    let now_ms = ports.clock().now_ms();
    let timestamps = envelopes()
        .flat_map(|envelope| &envelope.records)
        .map(RecordView::timestamp);
    let oldest = time::earliest_ms(timestamps);
    tally.messages += inbounds.len() as u64;
    tally.records += records.len() as u64;
    tally.lag_ms = tally
        .lag_ms
        .max(oldest.map_or(0, |oldest| now_ms.saturating_sub(oldest)));

    let suspicious = inbounds.iter().any(|inbound| inbound.attempts > 1);
    // (1) If the process dies in here, no message is acked: all come again, and D1 passes over what it has.
    let Written { fates, trouble } = write::write(ports, budget, &records, suspicious, tally).await;

    let failed_at = time::iso(now_ms);
    let pause = trouble
        .as_ref()
        .is_some_and(|error| error.class.asks_for_a_pause());
    let mut outcomes = records.into_iter().zip(fates);
    let mut settled = Vec::with_capacity(inbounds.len());
    for (inbound, decoded) in inbounds.iter().zip(&decoded) {
        let own = decoded
            .as_ref()
            .map_or(0, |envelope| envelope.records.len());
        let own: Vec<(&str, Fate)> = outcomes.by_ref().take(own).collect();
        let exhausted = inbound.attempts >= settings.max_attempts;
        if !exhausted && own.iter().any(|(_, fate)| *fate == Fate::Pending) {
            tally.redelivered += 1;
            settled.push(Settled::Stay { pause });
            continue;
        }
        let origin = Origin {
            id: &inbound.id,
            timestamp: &inbound.timestamp,
            attempts: inbound.attempts,
        };
        let mut burial = Burial::new(ports, settings, origin, &failed_at, tally);
        let buried = match decoded {
            Err((reason, detail)) => {
                let (Body::Text(body) | Body::Other(body)) = &inbound.body;
                // (2) If the process dies in here, the message is not acked: see `bury`.
                burial.body(*reason, detail, body).await
            }
            // (3) The same; the records that D1 has, it passes over when the message comes again.
            Ok(_) => bury_records(&mut burial, &own, trouble.as_ref()).await,
        };
        settled.push(if buried.is_ok() {
            Settled::Done
        } else {
            // Neither the queue nor KV takes dead letters (`bury` counted it): keep the message itself.
            tally.redelivered += 1;
            Settled::Stay { pause: true }
        });
    }
    settled
}

fn decode(body: &Body) -> Result<Envelope<'_>, (Reason, String)> {
    let text = match body {
        Body::Text(text) => text,
        Body::Other(_) => return Err((Reason::Undecodable, "the body is not text".to_owned())),
    };
    Envelope::decode(text).map_err(|error| {
        let reason = match error {
            DecodeError::UnsupportedVersion { .. } => Reason::UnsupportedVersion,
            DecodeError::NotAnEnvelope { .. } | DecodeError::Record { .. } => Reason::Undecodable,
        };
        (reason, error.to_string())
    })
}

/// Buries those of a message's records that are not in D1, by what D1 said of them.
async fn bury_records<P: Ports>(
    burial: &mut Burial<'_, P>,
    records: &[(&str, Fate)],
    trouble: Option<&StoreError>,
) -> Result<(), crate::ports::Refused> {
    let mut graves: Vec<((Reason, &str), Vec<&str>)> = Vec::new();
    for (record, fate) in records {
        let grave = match fate {
            Fate::Committed => continue,
            Fate::Rejected(detail) => (Reason::Rejected, detail.as_str()),
            Fate::Pending => (
                Reason::RetriesExhausted,
                trouble.map_or("D1 did not answer", |error| error.text.as_str()),
            ),
        };
        match graves.iter_mut().find(|(known, _)| *known == grave) {
            Some((_, records)) => records.push(record),
            None => graves.push((grave, vec![record])),
        }
    }
    for ((reason, detail), records) in graves {
        burial.records(reason, detail, &records).await?;
    }
    Ok(())
}
