//! A long window of time in slices, so that no statement keeps D1 for long: it runs one at a time, goes on when its client
//! has hung up, and log-writer waits in the same line.

use std::time::Duration;

use crate::time;

/// The first slice.
const FIRST_MS: i64 = 15 * 60_000;

/// The longest slice: what a burst behind a quiet night may cost is bounded.
const LONGEST_MS: i64 = 6 * 3_600_000;

/// The shortest slice: below it a failure is a failure.
const SHORTEST_MS: i64 = 1_000;

/// Time of D1 that a statement should take: half of what is allowed at the median, as a slice can hold twice as much as
/// the one before.
const TARGET: Duration = Duration::from_millis(250);

/// A part of a window: `[from, to)` in the stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The first time of the part.
    pub from: String,
    /// The first time after it.
    pub to: String,
}

/// The end of a window that the slices begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Backwards,
    Forwards,
}

/// A window, handed out slice by slice, from its end backwards unless told otherwise. A slice is as long as the last one's
/// time allows.
#[derive(Clone, Debug)]
pub struct Slices {
    direction: Direction,
    first_ms: i64,
    end_ms: i64,
    /// The end of the window in the stored form, for the first slice: it may lie after every stored time.
    end: String,
    step_ms: i64,
}

impl Slices {
    /// Divides the window from `first_ms` to `end`. The rows after `now_ms`, where there are any, belong to the first
    /// slice: nobody waits for the empty days until then.
    #[must_use]
    pub fn new(first_ms: i64, end: &str, now_ms: i64) -> Self {
        let end_ms = time::millis(end).map_or(now_ms, |end| end.min(now_ms));
        Self {
            direction: Direction::Backwards,
            first_ms,
            end_ms: end_ms.max(first_ms),
            end: end.to_owned(),
            step_ms: FIRST_MS,
        }
    }

    /// Takes everything up to `end` as one slice.
    #[must_use]
    pub fn undivided(end: &str) -> Self {
        Self {
            direction: Direction::Backwards,
            first_ms: 0,
            end_ms: 0,
            end: end.to_owned(),
            step_ms: FIRST_MS,
        }
    }

    /// Lets the first slice be `step_ms` long, within what any slice may be.
    #[must_use]
    pub fn starting_with(mut self, step_ms: i64) -> Self {
        self.step_ms = step_ms.clamp(SHORTEST_MS, LONGEST_MS);
        self
    }

    /// Returns how long the next slice may be, in milliseconds.
    #[must_use]
    pub fn step_ms(&self) -> i64 {
        self.step_ms
    }

    /// Hands the slices out from the beginning of the window forwards.
    #[must_use]
    pub fn forwards(mut self) -> Self {
        self.direction = Direction::Forwards;
        self
    }

    /// Returns the next slice. It stays the next one until [`Slices::advance`].
    #[must_use]
    pub fn next_slice(&self) -> Option<Slice> {
        if self.end.is_empty() {
            return None;
        }
        let cut_ms = self.cut_ms();
        Some(match self.direction {
            Direction::Backwards => Slice {
                from: time::stored_ms(cut_ms),
                to: self.end.clone(),
            },
            // The last slice ends with the window.
            Direction::Forwards if cut_ms >= self.end_ms => Slice {
                from: time::stored_ms(self.first_ms),
                to: self.end.clone(),
            },
            Direction::Forwards => Slice {
                from: time::stored_ms(self.first_ms),
                to: time::stored_ms(cut_ms),
            },
        })
    }

    /// Returns the time up to which the window is done, in milliseconds since 1970.
    #[must_use]
    pub fn reached_ms(&self) -> i64 {
        match self.direction {
            Direction::Backwards => self.end_ms,
            Direction::Forwards => self.first_ms,
        }
    }

    /// Goes on behind the slice, whose slowest statement took `took`.
    pub fn advance(&mut self, took: Duration) {
        let cut_ms = self.cut_ms();
        match self.direction {
            Direction::Backwards => {
                self.end_ms = cut_ms;
                self.end = time::stored_ms(cut_ms);
            }
            Direction::Forwards => self.first_ms = cut_ms,
        }
        if self.first_ms >= self.end_ms {
            self.end.clear();
        }
        self.resize(took);
    }

    /// Makes the slice shorter, as its statement was too much for D1. Returns whether that is possible.
    #[must_use]
    pub fn divide(&mut self) -> bool {
        let step = self.step_ms.min((self.end_ms - self.first_ms).max(1));
        if step <= SHORTEST_MS {
            return false;
        }
        self.step_ms = (step / 4).max(SHORTEST_MS);
        true
    }

    /// Returns the time between the next slice and what is left behind it.
    fn cut_ms(&self) -> i64 {
        match self.direction {
            Direction::Backwards => (self.end_ms - self.step_ms).max(self.first_ms),
            Direction::Forwards => (self.first_ms + self.step_ms).min(self.end_ms),
        }
    }

    fn resize(&mut self, took: Duration) {
        let micros = i64::try_from(took.as_micros()).unwrap_or(i64::MAX).max(1);
        let target = i64::try_from(TARGET.as_micros()).unwrap_or(i64::MAX);
        let longest = self.step_ms.saturating_mul(2).min(LONGEST_MS);
        let shortest = (self.step_ms / 8).max(SHORTEST_MS).min(longest);
        let fitting = self.step_ms.saturating_mul(target) / micros;
        self.step_ms = fitting.clamp(shortest, longest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn took(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    proptest! {
        #[test]
        fn slices_cover_the_window_once_whatever_they_take(
            forwards in prop::bool::ANY,
            length in 0_i64..5_000_000,
            beyond in -100_000_i64..100_000,
            times in prop::collection::vec((0_u64..500, prop::bool::ANY), 1..50),
        ) {
            let first = 1_795_000_000_000_i64;
            let now = first + length;
            let end = time::stored_ms((now + beyond).max(first));
            let mut slices = Slices::new(first, &end, now);
            let mut parts = Vec::new();
            if forwards {
                slices = slices.forwards();
            }
            let mut times = times.into_iter().cycle();
            let mut count = 0;
            while let Some(slice) = slices.next_slice() {
                prop_assert!(slice.from <= slice.to);
                let (millis, too_slow) = times.next().unwrap();
                count += 1;
                if too_slow && count % 2 == 0 && slices.divide() {
                    continue;
                }
                parts.push(slice);
                slices.advance(took(millis));
            }
            if !forwards {
                parts.reverse();
            }
            let mut expected = time::stored_ms(first);
            for part in parts {
                prop_assert_eq!(&part.from, &expected);
                expected = part.to;
            }
            prop_assert_eq!(expected, end);
        }
    }

    #[test]
    fn a_slice_is_as_long_as_the_last_one_allows() {
        let day = 24 * 3_600_000;
        let first = 1_795_000_000_000;
        let mut slices = Slices::new(first, &time::stored_ms(first + 30 * day), first + 30 * day);
        let length = |slices: &Slices| {
            let slice = slices.next_slice().unwrap();
            time::millis(&slice.to).unwrap() - time::millis(&slice.from).unwrap()
        };
        assert_eq!(length(&slices), FIRST_MS);
        slices.advance(took(1));
        assert_eq!(
            length(&slices),
            2 * FIRST_MS,
            "quick: at most twice as long"
        );
        slices.advance(took(500));
        assert_eq!(length(&slices), FIRST_MS, "slow: half as long");
        slices.advance(took(10_000));
        assert_eq!(length(&slices), FIRST_MS / 8, "very slow");
        for _ in 0..20 {
            slices.advance(took(0));
        }
        assert_eq!(length(&slices), LONGEST_MS);
        assert!(slices.divide());
        assert_eq!(length(&slices), LONGEST_MS / 4);
    }
}
