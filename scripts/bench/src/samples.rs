//! Measured values of one thing.

use serde::Serialize;

/// What several rounds measured.
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

    /// How many there are.
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
}
