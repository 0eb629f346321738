//! Exact percentiles from counted values: D1 groups, this merges and ranks.
//!
//! A percentile is the *nearest rank*: the smallest value that at least p percent of the values do not exceed, that is
//! the value at position ⌈p/100 × n⌉ of the sorted values, counted from 1. It is always a value that occurred; nothing
//! is interpolated. Memory grows with the number of distinct values (whole milliseconds), not with that of invocations.

use std::collections::BTreeMap;

/// Number of occurrences of each value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// Counts `value` another `times`.
    pub fn add(&mut self, value: u64, times: u64) {
        if times > 0 {
            *self.0.entry(value).or_default() += times;
        }
    }

    /// Returns the number of counted values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The `percent`th percentile (1 to 100) by nearest rank; `None` without values.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<u64> {
        let rank = (u128::from(self.count()) * u128::from(percent))
            .div_ceil(100)
            .max(1);
        let mut seen = 0_u128;
        self.0.iter().find_map(|(value, times)| {
            seen += u128::from(*times);
            (seen >= rank).then_some(*value)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition itself, on the values: the smallest value that at least p percent do not exceed.
    fn by_definition(values: &[u64], percent: u8) -> Option<u64> {
        let mut candidates = values.to_vec();
        candidates.sort_unstable();
        candidates.into_iter().find(|candidate| {
            let not_above = values.iter().filter(|value| *value <= candidate).count();
            not_above * 100 >= usize::from(percent) * values.len()
        })
    }

    proptest! {
        #[test]
        fn percentiles_match_their_definition(values in prop::collection::vec(0_u64..50, 0..200), percent in 1_u8..=100) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.add(*value, 1);
            }
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.percentile(percent), by_definition(&values, percent));
        }
    }

    #[test]
    fn the_textbook_example_holds() {
        let mut histogram = Histogram::default();
        for value in [15, 20, 35, 40, 50] {
            histogram.add(value, 1);
        }
        let percentiles = [5, 30, 40, 50, 100].map(|p| histogram.percentile(p).unwrap());
        assert_eq!(percentiles, [15, 20, 20, 35, 50]);
    }
}
