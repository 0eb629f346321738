//! Texts with stars, and ranges of numbers.

use std::ops::{Bound, RangeBounds as _};

use super::value::{Operator, Value};

/// A text in which `*` stands for any text, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The texts between the stars; a text without a star is the only one.
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            parts: text.split('*').map(str::to_owned).collect(),
        }
    }

    pub(super) fn of_value(value: &Value) -> Self {
        if value.quoted {
            return Self {
                parts: vec![value.text.clone()],
            };
        }
        Self::new(&value.text)
    }

    /// Returns the pattern of all texts that begin with a match of this one.
    pub(super) fn into_beginning(mut self) -> Self {
        if self.parts.len() == 1 || self.parts.last().is_some_and(|part| !part.is_empty()) {
            self.parts.push(String::new());
        }
        self
    }

    /// Returns the text that is meant, if it has no star.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        super::only(&self.parts).map(String::as_str)
    }

    /// Returns the text that a match begins with, where nothing else is asked of it.
    pub(super) fn beginning(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [begin, end] if end.is_empty() => Some(begin),
            _ => None,
        }
    }

    /// Returns the texts between the stars.
    pub(super) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Returns whether `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (Some((first, rest)), true) = (self.parts.split_first(), self.parts.len() > 1) else {
            return self.exact() == Some(text);
        };
        let Some(mut text) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return false;
        };
        for part in middle {
            let Some((_, behind)) = text.split_once(part.as_str()) else {
                return false;
            };
            text = behind;
        }
        text.ends_with(last.as_str())
    }
}

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span(pub Bound<f64>, pub Bound<f64>);

impl Span {
    pub(super) fn of(operator: Operator, number: f64) -> Self {
        match operator {
            Operator::Is => Self(Bound::Included(number), Bound::Included(number)),
            Operator::AtLeast => Self(Bound::Included(number), Bound::Unbounded),
            Operator::Above => Self(Bound::Excluded(number), Bound::Unbounded),
            Operator::AtMost => Self(Bound::Unbounded, Bound::Included(number)),
            Operator::Below => Self(Bound::Unbounded, Bound::Excluded(number)),
        }
    }

    /// Returns whether `number` is within.
    #[must_use]
    pub fn contains(&self, number: f64) -> bool {
        (self.0, self.1).contains(&number)
    }
}
