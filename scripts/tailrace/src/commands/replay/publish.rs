//! Publishing letters: packed into messages for the queue that log-writer consumes; or, where the local runtime has none
//! to publish to, straight into its database, with the statement that log-writer itself uses.

use std::collections::HashSet;

use log_record::EnvelopeBuilder;
use log_record::envelope::Pushed;
use log_writer::statement;

use crate::Error;
use crate::client::d1::Database;
use crate::client::queues::Queue;
use crate::letter::{Content, Letter};
use crate::sql::Statement;

/// The place that records go to.
pub(super) enum Target<'a> {
    Queue(Queue<'a>),
    Database(Database<'a>),
}

/// Of each letter whether all of it is published, and the first failure.
type Sent = (Vec<bool>, Option<Error>);

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
    pub(super) async fn publish(&self, letters: &[Letter], at_once: usize) -> Sent {
        match self {
            Self::Queue(queue) => publish_letters(queue, letters, at_once).await,
            Self::Database(database) => insert_letters(database, letters).await,
        }
    }
}

async fn publish_letters(queue: &Queue<'_>, letters: &[Letter], at_once: usize) -> Sent {
    let (outgoing, unfit) = pack_letters(letters.iter().map(|letter| &letter.content));
    let bodies: Vec<_> = outgoing.iter().map(|(body, _)| body.as_str()).collect();
    let (count, failure) = queue.publish(&bodies, at_once).await;
    let unsent = outgoing.iter().skip(count).flat_map(|(_, letters)| letters);
    let unpublished: HashSet<_> = unfit.iter().chain(unsent).collect();
    let is_published = |index| !unpublished.contains(&index);
    ((0..letters.len()).map(is_published).collect(), failure)
}

/// Inserts letter by letter, so that one which the database rejects stands alone.
async fn insert_letters(database: &Database<'_>, letters: &[Letter]) -> Sent {
    let (mut published, mut failure) = Sent::default();
    for letter in letters {
        let records = letter.records();
        let records: Vec<_> = records.iter().map(|record| record.get()).collect();
        let mut inserted = Ok(());
        for insert in statement::inserts(&records) {
            let (sql, params) = (insert.sql.to_owned(), insert.parameters);
            inserted = database.query(&Statement { sql, params }).await.map(drop);
            if inserted.is_err() {
                break;
            }
        }
        published.push(inserted.is_ok());
        if let Err(error) = inserted {
            failure.get_or_insert(error);
        }
    }
    (published, failure)
}

/// A message body, and the letters with a part in it, by index: one is taken away only when all of it is published.
type Outgoing = (String, Vec<usize>);

/// Packs letters into as few bodies as hold them. The second list names those that fit no message.
fn pack_letters<'a>(letters: impl Iterator<Item = &'a Content>) -> (Vec<Outgoing>, Vec<usize>) {
    let mut builder = EnvelopeBuilder::new();
    let mut open = Vec::new();
    let (mut outgoing, mut unfit) = (Vec::new(), Vec::new());
    let mut finish = |builder: &mut EnvelopeBuilder, letters: &mut Vec<usize>| {
        let body = builder.finish();
        outgoing.extend(body.map(|body| (body, std::mem::take(letters))));
    };
    let mut whole = Vec::new();
    for (index, content) in letters.enumerate() {
        match content {
            Content::Envelope(body) | Content::Body(body) => {
                whole.push((body.clone(), vec![index]));
            }
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

#[cfg(test)]
mod tests;
