//! A query and a window of time, as the page asks.

use jiff::Timestamp;
use serde::Deserialize;

use crate::Error;
use crate::query::Query;
use crate::sql::LAST_TIME;
use crate::time::{self, Edge, Zone};

/// The window where none is named.
pub(super) const SINCE: &str = "15m";

/// A question as it stands in an address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// The query.
    #[serde(default)]
    pub(super) q: String,
    /// The start, as `--since` takes it.
    pub(super) since: Option<String>,
    /// The end, as `--until` takes it; now where it is left out.
    pub(super) until: Option<String>,
}

/// A question that was understood.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The query as it was written.
    pub(super) text: String,
    /// The rows that are meant.
    pub(super) query: Query,
    /// The start of the window, in milliseconds since 1970.
    pub(super) from_ms: i64,
    /// The end of the window as it is drawn: now where it is open.
    pub(super) to_ms: i64,
    /// The end of the window as it is stored, and after every stored time where it is open.
    pub(super) to: String,
    /// The time of the question.
    pub(super) now_ms: i64,
}

impl Asked {
    /// Reads the question, at the time `now`.
    ///
    /// # Errors
    /// [`Error::Usage`] where the query or a time cannot be read.
    pub(super) fn read(&self, now: Timestamp) -> Result<Question, Error> {
        let since = self.since.as_deref().unwrap_or(SINCE);
        let from = time::parse("the start", since, now, &Zone::Utc, Edge::Start)?;
        let until = match &self.until {
            Some(text) => Some(time::parse("the end", text, now, &Zone::Utc, Edge::End)?),
            None => None,
        };
        let to = until.unwrap_or(now);
        if from >= to {
            return Err(Error::Usage(
                "the start of the window is not before its end".to_owned(),
            ));
        }
        Ok(Question {
            text: self.q.trim().to_owned(),
            query: Query::parse(&self.q)?,
            from_ms: from.as_millisecond(),
            to_ms: to.as_millisecond(),
            to: until.map_or_else(|| LAST_TIME.to_owned(), time::stored),
            now_ms: now.as_millisecond(),
        })
    }
}

/// Returns a query with one more term, `field:value` or `-field:value`; the opposite of the term, where it is there, goes.
pub(super) fn with_term(query: &str, field: &str, value: &str, negated: bool) -> String {
    let (own, opposite) = (term(field, value, negated), term(field, value, !negated));
    let mut terms: Vec<_> = split(query.trim());
    terms.retain(|term| *term != opposite);
    if !terms.contains(&own) {
        terms.push(own);
    }
    terms.join(" ")
}

/// Writes a term. In quotes no character of a value has a meaning but `"` and `\`.
fn term(field: &str, value: &str, negated: bool) -> String {
    let sign = if negated { "-" } else { "" };
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return format!("{sign}{field}:{value}");
    }
    let value = value.replace('\\', r"\\").replace('"', r#"\""#);
    format!("{sign}{field}:\"{value}\"")
}

/// Divides a query at the spaces that are not within quotes.
fn split(query: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in query.chars() {
        if c.is_whitespace() && !is_quoted {
            terms.push(String::new());
            continue;
        }
        if c == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = c == '\\' && is_quoted && !is_escaped;
        if let Some(term) = terms.last_mut() {
            term.push(c);
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_added_once_and_replaces_its_opposite() {
        for (query, value, negated, expected) in [
            ("", "api", false, "worker:api"),
            ("level:error", "api", true, "level:error -worker:api"),
            ("worker:api", "api", false, "worker:api"),
            ("-worker:api x", "api", false, "x worker:api"),
            (
                r#""worker:api y""#,
                "a b",
                false,
                r#""worker:api y" worker:"a b""#,
            ),
            (r#""a \" b" c"#, "a", false, r#""a \" b" c worker:a"#),
            ("", r#"say "\" *"#, false, r#"worker:"say \"\\\" *""#),
        ] {
            assert_eq!(with_term(query, "worker", value, negated), expected);
        }
    }
}
