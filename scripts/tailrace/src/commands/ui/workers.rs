//! Workers over a window, slice by slice, newest first: the figures of `tailrace stats`, invocations over time, and then the
//! window before, where D1 still has all of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{Desk, Rank};
use super::question::Question;
use super::tally::{Tally, Width};
use crate::commands::stats::{self, figures::Measured};
use crate::slices::Slices;
use crate::{Error, sql, time};

/// The first slice.
const FIRST_MS: i64 = 60_000;

/// Statements of one turn: together they take what one may take, as rows wait behind them.
const STATEMENTS: u32 = 4;

/// Buckets of a chart, at most.
const MOST_BUCKETS: i64 = 60;

/// Exceptions that are listed.
const EXCEPTIONS: usize = 20;

/// A measurement that is under way.
#[derive(Debug)]
pub(super) struct Measurement {
    question: Question,
    first_ms: i64,
    own: Measured,
    tally: Tally,
    before: Option<Measured>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Start,
    Own(Slices),
    Before(Slices),
    End,
}

impl Measurement {
    /// Begins to measure the window of a question.
    pub(super) fn new(question: Question) -> Self {
        let span_ms = question.to_ms - question.from_ms;
        Self {
            tally: Tally::new(Width::of(span_ms, MOST_BUCKETS)),
            first_ms: question.from_ms,
            question,
            own: Measured::default(),
            before: None,
            way: Way::Start,
        }
    }

    /// Takes the next step; `None` after the last.
    pub(super) async fn step(&mut self, desk: &Desk) -> Option<Result<Value, Error>> {
        let step = match std::mem::replace(&mut self.way, Way::End) {
            Way::End => return None,
            Way::Start => self.begin(desk).await,
            Way::Own(slices) => self.measure_slice(desk, slices).await,
            Way::Before(slices) => self.measure_before(desk, slices).await,
        };
        Some(step.map(|()| self.report()))
    }

    async fn begin(&mut self, desk: &Desk) -> Result<(), Error> {
        let oldest_ms = desk.oldest_ms(Rank::Counts).await?;
        let Some(oldest_ms) = oldest_ms.filter(|oldest| *oldest < self.question.to_ms) else {
            self.first_ms = self.question.to_ms;
            return Ok(());
        };
        self.first_ms = self.question.from_ms.max(oldest_ms);
        let before_ms = 2 * self.question.from_ms - self.question.to_ms;
        self.before = (oldest_ms <= before_ms).then(Measured::default);
        let slices = Slices::new(self.first_ms, &self.question.to, self.question.to_ms);
        self.measure_slice(desk, slices.starting_with(FIRST_MS))
            .await
    }

    async fn measure_slice(&mut self, desk: &Desk, mut slices: Slices) -> Result<(), Error> {
        let to_ms = slices.reached_ms();
        if let Some(slice) = slices.next_slice() {
            let characters = self.tally.width.characters;
            let counts = sql::counts(&self.question.query, &slice.from, &slice.to, characters);
            let (answer, took) = desk
                .ask(Rank::Counts, move |database| async move {
                    let rows = database.query(&counts).await?;
                    let figures = stats::measure_slice(database, &[], &slice).await?;
                    Ok((rows, figures))
                })
                .await;
            match answer {
                Ok((rows, figures)) => {
                    slices.advance(took * STATEMENTS);
                    self.tally.add(slices.reached_ms(), to_ms, &rows);
                    self.own.add(&figures);
                }
                Err(error) if error.is_too_slow() && slices.divide() => {}
                Err(error) => return Err(error),
            }
        }
        self.way = if slices.next_slice().is_some() {
            Way::Own(slices)
        } else if self.before.is_some() {
            let (from, to) = (self.question.from_ms, self.question.to_ms);
            let before = Slices::new(2 * from - to, &time::stored_ms(from), from);
            Way::Before(before.starting_with(slices.step_ms()))
        } else {
            Way::End
        };
        Ok(())
    }

    async fn measure_before(&mut self, desk: &Desk, mut slices: Slices) -> Result<(), Error> {
        if let Some(slice) = slices.next_slice() {
            let (answer, took) = desk
                .ask(Rank::Counts, move |database| async move {
                    stats::measure_slice(database, &[], &slice).await
                })
                .await;
            match answer {
                Ok(figures) => {
                    slices.advance(took * STATEMENTS);
                    if let Some(before) = &mut self.before {
                        before.add(&figures);
                    }
                }
                Err(error) if error.is_too_slow() && slices.divide() => {}
                Err(error) => return Err(error),
            }
        }
        self.way = match slices.next_slice() {
            Some(_) => Way::Before(slices),
            None => Way::End,
        };
        Ok(())
    }

    fn report(&self) -> Value {
        let stored = |ms| {
            Timestamp::from_millisecond(ms)
                .map(time::stored)
                .unwrap_or_default()
        };
        let report = |measured: &Measured| {
            let (from, to) = (self.question.from_ms, self.question.to_ms);
            measured.report(stored(from), stored(to), EXCEPTIONS)
        };
        let done = matches!(self.way, Way::End);
        let own_is_done = !matches!(self.way, Way::Start | Way::Own(_));
        let whole = (self.question.to_ms - self.first_ms).max(1);
        let per_mille = (self.tally.covered_ms() * 1000 / whole).clamp(0, 1000);
        json!({
            "from_ms": self.question.from_ms,
            "to_ms": self.question.to_ms,
            "width_ms": self.tally.width.ms,
            "measured_per_mille": if own_is_done { 1000 } else { per_mille },
            "done": done,
            "report": report(&self.own),
            // A part of a window cannot be compared with a whole one.
            "before": self.before.as_ref().filter(|_| done).map(report),
            "series": self.tally.invocations(),
        })
    }
}
