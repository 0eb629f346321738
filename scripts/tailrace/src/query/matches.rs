//! A query on a record in memory: it decides what SQL cannot, and searches records that D1 does not hold.

use log_record::Level;
use serde_json::Value;

use super::Query;
use super::pattern::Pattern;
use super::term::{Kind, Member, MemberValue, Term, Test, number};
use crate::record::Row;

impl Query {
    /// Returns whether a record is meant.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.terms.iter().all(|term| term.matches(row))
    }

    /// Returns whether a record of this Worker and level may be meant, as far as these tell.
    #[must_use]
    pub fn may_mean(&self, worker: &str, level: Level) -> bool {
        self.terms.iter().all(|term| match &term.test {
            Test::Worker(names) => any_fits(names, worker) != term.negated,
            Test::Level(levels) => levels.contains(&level) != term.negated,
            _ => true,
        })
    }

    /// Returns whether nothing but invocations and exceptions can be meant.
    #[must_use]
    pub fn means_no_lines(&self) -> bool {
        self.terms.iter().any(|term| {
            !term.negated
                && match &term.test {
                    Test::Kind(kinds) => kinds
                        .iter()
                        .all(|kind| matches!(kind, Kind::Invocation | Kind::Exception)),
                    Test::Milliseconds(_) => true,
                    _ => false,
                }
        })
    }
}

impl Term {
    fn matches(&self, row: &Row) -> bool {
        self.test.matches(row) != self.negated
    }
}

impl Test {
    fn matches(&self, row: &Row) -> bool {
        let has = |stored: &Option<String>, ids: &[String]| {
            stored.as_ref().is_some_and(|stored| ids.contains(stored))
        };
        match self {
            Self::Worker(names) => any_fits(names, &row.worker_name),
            Self::Level(levels) => levels.iter().any(|level| level.as_str() == row.log_level),
            Self::Kind(kinds) => kinds.iter().any(|kind| kind.as_str() == row.kind()),
            Self::Status(spans) => {
                let status = row.fact("status").and_then(Value::as_f64);
                status.is_some_and(|status| spans.iter().any(|span| span.contains(status)))
            }
            Self::Path(patterns) => {
                let path = row.fact("path").and_then(Value::as_str);
                path.is_some_and(|path| any_fits(patterns, path))
            }
            Self::Milliseconds(spans) => {
                row.kind() == Kind::Invocation.as_str()
                    && row
                        .latency_ms()
                        .is_some_and(|ms| spans.iter().any(|span| span.contains(ms)))
            }
            Self::Id(beginnings) => [&row.correlation_id, &row.request_id]
                .into_iter()
                .flatten()
                .any(|id| {
                    beginnings
                        .iter()
                        .any(|begin| id.starts_with(begin.as_str()))
                }),
            Self::CorrelationId(ids) => has(&row.correlation_id, ids),
            Self::RequestId(ids) => has(&row.request_id, ids),
            Self::Member(member) => member.matches(row),
            Self::Text(texts) => texts.iter().any(|text| text.matches(row)),
            Self::Expression(expression) => expression.matches(row),
        }
    }
}

impl Member {
    fn matches(&self, row: &Row) -> bool {
        self.places.iter().any(|place| {
            let Some((first, rest)) = place.split_first() else {
                return false;
            };
            let mut value = row.fact(first);
            for name in rest {
                value = value.and_then(|value| value.as_object()?.get(name));
            }
            value.is_some_and(|value| self.value.matches(value))
        })
    }
}

impl MemberValue {
    fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Number(span) => value.as_f64().is_some_and(|number| span.contains(number)),
            Self::Patterns(patterns) => patterns.iter().any(|pattern| match value {
                Value::String(text) => pattern.matches(text),
                Value::Number(stored) => {
                    let meant = pattern.exact().and_then(number);
                    meant.is_some() && meant == stored.as_f64()
                }
                Value::Bool(true) => pattern.exact() == Some("true"),
                Value::Bool(false) => pattern.exact() == Some("false"),
                Value::Null => pattern.exact() == Some("null"),
                Value::Array(_) | Value::Object(_) => false,
            }),
        }
    }
}

fn any_fits(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}
