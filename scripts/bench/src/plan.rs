//! The amount of each measurement. The full plan takes about half an hour on two cores, the quick one a few
//! minutes, with fewer rounds and without a million rows.

/// The amount of each measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    /// True for the quick plan.
    pub quick: bool,
    /// Rounds of normalizing.
    pub normalize_rounds: usize,
    /// Log lines that one sample of normalizing handles, about.
    pub normalize_lines: u64,
    /// Rounds of starting the runtime.
    pub startup_rounds: usize,
    /// Rows that databases hold before the measured writes.
    pub existing_rows: &'static [u64],
    /// Rounds of writing D1.
    pub d1_rounds: usize,
    /// Rows of one sample of writing D1.
    pub d1_rows: u64,
    /// Rounds of each end-to-end load.
    pub end_to_end_rounds: usize,
    /// Requests, and lines of each request.
    pub loads: &'static [Load],
    /// Rows in the database that is searched and rotated.
    pub maintenance_rows: u64,
    /// Rounds of each search.
    pub search_rounds: usize,
    /// Dead letters of one replay.
    pub dead_letters: u64,
    /// Rounds of replaying.
    pub replay_rounds: u64,
    /// Rows in the database of a week.
    pub week_rows: u64,
    /// Rounds of what takes less than a second on it.
    pub week_rounds: usize,
    /// Rounds of what takes seconds.
    pub week_slow_rounds: usize,
    /// Rounds of what takes minutes.
    pub week_long_rounds: usize,
}

/// An end-to-end load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests.
    pub requests: u64,
    /// Lines that each logs.
    pub lines: u64,
}

impl Load {
    /// Lines in all.
    #[must_use]
    pub fn logs(self) -> u64 {
        self.requests * self.lines
    }

    /// Rows in all: the lines, and one record for each request itself.
    #[must_use]
    pub fn rows(self) -> u64 {
        self.requests * (self.lines + 1)
    }

    /// As in the tables.
    #[must_use]
    pub fn label(self) -> String {
        format!("{} × {}", self.requests, self.lines)
    }
}

const LOADS: [Load; 3] = [
    Load {
        requests: 2_000,
        lines: 10,
    },
    Load {
        requests: 300,
        lines: 100,
    },
    Load {
        requests: 6_000,
        lines: 10,
    },
];

/// Returns `subjects` in the order of a round: each begins as often as the others, so that none profits from its place.
pub fn take_turns<T>(subjects: &[T], round: usize) -> impl Iterator<Item = &T> {
    let first = round % subjects.len().max(1);
    let (later, sooner) = subjects.split_at(first);
    sooner.iter().chain(later)
}

impl Plan {
    /// Everything.
    #[must_use]
    pub fn full() -> Self {
        Self {
            quick: false,
            normalize_rounds: 16,
            normalize_lines: 60_000,
            startup_rounds: 15,
            existing_rows: &[0, 100_000, 1_000_000],
            d1_rounds: 6,
            d1_rows: 20_000,
            end_to_end_rounds: 6,
            loads: &LOADS,
            maintenance_rows: 1_000_000,
            search_rounds: 5,
            dead_letters: 300,
            replay_rounds: 3,
            week_rows: 10_000_000,
            week_rounds: 20,
            week_slow_rounds: 6,
            week_long_rounds: 2,
        }
    }

    /// Enough to see whether something has gone wrong.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            quick: true,
            normalize_rounds: 3,
            normalize_lines: 30_000,
            startup_rounds: 5,
            existing_rows: &[0, 100_000],
            d1_rounds: 2,
            d1_rows: 10_000,
            end_to_end_rounds: 1,
            loads: LOADS.split_at(2).0,
            maintenance_rows: 100_000,
            search_rounds: 2,
            dead_letters: 100,
            replay_rounds: 1,
            week_rows: 1_000_000,
            week_rounds: 5,
            week_slow_rounds: 2,
            week_long_rounds: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_begins_in_turn() {
        let orders: Vec<String> = (0..4)
            .map(|round| take_turns(&["a", "b", "c"], round).copied().collect())
            .collect();
        assert_eq!(orders, ["abc", "bca", "cab", "abc"]);
        assert_eq!(take_turns::<u8>(&[], 1).count(), 0);
    }
}
