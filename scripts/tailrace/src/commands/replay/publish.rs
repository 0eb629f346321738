//! Publishing letters: packed into messages for the queue that log-writer consumes; or, where the local runtime has none
//! to publish to, straight into its database, with the statement that log-writer itself uses.

use log_record::EnvelopeBuilder;
use log_record::envelope::Pushed;
use log_record::limits::{QUEUE_METADATA_BYTES, SEND_BATCH_BYTES, SEND_BATCH_MESSAGES};
use log_writer::statement;

use super::letter::{Content, Letter};
use crate::Error;
use crate::client::d1::Database;
use crate::client::queues::Queue;
use crate::sql::Statement;

/// Where records go.
pub(super) enum Target<'a> {
    Queue(Queue<'a>),
    Database(Database<'a>),
}

/// What became of letters.
pub(super) struct Sent {
    /// By index: whether all of it is published.
    pub(super) published: Vec<bool>,
    /// The first failure, if there was one.
    pub(super) failure: Option<Error>,
    /// Whether whatever is tried next would fail as well.
    pub(super) is_broken: bool,
}

impl Target<'_> {
    /// Returns the name for the summary.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Queue(queue) => &queue.name,
            Self::Database(_) => "the local database",
        }
    }

    /// Publishes letters. The process may die at any await: what is published by then is published again by the next
    /// run, and stored once.
    pub(super) async fn publish(&self, letters: &[&Letter]) -> Sent {
        let mut sent = Sent {
            published: vec![true; letters.len()],
            failure: None,
            is_broken: false,
        };
        match self {
            Self::Queue(queue) => {
                let (outgoing, unfit) = pack_letters(letters.iter().map(|letter| &letter.content));
                sent.mark_unpublished(&unfit);
                for call in divide_calls(&outgoing) {
                    let bodies: Vec<_> = call.iter().map(|one| one.body.as_str()).collect();
                    // After one call that failed for good, the next would too.
                    if !sent.is_broken
                        && let Err(error) = queue.publish(&bodies).await
                    {
                        (sent.failure, sent.is_broken) = (Some(error), true);
                    }
                    if sent.is_broken {
                        for one in call {
                            sent.mark_unpublished(&one.letters);
                        }
                    }
                }
            }
            // Letter by letter, so that one which the database rejects stands alone.
            Self::Database(database) => {
                for (index, letter) in letters.iter().enumerate() {
                    if sent.is_broken {
                        sent.mark_unpublished(&[index]);
                    } else if let Err(error) = insert_records(database, letter).await {
                        sent.mark_unpublished(&[index]);
                        // A statement that the database refuses says nothing about the next one.
                        sent.is_broken = !matches!(error, Error::Api { .. });
                        sent.failure.get_or_insert(error);
                    }
                }
            }
        }
        sent
    }
}

impl Sent {
    fn mark_unpublished(&mut self, letters: &[usize]) {
        for letter in letters {
            if let Some(published) = self.published.get_mut(*letter) {
                *published = false;
            }
        }
    }
}

async fn insert_records(database: &Database<'_>, letter: &Letter) -> Result<(), Error> {
    let records = letter.records();
    let records: Vec<_> = records.iter().map(|record| record.get()).collect();
    for insert in statement::inserts(&records) {
        let statement = Statement {
            sql: insert.sql.to_owned(),
            params: insert.parameters,
        };
        database.query(&statement).await?;
    }
    Ok(())
}

/// A message body to publish.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) body: String,
    /// The letters that have a part in it, by index: one is taken away only when all of it is published.
    pub(super) letters: Vec<usize>,
}

/// Packs letters into as few bodies as hold them. The second list names those that fit no message.
fn pack_letters<'a>(letters: impl Iterator<Item = &'a Content>) -> (Vec<Outgoing>, Vec<usize>) {
    let mut builder = EnvelopeBuilder::new();
    let mut open = Vec::new();
    let (mut outgoing, mut unfit) = (Vec::new(), Vec::new());
    let mut finish = |builder: &mut EnvelopeBuilder, letters: &mut Vec<usize>| {
        outgoing.extend(builder.finish().map(|body| Outgoing {
            body,
            letters: std::mem::take(letters),
        }));
    };
    let mut whole = Vec::new();
    for (index, content) in letters.enumerate() {
        match content {
            Content::Envelope(body) | Content::Body(body) => whole.push(Outgoing {
                body: body.clone(),
                letters: vec![index],
            }),
            Content::Records(records) => {
                for row in records.iter().map(|record| record.get()) {
                    let mut pushed = builder.push(row);
                    if pushed == Pushed::Full {
                        finish(&mut builder, &mut open);
                        pushed = builder.push(row);
                    }
                    if pushed != Pushed::Added {
                        unfit.push(index);
                    } else if open.last() != Some(&index) {
                        open.push(index);
                    }
                }
            }
            Content::BodyKey(_) | Content::Bytes(_) => unfit.push(index),
        }
    }
    finish(&mut builder, &mut open);
    outgoing.append(&mut whole);
    (outgoing, unfit)
}

/// Divides bodies over calls of at most 100 messages and 256 KB, as the platform takes them.
pub(super) fn divide_calls(outgoing: &[Outgoing]) -> Vec<&[Outgoing]> {
    let mut calls = Vec::new();
    let mut rest = outgoing;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |one: &&Outgoing| {
            bytes += one.body.len() + QUEUE_METADATA_BYTES;
            bytes <= SEND_BATCH_BYTES
        };
        let count = rest
            .iter()
            .take(SEND_BATCH_MESSAGES)
            .take_while(fits)
            .count();
        let (call, others) = rest.split_at(count.clamp(1, rest.len()));
        calls.push(call);
        rest = others;
    }
    calls
}
