//! The values of a term as they are written, and the comparison before them.

use super::{QueryError, only};

/// A comparison of a field with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `:` or `=`.
    Is,
    /// `>=`.
    AtLeast,
    /// `>`.
    Above,
    /// `<=`.
    AtMost,
    /// `<`.
    Below,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text, without quotes.
    pub text: String,
    /// Set where the text stood in quotes: then no character of it has a meaning.
    pub quoted: bool,
    /// The place of its first character.
    pub position: usize,
}

impl Value {
    /// Returns a value that is not quoted, from elsewhere than a query.
    #[must_use]
    pub fn bare(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            quoted: false,
            position: 1,
        }
    }

    /// Returns an error about this value.
    pub(super) fn error(&self, message: &str, hint: &str) -> QueryError {
        QueryError {
            position: self.position,
            message: format!("\"{}\" {message}", self.text),
            hint: hint.to_owned(),
        }
    }
}

/// Returns the only value, where an operator takes no alternatives.
pub(super) fn only_value<'a>(values: &'a [Value], field: &str) -> Result<&'a Value, QueryError> {
    only(values).ok_or_else(|| QueryError {
        position: values.get(1).map_or(1, |value| value.position),
        message: format!("\"{field}\" is compared with several values"),
        hint: format!("compare it with one value, or write {field}: and alternatives"),
    })
}
