//! Where replayed records go: to the queue, or, where the local runtime has none to publish to, straight into its
//! database, with the statement that log-writer itself uses.

use log_record::{Envelope, RecordView};
use log_writer::statement;

use super::letter::Content;
use super::pack::{Outgoing, calls, pack};
use crate::Error;
use crate::client::d1::Database;
use crate::client::queues::Queue;
use crate::sql::Statement;

/// Where records go.
#[derive(Debug)]
pub enum Target<'a> {
    /// The queue that log-writer consumes.
    Queue(Queue<'a>),
    /// The local database.
    Database(Database<'a>),
}

/// What became of the letters of one batch.
#[derive(Debug, Default)]
pub struct Sent {
    /// By index: whether all of it is published.
    pub published: Vec<bool>,
    /// Letters that hold a record which fits no message.
    pub too_large: Vec<usize>,
    /// Why something is not published, if so.
    pub failure: Option<Error>,
    /// Whether the failure concerns only some letters, so that others may fare better.
    pub go_on: bool,
}

impl Target<'_> {
    /// For the summary.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Queue(queue) => queue.name.clone(),
            Self::Database(_) => "the local database".to_owned(),
        }
    }

    /// Publishes letters. The process may die at any await: what is published by then is published again by the next
    /// run, and stored once.
    pub async fn send(&self, contents: &[&Content]) -> Sent {
        let together = matches!(self, Self::Queue(_));
        let (outgoing, too_large) = pack(contents.iter().copied().enumerate(), together);
        let mut sent = Sent {
            published: contents
                .iter()
                .map(|content| !matches!(content, Content::BodyKey(_) | Content::Bytes(_)))
                .collect(),
            too_large,
            failure: None,
            go_on: true,
        };
        let too_large = sent.too_large.clone();
        sent.mark(&too_large);
        match self {
            Self::Queue(queue) => {
                for call in calls(&outgoing) {
                    let bodies: Vec<_> = call.iter().map(|one| one.body.as_str()).collect();
                    // After one call that failed for good, the next would too.
                    let result = if sent.go_on {
                        queue.publish(&bodies).await
                    } else {
                        Ok(())
                    };
                    if let Err(error) = result {
                        sent.failure = Some(error);
                        sent.go_on = false;
                    }
                    if !sent.go_on {
                        for one in call {
                            sent.mark(&one.letters);
                        }
                    }
                }
            }
            Self::Database(database) => {
                for one in &outgoing {
                    // Without a connection the next statement fails too.
                    let result = if sent.go_on {
                        insert(database, one).await.map_err(Some)
                    } else {
                        Err(None)
                    };
                    if let Err(error) = result {
                        sent.mark(&one.letters);
                        // A statement that the database refuses says nothing about the next one.
                        sent.go_on &= matches!(error, Some(Error::Api { .. } | Error::Usage(_)));
                        sent.failure = sent.failure.or(error);
                    }
                }
            }
        }
        sent
    }
}

impl Sent {
    fn mark(&mut self, letters: &[usize]) {
        for letter in letters {
            if let Some(published) = self.published.get_mut(*letter) {
                *published = false;
            }
        }
    }
}

async fn insert(database: &Database<'_>, one: &Outgoing) -> Result<(), Error> {
    let envelope = Envelope::decode(&one.body)
        .map_err(|error| Error::Usage(format!("a body cannot be stored: {error}")))?;
    let records: Vec<_> = envelope.records.iter().map(RecordView::raw).collect();
    for insert in statement::inserts(&records) {
        let statement = Statement {
            sql: insert.sql.to_owned(),
            params: insert.parameters,
        };
        database.query(&statement).await?;
    }
    Ok(())
}
