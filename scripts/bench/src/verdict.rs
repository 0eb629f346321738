//! One target, and whether a run has reached it.

use serde::Serialize;

use crate::number::number;
use crate::samples::Samples;

/// One target, and what a run measured.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Name of the measured value.
    pub what: String,
    /// The target.
    pub target: Limit,
    /// The values of this run's rounds; `None` if it did not measure it.
    pub measured: Option<Samples>,
}

/// A target.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// A ratio to a baseline that should not be lower.
    AtLeast(f64),
    /// A value that should not be higher, with its unit.
    AtMost(f64, &'static str),
}

/// The relation of a measured interval to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The whole interval is on the right side of the target.
    Reached,
    /// The interval is on both sides of the target.
    Undecided,
    /// The whole interval is on the wrong side of the target.
    Missed,
}

impl Verdict {
    /// Returns whether the target was reached; `None` if it was not measured.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let (low, high) = self.measured.as_ref()?.interval();
        let reached = |value: f64| match self.target {
            Limit::AtLeast(target) => value >= target,
            Limit::AtMost(target, _) => value <= target,
        };
        Some(match (reached(low), reached(high)) {
            (true, true) => Standing::Reached,
            (false, false) => Standing::Missed,
            _ => Standing::Undecided,
        })
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let (target, unit) = match self.target {
            Limit::AtLeast(target) => (format!("≥ {target} ×"), " ×"),
            Limit::AtMost(target, unit) => (format!("≤ {target}{unit}"), unit),
        };
        let measured = self.measured.as_ref().map_or_else(
            || "not measured".to_owned(),
            |samples| {
                let median = number(samples.median());
                let (low, high) = samples.interval();
                if samples.count() == 1 {
                    format!("{median}{unit}")
                } else {
                    format!("{median}{unit} ({}–{})", number(low), number(high))
                }
            },
        );
        let mark = match self.standing() {
            Some(Standing::Reached) => "reached",
            Some(Standing::Undecided) => "undecided",
            Some(Standing::Missed) => "**missed**",
            None => "",
        };
        vec![self.what.clone(), target, measured, mark.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_by_the_whole_interval() {
        let standing = |values: [f64; 3], target| {
            let measured = Some(values.into_iter().collect());
            let what = String::new();
            Verdict {
                what,
                target,
                measured,
            }
            .standing()
        };
        let at_least = |values| standing(values, Limit::AtLeast(2.0));
        assert_eq!(at_least([2.0, 2.5, 3.0]), Some(Standing::Reached));
        assert_eq!(at_least([1.9, 2.5, 3.0]), Some(Standing::Undecided));
        assert_eq!(at_least([1.7, 1.8, 1.9]), Some(Standing::Missed));
        let at_most = standing([1.9, 2.5, 3.0], Limit::AtMost(2.0, " ms"));
        assert_eq!(at_most, Some(Standing::Undecided));
    }
}
