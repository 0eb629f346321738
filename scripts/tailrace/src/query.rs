//! The query language of `logs -q` and of the page: which records are meant.
//!
//! - [`parse`]: text to terms, with the place of an error and a hint;
//! - [`term`]: the terms, and the fields they are about; [`value`], [`pattern`]: their values;
//! - [`text`]: a search for text in what a line says and carries;
//! - [`expression`]: a regular expression, and the fixed text that each of its matches holds;
//! - [`to_sql`]: the condition for D1, with bound parameters;
//! - [`mod@matches`]: the same on a record in memory.
//!
//! D1 has no regular expressions and bounds its statements, so SQL may let more records through than are meant:
//! [`Query::is_exact`] tells, and [`Query::matches`] decides. `search` does both.

pub mod expression;
pub mod matches;
pub mod parse;
pub mod pattern;
pub mod term;
pub mod text;
pub mod to_sql;
pub mod value;

use log_record::Level;
use thiserror::Error as ThisError;

use crate::Error;

pub use expression::Expression;
pub use pattern::{Pattern, Span};
pub use term::{Kind, Term, Test};
pub use text::{Case, TextSearch};
pub use to_sql::Clause;
pub use value::{Operator, Value};

/// Terms of one query, and alternatives of one term: D1 takes expressions up to a depth of 100.
const MOST_TERMS: usize = 24;

/// Bound values of one query. D1 takes 100 in a statement, and the window of time needs some.
const MOST_PARAMS: usize = 80;

/// The records that are meant: every term must hold.
#[derive(Clone, Debug, Default)]
pub struct Query {
    terms: Vec<Term>,
}

/// The reason why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{message}, at character {position} of the query")]
pub struct QueryError {
    /// The character at which reading stopped; the first one is 1.
    pub position: usize,
    /// The fault, with the text in question.
    pub message: String,
    /// The text to write instead.
    pub hint: String,
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::Query {
            message: error.to_string(),
            hint: error.hint,
        }
    }
}

impl Query {
    /// Reads a query such as `level>=warn worker:api-* -status:4xx "timed out"`.
    ///
    /// # Errors
    /// [`QueryError`] with the place and a hint.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let query = Self {
            terms: parse::read_terms(text)?,
        };
        query.check(text.chars().count())?;
        Ok(query)
    }

    /// Adds a term about a field, as `field:value,value` does.
    ///
    /// # Errors
    /// [`QueryError`] where a value is not one of the field.
    pub fn add_field(
        &mut self,
        field: &str,
        operator: Operator,
        values: &[String],
        negated: bool,
    ) -> Result<(), QueryError> {
        if values.is_empty() {
            return Ok(());
        }
        let values: Vec<_> = values.iter().map(|text| Value::bare(text)).collect();
        let test = Test::of_field(field, operator, &values, 1)?;
        self.terms.push(Term { negated, test });
        self.check(1)
    }

    /// Adds a term.
    ///
    /// # Errors
    /// [`QueryError`] where the query gets too long for D1.
    pub fn add(&mut self, term: Term) -> Result<(), QueryError> {
        self.terms.push(term);
        self.check(1)
    }

    /// Adds the terms of `other`.
    ///
    /// # Errors
    /// [`QueryError`] where the query gets too long for D1.
    pub fn extend(&mut self, other: Self) -> Result<(), QueryError> {
        self.terms.extend(other.terms);
        self.check(1)
    }

    /// Returns the records of this correlation id.
    #[must_use]
    pub fn by_correlation_id(id: &str) -> Self {
        Self::of(Test::CorrelationId(vec![id.to_owned()]))
    }

    /// Returns the records of this request id.
    #[must_use]
    pub fn by_request_id(id: &str) -> Self {
        Self::of(Test::RequestId(vec![id.to_owned()]))
    }

    fn of(test: Test) -> Self {
        Self {
            terms: vec![Term {
                negated: false,
                test,
            }],
        }
    }

    /// Returns the terms.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Returns the terms, to be changed.
    pub fn terms_mut(&mut self) -> &mut [Term] {
        &mut self.terms
    }

    /// Returns whether the query asks for nothing in particular.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Returns whether the condition in SQL lets through exactly the records that are meant.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.to_sql().is_exact
    }

    /// Returns whether only a few rows can match and an index leads straight to them, so that a time range saves nothing.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        matches!(
            self.access().0,
            Access::CorrelationId(_) | Access::RequestId(_)
        )
    }

    /// Returns whether rows that do not match may have to be read, in any number, to find one that does: then a caller
    /// reads slice by slice of time, so that no statement keeps D1 for long.
    #[must_use]
    pub fn reads_past_rows(&self) -> bool {
        let (access, served) = self.access();
        match access {
            Access::CorrelationId(_) | Access::RequestId(_) => false,
            _ => self
                .terms
                .iter()
                .enumerate()
                .any(|(index, term)| Some(index) != served && !term.is_always_true()),
        }
    }

    /// Returns the index that leads to the records, and the term that it serves.
    pub(crate) fn access(&self) -> (Access, Option<usize>) {
        let find = |choose: fn(&Test) -> Option<Access>| {
            self.terms
                .iter()
                .enumerate()
                .filter(|(_, term)| !term.negated)
                .find_map(|(index, term)| Some((choose(&term.test)?, Some(index))))
        };
        let correlation = find(|test| match test {
            Test::CorrelationId(ids) => Some(Access::CorrelationId(only(ids)?.clone())),
            _ => None,
        });
        let request = || {
            find(|test| match test {
                Test::RequestId(ids) => Some(Access::RequestId(only(ids)?.clone())),
                _ => None,
            })
        };
        let levels = || {
            find(|test| match test {
                Test::Level(levels)
                    if !levels.is_empty() && levels.iter().all(|level| *level >= Level::Warn) =>
                {
                    Some(Access::Levels(levels.clone()))
                }
                _ => None,
            })
        };
        // An exception is always an error, so the index of errors leads to it; its kind is still to be judged.
        let exceptions = || {
            let (access, _) = find(|test| match test {
                Test::Kind(kinds) => {
                    let kind = only(kinds)?;
                    (*kind == Kind::Exception).then(|| Access::Levels(vec![Level::Error]))
                }
                _ => None,
            })?;
            Some((access, None))
        };
        let worker = || {
            find(|test| match test {
                Test::Worker(names) => Some(Access::Worker(only(names)?.exact()?.to_owned())),
                _ => None,
            })
        };
        correlation
            .or_else(request)
            .or_else(levels)
            .or_else(exceptions)
            .or_else(worker)
            .unwrap_or((Access::Time, None))
    }

    fn check(&self, position: usize) -> Result<(), QueryError> {
        let error = |message: String| QueryError {
            position: position.max(1),
            message,
            hint: "ask for less at once".to_owned(),
        };
        if self.terms.len() > MOST_TERMS {
            return Err(error(format!("a query has at most {MOST_TERMS} terms")));
        }
        if self.terms.iter().any(|term| term.test.len() > MOST_TERMS) {
            return Err(error(format!(
                "a term has at most {MOST_TERMS} alternatives"
            )));
        }
        if self.to_sql().params.len() > MOST_PARAMS {
            return Err(error("the query is too long for D1".to_owned()));
        }
        Ok(())
    }
}

/// The index that leads to the records of a query, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    CorrelationId(String),
    RequestId(String),
    /// Warnings, errors, or both, which have an index each.
    Levels(Vec<Level>),
    Worker(String),
    /// The order of time alone.
    Time,
}

/// Returns a Ray ID as it is stored where the data centre is not (`8f2a1c0b5d1e4c55-FRA`); any other text as it is.
pub(crate) fn without_data_centre(text: &str) -> &str {
    match text.rsplit_once('-') {
        Some((ray, centre))
            if ray.len() == 16
                && ray.bytes().all(|byte| byte.is_ascii_hexdigit())
                && centre.len() == 3
                && centre.bytes().all(|byte| byte.is_ascii_uppercase()) =>
        {
            ray
        }
        _ => text,
    }
}

fn only<T>(values: &[T]) -> Option<&T> {
    match values {
        [value] => Some(value),
        _ => None,
    }
}
