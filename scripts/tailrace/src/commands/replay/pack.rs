//! Letters into message bodies, and bodies into calls: which letters a body is made of is kept, so that a letter is
//! settled only when all of it is published.

use log_record::EnvelopeBuilder;
use log_record::envelope::Pushed;
use log_record::limits::{QUEUE_METADATA_BYTES, SEND_BATCH_BYTES, SEND_BATCH_MESSAGES};

use super::letter::Content;

/// A message body to publish.
#[derive(Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The text.
    pub body: String,
    /// The letters that have a part in it, by index.
    pub letters: Vec<usize>,
}

/// Packs `letters`. Where `together`, records of several letters share a body; else each letter has bodies of its own,
/// so that one the database rejects stands alone. The second list names the letters that hold a record which fits no
/// message; nothing of them is packed.
pub fn pack<'a>(
    letters: impl IntoIterator<Item = (usize, &'a Content)>,
    together: bool,
) -> (Vec<Outgoing>, Vec<usize>) {
    let mut packer = Packer::default();
    let mut too_large = Vec::new();
    for (index, content) in letters {
        match content {
            Content::Envelope(body) | Content::Body(body) => packer.outgoing.push(Outgoing {
                body: body.clone(),
                letters: vec![index],
            }),
            Content::Records(records) => {
                let large = |row: &str| row.len() > log_record::limits::RECORD_BYTES;
                if records.iter().any(|record| large(record.get())) {
                    too_large.push(index);
                    continue;
                }
                for record in records {
                    packer.push(index, record.get());
                }
                if !together {
                    packer.finish();
                }
            }
            Content::BodyKey(_) | Content::Bytes(_) => {}
        }
    }
    packer.finish();
    (packer.outgoing, too_large)
}

#[derive(Default)]
struct Packer {
    builder: EnvelopeBuilder,
    letters: Vec<usize>,
    outgoing: Vec<Outgoing>,
}

impl Packer {
    fn push(&mut self, letter: usize, row: &str) {
        if self.builder.push(row.as_bytes()) == Pushed::Full {
            self.finish();
            self.builder.push(row.as_bytes());
        }
        if self.letters.last() != Some(&letter) {
            self.letters.push(letter);
        }
    }

    fn finish(&mut self) {
        let letters = std::mem::take(&mut self.letters);
        // Every row is text, so every body is.
        if let Some(body) = self
            .builder
            .finish()
            .and_then(|body| String::from_utf8(body).ok())
        {
            self.outgoing.push(Outgoing { body, letters });
        }
    }
}

/// Divides bodies over calls of at most 100 messages and 256 KB, as the platform takes them.
#[must_use]
pub fn calls(outgoing: &[Outgoing]) -> Vec<&[Outgoing]> {
    let mut calls = Vec::new();
    let mut rest = outgoing;
    while !rest.is_empty() {
        let mut bytes = 0;
        let count = rest
            .iter()
            .take(SEND_BATCH_MESSAGES)
            .take_while(|one| {
                bytes += one.body.len() + QUEUE_METADATA_BYTES;
                bytes <= SEND_BATCH_BYTES
            })
            .count()
            .max(1);
        let (call, others) = rest.split_at(count.min(rest.len()));
        calls.push(call);
        rest = others;
    }
    calls
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outgoing(length: usize) -> Outgoing {
        Outgoing {
            body: "x".repeat(length),
            letters: vec![0],
        }
    }

    proptest! {
        #[test]
        fn calls_keep_order_lose_nothing_and_stay_within_the_limits(lengths in prop::collection::vec(0_usize..127_500, 0..250)) {
            let all: Vec<_> = lengths.iter().copied().map(outgoing).collect();
            let calls = calls(&all);
            let flat: Vec<_> = calls.iter().flat_map(|call| call.iter().map(|one| one.body.len())).collect();
            prop_assert_eq!(flat, lengths);
            for call in calls {
                prop_assert!(!call.is_empty() && call.len() <= SEND_BATCH_MESSAGES);
                let bytes: usize = call.iter().map(|one| one.body.len() + QUEUE_METADATA_BYTES).sum();
                prop_assert!(bytes <= SEND_BATCH_BYTES);
            }
        }

        #[test]
        fn every_record_of_every_letter_is_in_the_bodies_that_name_the_letter(sizes in prop::collection::vec(prop::collection::vec(1_usize..60_000, 1..6), 0..12), together: bool) {
            let letters: Vec<_> = sizes.iter().enumerate().map(|(letter, sizes)| {
                let records = sizes.iter().enumerate().map(|(index, size)| {
                    let row = format!("[\"{letter}.{index}\",\"{}\"]", "x".repeat(*size));
                    serde_json::value::RawValue::from_string(row).unwrap()
                }).collect();
                Content::Records(records)
            }).collect();
            let (bodies, too_large) = pack(letters.iter().enumerate(), together);
            prop_assert!(too_large.is_empty());
            for (letter, sizes) in sizes.iter().enumerate() {
                let own: Vec<_> = bodies.iter().filter(|body| body.letters.contains(&letter)).collect();
                for index in 0..sizes.len() {
                    let id = format!("[\"{letter}.{index}\",");
                    prop_assert_eq!(own.iter().filter(|body| body.body.contains(&id)).count(), 1);
                }
                if !together {
                    prop_assert!(own.iter().all(|body| body.letters == [letter]));
                }
            }
        }
    }
}
