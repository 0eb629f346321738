//! The state of a run: the table of letters, the counts, the export, and the bodies that letters left in KV.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;

use super::Job;
use super::export::Export;
use super::publish::Target;
use super::summary::{Look, ReplaySummary};
use super::table::{Entry, SkipReason, State};
use crate::client::queues::MessageBody;
use crate::counter::Counter;
use crate::letter::{Content, Letter};
use crate::{Error, output, time};

/// The knowledge of a run.
pub(super) struct Ledger<'j, 'a> {
    job: &'j Job<'a>,
    /// The table: each letter by the id of its message, or by its key.
    pub(super) entries: HashMap<String, Entry>,
    /// The letters in flight.
    batch: Vec<(String, Letter)>,
    /// The counts.
    pub(super) summary: ReplaySummary,
    pub(super) progress: Counter,
    /// The first failure.
    failure: Option<Error>,
    export: Option<Export>,
    is_stopped: bool,
    is_export_broken: bool,
    /// Letters taken, against the limit.
    taken: usize,
}

impl<'j, 'a> Ledger<'j, 'a> {
    /// Returns one that knows nothing yet.
    pub(super) fn new(job: &'j Job<'a>, export: Option<Export>) -> Self {
        Self {
            job,
            entries: HashMap::new(),
            batch: Vec::new(),
            summary: ReplaySummary {
                look: job.args.dry_run.then_some(Look::Harmless),
                ..ReplaySummary::default()
            },
            progress: Counter::start(["dead letter", "dead letters"]),
            failure: None,
            export,
            is_stopped: false,
            is_export_broken: false,
            taken: 0,
        }
    }

    /// Returns how many letters may still be taken.
    pub(super) fn room(&self) -> usize {
        let limit = self.job.args.limit.map_or(usize::MAX, NonZeroUsize::get);
        limit.saturating_sub(self.taken)
    }

    /// Returns whether to begin nothing new.
    pub(super) fn is_over(&self) -> bool {
        let is_found = self.job.args.message.is_some() && self.taken > 0;
        self.is_stopped || is_found || self.room() == 0 || self.job.stop.is_asked()
    }

    /// Begins nothing new.
    pub(super) fn fail(&mut self, error: Error) {
        self.is_stopped = true;
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

    /// Enters a letter that is met for the first time into the table: counts it, fetches its body from KV, exports it, and
    /// puts it into the batch unless it stays.
    pub(super) async fn enter(
        &mut self,
        id: &str,
        mut letter: Letter,
        since_ms: Option<i64>,
        came_back: bool,
    ) {
        let mut why = self.judge(id, &letter, came_back);
        if !why.is_some_and(SkipReason::is_unasked) {
            if why.is_none() || self.export.is_some() {
                let lacking = self.fetch_body(&mut letter).await;
                if let (Some(lacking), true) = (lacking, self.export.is_some()) {
                    *self.summary.lacking.entry(lacking).or_default() += 1;
                }
                why = why
                    .or(lacking)
                    .or_else(|| self.judge(id, &letter, came_back));
            }
            let failed_ms = letter.failed_at.as_deref().and_then(time::millis);
            let now_ms = self.job.now.as_millisecond();
            let age_ms = failed_ms.or(since_ms).map(|since| now_ms - since);
            self.summary.count_letter(&letter, age_ms);
            self.taken += usize::from(matches!(why, None | Some(SkipReason::OnlyCounted)));
            self.export(|export| export.write(id, &letter));
        }
        let entry = Entry {
            reason: Some(letter.reason),
            state: why.map_or(State::InFlight, State::Stays),
            records: letter.records().len() as u64,
            body_key: letter.body_key.clone(),
            ..Entry::default()
        };
        self.entries.insert(id.to_owned(), entry);
        self.progress.expect(self.entries.len());
        if why.is_none() {
            self.batch.push((id.to_owned(), letter));
        }
    }

    fn export(&mut self, write: impl FnOnce(&mut Export) -> Result<(), Error>) {
        if let Some(Err(error)) = self.export.as_mut().map(write) {
            self.is_export_broken = true;
            self.fail(error);
        }
    }

    /// Publishes the batch, unless what is exported of it cannot be written first. Returns the ids of those that are
    /// published, to be taken away.
    pub(super) async fn publish(&mut self) -> Vec<String> {
        self.export(Export::flush);
        let batch = std::mem::take(&mut self.batch);
        let (mut ids, letters): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let mut published = vec![false; ids.len()];
        if let (Some(target), false) = (&self.job.target, self.is_export_broken) {
            let failure;
            (published, failure) = target.publish(&letters, self.job.at_once()).await;
            // A statement that the database refuses says nothing about the next one.
            let is_refusal = matches!(
                (target, &failure),
                (Target::Database(_), Some(Error::Api { .. }))
            );
            self.is_stopped |= failure.is_some() && !is_refusal;
            self.failure = self.failure.take().or(failure);
        }
        self.taken -= published.iter().filter(|published| !**published).count();
        self.set_state(&ids, |_| State::Stays(SkipReason::NotPublished));
        let mut published = published.into_iter();
        ids.retain(|_| published.next() == Some(true));
        self.set_state(&ids, |_| State::Published);
        self.progress.set_done(self.entries.len());
        ids
    }

    /// Returns the ids of the entries that are wanted.
    pub(super) fn select(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<String> {
        let wanted = self.entries.iter().filter(|(_, entry)| is_wanted(entry));
        wanted.map(|(id, _)| id.clone()).collect()
    }

    /// Gives entries their next state.
    pub(super) fn set_state(&mut self, ids: &[String], next: impl Fn(&Entry) -> State) {
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.state = next(entry);
            }
        }
    }

    /// Notes that a message, or a key, is gone.
    pub(super) fn confirm_gone(&mut self, id: String) {
        self.set_state(&[id], |entry| match entry.state {
            State::Published => State::Gone,
            state => state,
        });
    }

    /// Puts the body that a letter left in KV in the place of its key. Returns why it is not there, if so.
    async fn fetch_body(&mut self, letter: &mut Letter) -> Option<SkipReason> {
        let Content::BodyKey(key) = &letter.content else {
            return None;
        };
        // After one call that failed for good, the next would too.
        if self.is_stopped {
            return Some(SkipReason::BodyNotRead);
        }
        match async { self.job.fallback().await?.get(key).await }.await {
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
        let why = match self.job.args.message {
            Some(_) => SkipReason::NotNamed,
            None if self.room() == 0 => SkipReason::BeyondLimit,
            None if self.job.stop.is_asked() => SkipReason::NotReached,
            None => SkipReason::NotDelivered,
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
        self.summary.letters = self.entries.into_iter().collect();
        Ok((self.summary, self.failure))
    }

    /// Deletes bodies in KV when every letter that names them is gone: one that comes again, maybe to the next run, needs
    /// its body. (A message that is given up twice leaves two letters with one body.)
    async fn delete_bodies(&self) {
        let Some(fallback) = self.job.fallback.get() else {
            return;
        };
        let (mut gone, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for entry in self.entries.values() {
            let is_gone = entry.state == State::Gone;
            let keys = if is_gone { &mut gone } else { &mut kept };
            keys.extend(entry.body_key.clone());
        }
        for key in gone.difference(&kept) {
            if let Err(error) = fallback.delete(key).await {
                // It expires by itself.
                output::note(&format!("a body that is replayed stays in KV: {error}"));
            }
        }
    }
}
