//! What a run knows: the table of letters, the counts, the export, and the bodies that letters left in KV.

use std::collections::{BTreeMap, HashMap};

use super::Job;
use super::export::Export;
use super::letter::{Content, Letter};
use super::summary::{Progress, ReplaySummary};
use super::table::{Entry, SkipReason, State};
use crate::client::queues::MessageBody;
use crate::{Error, output};

/// What a run knows.
pub(super) struct Ledger<'j, 'a> {
    job: &'j Job<'a>,
    /// The table: each letter by the id of its message, or by its key.
    pub(super) entries: HashMap<String, Entry>,
    /// The counts.
    pub(super) summary: ReplaySummary,
    /// The bar.
    pub(super) progress: Progress,
    /// What went wrong first.
    pub(super) failure: Option<Error>,
    export: Option<Export>,
    stopped: bool,
    export_broken: bool,
    /// Letters taken, against the limit.
    taken: usize,
}

impl<'j, 'a> Ledger<'j, 'a> {
    /// Returns one that knows nothing yet.
    pub(super) fn new(job: &'j Job<'a>, export: Option<Export>) -> Self {
        Self {
            job,
            entries: HashMap::new(),
            summary: ReplaySummary::default(),
            progress: Progress::start(),
            failure: None,
            export,
            stopped: false,
            export_broken: false,
            taken: 0,
        }
    }

    /// Returns how many letters may still be taken.
    pub(super) fn room(&self) -> usize {
        let limit = self.job.args.limit.unwrap_or(usize::MAX);
        limit.saturating_sub(self.taken)
    }

    /// Returns whether to begin nothing new.
    pub(super) fn is_over(&self) -> bool {
        let found = self.job.args.message.is_some() && self.taken > 0;
        self.stopped || found || self.room() == 0 || self.job.stop.is_asked()
    }

    /// Begins nothing new.
    pub(super) fn fail(&mut self, error: Error) {
        self.stopped = true;
        // The first failure is the cause; what follows is mostly its echo.
        self.failure.get_or_insert(error);
    }

    /// Returns why a letter stays, as far as can be told without its body in KV.
    pub(super) fn judge(&self, id: &str, letter: &Letter, came_back: bool) -> Option<SkipReason> {
        let args = self.job.args;
        if args.message.as_ref().is_some_and(|named| named != id) {
            Some(SkipReason::NotNamed)
        } else if !(args.reason.is_empty() || args.reason.contains(&letter.reason)) {
            Some(SkipReason::NotAsked)
        } else if self.room() == 0 {
            Some(SkipReason::BeyondLimit)
        } else if args.dry_run {
            Some(SkipReason::OnlyCounted)
        } else if came_back && args.message.is_none() {
            Some(SkipReason::CameBack)
        } else {
            SkipReason::of(letter, args, self.job.target.as_ref())
        }
    }

    /// Enters a letter that is met for the first time into the table: counts it, fetches its body from KV, exports it.
    /// Returns whether to publish it.
    pub(super) async fn enter(
        &mut self,
        id: &str,
        letter: &mut Letter,
        since_ms: Option<i64>,
        came_back: bool,
    ) -> bool {
        let mut why = self.judge(id, letter, came_back);
        let is_asked_for = !matches!(
            why,
            Some(SkipReason::NotNamed | SkipReason::NotAsked | SkipReason::BeyondLimit)
        );
        if is_asked_for {
            if why.is_none() || self.export.is_some() {
                let lacking = self.fetch_body(letter).await;
                if let (Some(lacking), true) = (lacking, self.export.is_some()) {
                    *self.summary.lacking.entry(lacking).or_default() += 1;
                }
                why = why
                    .or(lacking)
                    .or_else(|| self.judge(id, letter, came_back));
            }
            let since_ms = letter.failed_ms.or(since_ms);
            let age_ms = since_ms.map(|since| self.job.now.as_millisecond() - since);
            self.summary.count_letter(letter, age_ms);
            self.taken += usize::from(why.is_none() || why == Some(SkipReason::OnlyCounted));
            if let Some(export) = &mut self.export
                && let Err(error) = export.write(id, letter)
            {
                self.export_broken = true;
                self.fail(error);
            }
        }
        let state = why.map_or(State::InFlight, State::Held);
        let entry = Entry::new(state, letter);
        self.entries.insert(id.to_owned(), entry);
        self.progress.expect(self.entries.len() as u64);
        why.is_none()
    }

    /// Publishes letters that were entered, unless what is exported of them cannot be written first. Returns the ids of
    /// those that are published, to be taken away.
    pub(super) async fn publish(&mut self, batch: Vec<(String, Letter)>) -> Vec<String> {
        if let Some(export) = &mut self.export
            && let Err(error) = export.flush()
        {
            self.export_broken = true;
            self.fail(error);
        }
        let letters: Vec<_> = batch.iter().map(|(_, letter)| letter).collect();
        let mut published = vec![false; letters.len()];
        if let (Some(target), false) = (&self.job.target, self.export_broken) {
            let at_once = usize::from(self.job.args.concurrency);
            let sent = target.publish(&letters, at_once).await;
            published = sent.published;
            self.stopped |= sent.is_broken;
            self.failure = self.failure.take().or(sent.failure);
        }
        let mut ids = Vec::new();
        for ((id, _), published) in batch.into_iter().zip(published) {
            if let Some(entry) = self.entries.get_mut(&id) {
                if published {
                    entry.state = State::Published;
                    ids.push(id);
                } else {
                    entry.state = State::Held(SkipReason::NotPublished);
                    self.taken = self.taken.saturating_sub(1);
                }
            }
        }
        self.progress.set_done(self.entries.len() as u64);
        ids
    }

    /// Notes that a message, or a key, is gone.
    pub(super) fn confirm_gone(&mut self, id: &str) {
        if let Some(entry) = self.entries.get_mut(id)
            && entry.state == State::Published
        {
            entry.state = State::Gone;
        }
    }

    /// Puts the body that a letter left in KV in the place of its key. Returns why it is not there, if so.
    async fn fetch_body(&mut self, letter: &mut Letter) -> Option<SkipReason> {
        let Content::BodyKey(key) = &letter.content else {
            return None;
        };
        // After one call that failed for good, the next would too.
        if self.stopped {
            return Some(SkipReason::BodyNotRead);
        }
        let value = match self.job.fallback().await {
            Ok(fallback) => fallback.get(key).await,
            Err(error) => Err(error),
        };
        match value {
            Ok(Some(body)) => {
                letter.content = Content::from(MessageBody::from(body));
                None
            }
            Ok(None) => Some(SkipReason::BodyGone),
            Err(error) => {
                self.fail(error);
                Some(SkipReason::BodyNotRead)
            }
        }
    }

    /// Counts letters that are there and that this run did not get to see.
    pub(super) fn leave_unseen(&mut self, count: u64) {
        let why = if self.job.args.message.is_some() {
            SkipReason::NotNamed
        } else if self.room() == 0 {
            SkipReason::BeyondLimit
        } else if self.job.stop.is_asked() {
            SkipReason::NotReached
        } else {
            SkipReason::NotDelivered
        };
        if count > 0 {
            *self.summary.left.entry(why).or_default() += count;
        }
    }

    /// Ends the run: deletes bodies in KV, completes the export and the summary. Returns that, and what went wrong.
    pub(super) async fn close(mut self) -> Result<(ReplaySummary, Option<Error>), Error> {
        self.delete_bodies().await;
        for (id, entry) in &self.entries {
            self.summary.count_entry(id, entry);
        }
        if let Some(export) = &mut self.export
            && self.failure.is_none()
            && !self.job.stop.is_asked()
        {
            // Where there was nothing, the file says so.
            export.begin()?;
        }
        Ok((self.summary, self.failure))
    }

    /// Deletes bodies in KV when every letter that names them is gone: one that comes again, maybe to the next run, needs
    /// its body. (A message that is given up twice leaves two letters with one body.)
    async fn delete_bodies(&self) {
        let Some(fallback) = self.job.fallback.get() else {
            return;
        };
        let mut bodies: BTreeMap<&str, bool> = BTreeMap::new();
        for entry in self.entries.values() {
            if let Some(key) = &entry.body_key {
                *bodies.entry(key).or_insert(true) &= entry.state == State::Gone;
            }
        }
        for (key, _) in bodies.into_iter().filter(|(_, gone)| *gone) {
            if let Err(error) = fallback.delete(key).await {
                // It expires by itself.
                output::note(&format!("a body that is replayed stays in KV: {error}"));
            }
        }
    }
}
