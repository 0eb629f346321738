//! The histogram and the facets of a question, slice by slice, newest first. What ended over half an hour ago is counted
//! once and remembered: few rows arrive that late, and Refresh counts them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::desk::{Desk, Rank, lock};
use super::question::Question;
use super::tally::{MOST_BUCKETS, Tally, Width};
use crate::slices::Slices;
use crate::{Error, sql, time};

/// The age from which on a slice is counted only once.
const SETTLED_MS: i64 = 30 * 60_000;

/// The first slice: nobody knows yet how much it holds.
const FIRST_MS: i64 = 60_000;

/// The questions whose counts are remembered.
const REMEMBERED: usize = 16;

/// Earlier counts, by query and length of buckets.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<BTreeMap<(String, Width), (u64, Tally)>>);

impl Remembered {
    /// Returns what is known of a window.
    fn within(&self, question: &Question, width: Width) -> Tally {
        lock(&self.0)
            .get(&(question.text.clone(), width))
            .map_or_else(
                || Tally::new(width),
                |(_, tally)| tally.within(question.from_ms, question.to_ms),
            )
    }

    fn add(&self, question: &Question, width: Width, (from, to): (i64, i64), rows: &[Vec<Value>]) {
        let mut all = lock(&self.0);
        let used = all.values().map(|(used, _)| used + 1).max().unwrap_or(0);
        let key = (question.text.clone(), width);
        let entry = all.entry(key).or_insert_with(|| (used, Tally::new(width)));
        entry.0 = used;
        entry.1.add(from, to, rows);
        if all.len() > REMEMBERED
            && let Some(oldest) = all
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone())
        {
            all.remove(&oldest);
        }
    }

    /// Forgets what is known of a query.
    pub(super) fn forget(&self, text: &str) {
        lock(&self.0).retain(|(query, _), _| query != text);
    }
}

/// A count that is under way.
#[derive(Debug)]
pub(super) struct Count {
    question: Question,
    tally: Tally,
    /// The times that are left to count, the next last.
    gaps: Vec<(i64, i64)>,
    slices: Option<Slices>,
    step_ms: i64,
    first_ms: i64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Going,
    End,
}

impl Count {
    pub(super) fn new(question: Question, remembered: &Remembered) -> Self {
        let width = Width::of(question.to_ms - question.from_ms, MOST_BUCKETS);
        Self {
            tally: remembered.within(&question, width),
            first_ms: question.from_ms,
            question,
            gaps: Vec::new(),
            slices: None,
            step_ms: FIRST_MS,
            state: State::Start,
        }
    }

    /// Takes the next step; `None` after the last.
    pub(super) async fn step(
        &mut self,
        desk: &Desk,
        remembered: &Remembered,
    ) -> Option<Result<Value, Error>> {
        match self.state {
            State::End => return None,
            State::Start => {
                self.state = State::Going;
                if let Err(error) = self.begin(desk).await {
                    self.state = State::End;
                    return Some(Err(error));
                }
                // What is known is shown at once.
                if self.tally.covered_ms() > 0 {
                    return Some(Ok(self.report()));
                }
            }
            State::Going => {}
        }
        loop {
            let Some(slices) = self.slices.take().or_else(|| self.next_gap()) else {
                self.state = State::End;
                return Some(Ok(self.report()));
            };
            match self.count_slice(desk, remembered, slices).await {
                Ok(true) => return Some(Ok(self.report())),
                Ok(false) => {}
                Err(error) => {
                    self.state = State::End;
                    return Some(Err(error));
                }
            }
        }
    }

    async fn begin(&mut self, desk: &Desk) -> Result<(), Error> {
        let Some(oldest_ms) = desk.oldest_ms(Rank::Counts).await? else {
            self.first_ms = self.question.to_ms;
            return Ok(());
        };
        self.first_ms = self
            .question
            .from_ms
            .max(oldest_ms)
            .min(self.question.to_ms);
        let settled_ms = self.question.now_ms - SETTLED_MS;
        self.gaps = self
            .tally
            .gaps(self.first_ms, self.question.to_ms, settled_ms);
        self.gaps.reverse();
        Ok(())
    }

    fn next_gap(&mut self) -> Option<Slices> {
        let (from, to) = self.gaps.pop()?;
        let end = if to == self.question.to_ms {
            // What is dated after now belongs to the first slice.
            self.question.to.clone()
        } else {
            time::stored_ms(to)
        };
        Some(Slices::new(from, &end, to).starting_with(self.step_ms))
    }

    /// Counts the next of `slices`; returns whether there is something new to show.
    async fn count_slice(
        &mut self,
        desk: &Desk,
        remembered: &Remembered,
        mut slices: Slices,
    ) -> Result<bool, Error> {
        let Some(slice) = slices.next_slice() else {
            return Ok(false);
        };
        let to_ms = slices.reached_ms();
        let characters = self.tally.width.characters;
        let statement = sql::counts(&self.question.query, &slice.from, &slice.to, characters);
        let (answer, took) = desk
            .ask(Rank::Counts, move |database| async move {
                database.query(&statement).await
            })
            .await;
        match answer {
            Ok(rows) => {
                slices.advance(took);
                let from_ms = slices.reached_ms();
                self.tally.add(from_ms, to_ms, &rows);
                if to_ms <= self.question.now_ms - SETTLED_MS {
                    let width = self.tally.width;
                    remembered.add(&self.question, width, (from_ms, to_ms), &rows);
                }
                self.step_ms = slices.step_ms();
                self.slices = slices.next_slice().map(|_| slices);
                Ok(true)
            }
            Err(error) if error.is_too_slow() && slices.divide() => {
                self.slices = Some(slices);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn report(&self) -> Value {
        let mut report = self.tally.report();
        if let Some(report) = report.as_object_mut() {
            let whole = (self.question.to_ms - self.first_ms).max(1);
            let per_mille = (self.tally.covered_ms() * 1000 / whole).clamp(0, 1000);
            let done = self.state == State::End;
            report.insert("from_ms".to_owned(), json!(self.question.from_ms));
            report.insert("to_ms".to_owned(), json!(self.question.to_ms));
            report.insert(
                "counted_per_mille".to_owned(),
                json!(if done { 1000 } else { per_mille }),
            );
            report.insert("done".to_owned(), json!(done));
        }
        report
    }
}
