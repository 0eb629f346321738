//! Bodies that letters left in KV: fetched before they are published, and deleted when their letters are gone.

use super::Run;
use super::batch::Taken;
use crate::commands::replay::fallback;
use crate::commands::replay::letter::{Content, Left};
use crate::{Error, output};

impl Run<'_, '_> {
    /// Fetches the bodies that letters left in KV; a letter without one stays.
    pub(super) async fn fetch(&mut self, batch: Vec<Taken>) -> Vec<Taken> {
        let mut fetched = Vec::new();
        for mut taken in batch {
            let Content::BodyKey(key) = &taken.letter.content else {
                fetched.push(taken);
                continue;
            };
            let key = key.clone();
            // After one call that failed for good, the next would too.
            let body = if self.stopped {
                Err(None)
            } else {
                self.body(&key).await.map_err(Some)
            };
            let left = match body {
                Ok(Some(body)) => {
                    taken.letter.fetched(body);
                    taken.letter.left(&self.job.args.reason)
                }
                Ok(None) => Some(Left::BodyGone),
                Err(error) => {
                    if let Some(error) = error {
                        self.fail(error);
                    }
                    Some(Left::NotPublished)
                }
            };
            match left {
                Some(left) => self.leave(taken, left),
                None => fetched.push(taken),
            }
        }
        fetched
    }

    /// The body that a letter left in KV.
    async fn body(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if self.kv.is_none() {
            self.kv = Some(fallback(self.job.client, self.job.place).await?);
        }
        let Some(kv) = &self.kv else { return Ok(None) };
        kv.get(key).await
    }

    /// Deletes bodies in KV whose letters are gone.
    pub(super) async fn drop_bodies(&mut self) {
        let Some(kv) = &self.kv else { return };
        let unconfirmed = &self.unconfirmed;
        for (_, key) in self.bodies.extract_if(|id, _| !unconfirmed.holds(id)) {
            if let Err(error) = kv.delete(&key).await {
                // It expires by itself.
                output::note(&format!("a body that is replayed stays in KV: {error}"));
            }
        }
    }
}
