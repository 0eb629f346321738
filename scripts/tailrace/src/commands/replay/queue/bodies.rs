//! Bodies that letters left in KV: fetched before they are exported and published, and deleted when their letters are
//! gone.

use super::batch::Taken;
use super::{Run, State};
use crate::commands::replay::fallback;
use crate::commands::replay::letter::{Content, Left, Letter};
use crate::{Error, output};

/// A letter that stays, by the id of its message, and is to be exported with its body.
pub(super) type Staying = (String, Letter);

/// A body in KV. A message that is given up twice leaves two letters that name the same one.
#[derive(Default)]
pub(super) struct Body {
    /// The messages that name it, as far as they were met. Empty once it is deleted.
    messages: Vec<String>,
    /// Whether this run has published it.
    pub(super) published: bool,
}

impl Run<'_, '_> {
    /// Notes which body a message names. Answers whether that was published with another message, which leaves nothing
    /// to publish of this one.
    pub(super) fn spare(&mut self, id: &str, letter: &mut Letter) -> bool {
        let Content::BodyKey(key) = &letter.content else {
            return false;
        };
        let body = self.bodies.entry(key.clone()).or_default();
        body.messages.push(id.to_owned());
        if body.published {
            letter.spare();
        }
        body.published
    }

    /// Fetches the bodies that letters left in KV, and exports these letters. Of a batch, one without its body stays.
    pub(super) async fn fetch(&mut self, batch: Vec<Taken>, staying: Vec<Staying>) -> Vec<Taken> {
        for (id, mut letter) in staying {
            // It stays whatever becomes of this, and what the export lacks is counted.
            let _ = self.complete(&id, &mut letter).await;
        }
        let mut fetched = Vec::new();
        for mut taken in batch {
            if !taken.letter.is_apart() {
                fetched.push(taken);
                continue;
            }
            let completed = self.complete(&taken.message.id, &mut taken.letter).await;
            let left = match completed {
                Ok(()) => taken.letter.left(&self.job.args.reason),
                Err(left) => Some(left),
            };
            match left {
                Some(left) => self.leave(taken, left),
                None => fetched.push(taken),
            }
        }
        if let Some(export) = &mut self.job.export
            && let Err(error) = export.flush()
        {
            self.fail(error);
            for taken in std::mem::take(&mut fetched) {
                self.leave(taken, Left::NotPublished);
            }
        }
        fetched
    }

    /// Gives a letter the body that it left in KV, and exports it. The error is why it stays.
    async fn complete(&mut self, id: &str, letter: &mut Letter) -> Result<(), Left> {
        let fetched = self.body(letter).await;
        if let Some(export) = &mut self.job.export {
            if let Err(why) = fetched {
                self.tally.lack(why);
            }
            // Also without its body: that there is such a letter, and by which key.
            if let Err(error) = export.write(id, letter) {
                self.fail(error);
                return Err(Left::NotPublished);
            }
        }
        fetched
    }

    /// Fetches the body that a letter left in KV. The error is why it has none.
    async fn body(&mut self, letter: &mut Letter) -> Result<(), Left> {
        let Content::BodyKey(key) = &letter.content else {
            return Ok(());
        };
        // After one call that failed for good, the next would too.
        if self.stopped {
            return Err(Left::BodyNotRead);
        }
        match self.value(key).await {
            Ok(Some(body)) => {
                letter.fetched(body);
                Ok(())
            }
            Ok(None) => Err(Left::BodyGone),
            Err(error) => {
                self.fail(error);
                Err(Left::BodyNotRead)
            }
        }
    }

    /// The value of a key in KV.
    async fn value(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if self.kv.is_none() {
            self.kv = Some(fallback(self.job.client, self.job.place).await?);
        }
        let Some(kv) = &self.kv else { return Ok(None) };
        kv.get(key).await
    }

    /// Deletes bodies in KV whose letters are known to be gone: one that is pulled again, maybe by the next run, needs its
    /// body.
    pub(super) async fn drop_bodies(&mut self) {
        let Some(kv) = &self.kv else { return };
        let gone = |id: &String| {
            self.states.get(id) == Some(&State::Published) && !self.unconfirmed.holds(id)
        };
        for (key, body) in &mut self.bodies {
            if body.messages.is_empty() || !body.messages.iter().all(gone) {
                continue;
            }
            body.messages.clear();
            if let Err(error) = kv.delete(key).await {
                // It expires by itself.
                output::note(&format!("a body that is replayed stays in KV: {error}"));
            }
        }
    }
}
