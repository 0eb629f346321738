//! Measured values of one thing.

use serde::Serialize;

/// The values of several rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// One value.
    #[must_use]
    pub fn one(value: f64) -> Self {
        Self(vec![value])
    }

    /// Adds what one round measured.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Returns the values, in the order of the rounds.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// Returns the number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value in the middle; of an even number, between the two; 0 of none.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        if sorted.len() % 2 == 1 || sorted.is_empty() {
            at(middle)
        } else {
            f64::midpoint(at(middle - 1), at(middle))
        }
    }

    /// The value that 95 of 100 do not exceed (nearest rank); 0 of none.
    #[must_use]
    pub fn p95(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * 95).div_ceil(100);
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// Returns an interval that holds the median of what could have been measured with a certainty of at least 95%, where
    /// there are at least six rounds: the narrowest pair of measured values, equally far from both ends, that does so
    /// whatever the distribution (the sign test). With fewer rounds: the smallest and the largest value.
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let skipped = certain_ranks(sorted.len());
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        (at(skipped), at(sorted.len().saturating_sub(1 + skipped)))
    }

    /// Returns the values divided by those of `other` of the same rounds, or the other way round if `lower_is_better`: how
    /// many times better each round was. `None` where the rounds are not the same ones, or a value is 0.
    #[must_use]
    pub fn paired_ratios(&self, other: &Self, lower_is_better: bool) -> Option<Self> {
        let same_rounds = self.count() == other.count() && self.count() > 0;
        let values = self.0.iter().chain(&other.0);
        if !same_rounds || !values.into_iter().all(|value| *value > 0.0) {
            return None;
        }
        let pairs = self.0.iter().zip(&other.0);
        Some(
            pairs
                .map(|(it, than)| {
                    if lower_is_better {
                        than / it
                    } else {
                        it / than
                    }
                })
                .collect(),
        )
    }

    /// The smallest; 0 of none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0
            .iter()
            .copied()
            .min_by(f64::total_cmp)
            .unwrap_or_default()
    }

    /// The largest; 0 of none.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.0
            .iter()
            .copied()
            .max_by(f64::total_cmp)
            .unwrap_or_default()
    }
}

/// Returns how many of `count` sorted values may be left out at each end so that the rest still holds the median with a
/// certainty of 95%.
fn certain_ranks(count: usize) -> usize {
    // The probability that the median lies below the value of rank `skipped`, or above its mirror image: twice the lower
    // tail of a fair coin thrown `count` times.
    let Ok(throws) = i32::try_from(count) else {
        return 0;
    };
    let mut term = 0.5f64.powi(throws);
    let mut tail = term;
    let mut skipped = 0;
    for rank in 1..=throws / 2 {
        term *= f64::from(throws - rank + 1) / f64::from(rank);
        tail += term;
        if 2.0 * tail > 0.05 {
            break;
        }
        skipped += 1;
    }
    skipped
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Samples::default().median().to_bits(), 0f64.to_bits());
        let odd: Samples = [3.0, 1.0, 2.0].into_iter().collect();
        assert!((odd.median() - 2.0).abs() < 1e-9);
        let even: Samples = [4.0, 1.0, 2.0, 3.0].into_iter().collect();
        assert!((even.median() - 2.5).abs() < 1e-9);
        assert!((even.min() - 1.0).abs() < 1e-9 && (even.max() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn few_values_exceed_the_95th_percentile() {
        let hundred: Samples = (1..=100).rev().map(f64::from).collect();
        assert!((hundred.p95() - 95.0).abs() < 1e-9);
        assert!((Samples::one(7.0).p95() - 7.0).abs() < 1e-9);
        assert_eq!(Samples::default().p95().to_bits(), 0f64.to_bits());
    }

    #[test]
    fn the_interval_follows_the_sign_test() {
        // From tables of the binomial distribution: of 9 values the 2nd to the 8th, of 15 the 4th to the 12th.
        let skipped: Vec<usize> = [1, 5, 6, 8, 9, 12, 15].map(certain_ranks).into();
        assert_eq!(skipped, [0, 0, 0, 0, 1, 2, 3]);
        let nine: Samples = (1..=9).rev().map(f64::from).collect();
        assert_eq!(nine.interval(), (2.0, 8.0));
    }

    #[test]
    fn ratios_compare_values_of_the_same_round() {
        let ours: Samples = [2.0, 8.0].into_iter().collect();
        let theirs: Samples = [4.0, 4.0].into_iter().collect();
        let ratios = ours.paired_ratios(&theirs, true).unwrap();
        assert_eq!(ratios.0, [2.0, 0.5]);
        assert!(ours.paired_ratios(&Samples::one(1.0), true).is_none());
    }
}
