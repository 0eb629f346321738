//! A query as a condition for D1: only bound values, and no more than D1 takes. Its JSON is looked into only where it is
//! JSON, so that a row of another writer fails nobody's search. A unary `+` keeps SQLite from choosing a column's index:
//! `sql` chooses.

use std::ops::Bound;

use log_record::Level;

use super::Query;
use super::pattern::{Pattern, Span};
use super::term::{Kind, Member, MemberValue, Term, Test, number};
use super::text::{CARRIED, TextSearch};

/// The longest pattern of GLOB in bytes.
const GLOB_BYTES: usize = 50;

/// The context where it is JSON, else null.
const CONTEXT: &str = "CASE WHEN json_valid(context_json) THEN context_json END";

/// A condition and its parameters: `?1` is the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The condition, as it stands behind WHERE; nothing a user wrote is in it.
    pub sql: String,
    /// The values, in order.
    pub params: Vec<String>,
    /// Set where exactly the records that are meant fulfil it; else more do.
    pub is_exact: bool,
}

/// Collects bound values, each once.
#[derive(Debug, Default)]
pub(crate) struct Params(pub(crate) Vec<String>);

impl Params {
    /// Binds a value, and returns what stands for it.
    pub(crate) fn bind(&mut self, value: impl Into<String>) -> String {
        let value = value.into();
        let place = self.0.iter().position(|bound| *bound == value);
        let place = place.unwrap_or_else(|| {
            self.0.push(value);
            self.0.len() - 1
        });
        format!("?{}", place + 1)
    }

    /// A list of values, as it stands behind `IN`.
    pub(crate) fn bind_all(&mut self, values: &[String]) -> String {
        let list: Vec<_> = values.iter().map(|value| self.bind(value)).collect();
        format!("({})", list.join(", "))
    }
}

/// A condition, and whether it is exact.
struct Condition {
    sql: String,
    is_exact: bool,
}

impl Condition {
    fn exact(sql: String) -> Self {
        Self {
            sql,
            is_exact: true,
        }
    }

    /// Any of `conditions`.
    fn any(conditions: Vec<Self>) -> Self {
        Self {
            is_exact: conditions.iter().all(|one| one.is_exact),
            sql: match conditions.as_slice() {
                [] => "0".to_owned(),
                [only] => only.sql.clone(),
                _ => {
                    let all: Vec<_> = conditions.into_iter().map(|one| one.sql).collect();
                    format!("({})", all.join(" OR "))
                }
            },
        }
    }
}

impl Query {
    /// Returns the condition for D1.
    #[must_use]
    pub fn to_sql(&self) -> Clause {
        let mut params = Params::default();
        let (conditions, is_exact) = self.conditions(None, &mut params);
        Clause {
            sql: if conditions.is_empty() {
                "1".to_owned()
            } else {
                conditions.join(" AND ")
            },
            params: params.0,
            is_exact,
        }
    }

    /// Returns the conditions of all terms but that at `served`, and whether they are exact.
    pub(crate) fn conditions(
        &self,
        served: Option<usize>,
        params: &mut Params,
    ) -> (Vec<String>, bool) {
        let mut conditions = Vec::new();
        let mut is_exact = true;
        for (index, term) in self.terms.iter().enumerate() {
            if Some(index) == served || term.is_always_true() {
                continue;
            }
            let had = params.0.len();
            let condition = term.condition(params);
            is_exact &= condition.is_exact;
            if condition.is_exact || !term.negated {
                conditions.push(condition.sql);
            } else {
                params.0.truncate(had);
            }
        }
        (conditions, is_exact)
    }
}

impl Term {
    fn condition(&self, params: &mut Params) -> Condition {
        let condition = self.test.condition(params);
        if self.negated {
            return Condition {
                sql: format!("NOT ifnull({}, 0)", condition.sql),
                is_exact: condition.is_exact,
            };
        }
        condition
    }
}

impl Test {
    fn condition(&self, params: &mut Params) -> Condition {
        match self {
            Self::Worker(names) => fits("+worker_name", names, params),
            Self::Level(levels) => Condition::exact(level_is(levels)),
            Self::Kind(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
                let kinds = params.bind_all(&kinds);
                Condition::exact(format!("json_extract({CONTEXT}, '$.kind') IN {kinds}"))
            }
            Self::Status(spans) => Condition::exact(within("'$.status'", spans, params)),
            Self::Path(patterns) => fits(&text_at("'$.path'"), patterns, params),
            Self::Milliseconds(spans) => {
                let kind = params.bind(Kind::Invocation.as_str());
                let within = within("'$.latency_ms'", spans, params);
                Condition::exact(format!(
                    "(json_extract({CONTEXT}, '$.kind') = {kind} AND {within})"
                ))
            }
            Self::Id(beginnings) => {
                let begins = beginnings.iter().flat_map(|text| {
                    let text = params.bind(text);
                    ["correlation_id", "request_id"]
                        .map(|id| Condition::exact(begins_with(&format!("+{id}"), &text)))
                });
                Condition::any(begins.collect())
            }
            Self::CorrelationId(ids) => {
                Condition::exact(format!("+correlation_id IN {}", params.bind_all(ids)))
            }
            Self::RequestId(ids) => {
                Condition::exact(format!("+request_id IN {}", params.bind_all(ids)))
            }
            Self::Member(member) => member.condition(params),
            Self::Text(texts) => {
                Condition::any(texts.iter().map(|text| text.condition(params)).collect())
            }
            Self::Expression(expression) => {
                let fixed = expression.fixed().iter();
                let fixed: Vec<_> = fixed.map(|text| text.condition(params)).collect();
                Condition {
                    sql: if fixed.is_empty() {
                        "1".to_owned()
                    } else {
                        Condition::any(fixed).sql
                    },
                    is_exact: false,
                }
            }
        }
    }
}

/// Returns the condition that the level is one of these.
pub(crate) fn level_is(levels: &[Level]) -> String {
    let levels: Vec<_> = levels
        .iter()
        .map(|level| format!("'{}'", level.as_str()))
        .collect();
    format!("+log_level IN ({})", levels.join(", "))
}

/// Returns the member of the context at a path where it is a text, else null.
fn text_at(path: &str) -> String {
    format!(
        "CASE json_type({CONTEXT}, {path}) WHEN 'text' THEN json_extract({CONTEXT}, {path}) END"
    )
}

/// Returns the member of the context at a path where it is a number, else null.
fn number_at(path: &str) -> String {
    format!(
        "CASE WHEN json_type({CONTEXT}, {path}) IN ('integer', 'real') THEN json_extract({CONTEXT}, {path}) END"
    )
}

/// Returns the condition that the number at a path is in any of the ranges.
fn within(path: &str, spans: &[Span], params: &mut Params) -> String {
    let number = number_at(path);
    let spans = spans.iter().map(|Span(least, most)| {
        let mut bounds = Vec::new();
        let mut add = |operator: &str, bound: f64| {
            let bound = params.bind(bound.to_string());
            bounds.push(format!("{number} {operator} CAST({bound} AS REAL)"));
        };
        match least {
            Bound::Included(bound) => add(">=", *bound),
            Bound::Excluded(bound) => add(">", *bound),
            Bound::Unbounded => {}
        }
        match most {
            Bound::Included(bound) => add("<=", *bound),
            Bound::Excluded(bound) => add("<", *bound),
            Bound::Unbounded => {}
        }
        Condition::exact(format!("({})", bounds.join(" AND ")))
    });
    Condition::any(spans.collect()).sql
}

fn begins_with(column: &str, bound: &str) -> String {
    format!("substr({column}, 1, length({bound})) = {bound}")
}

/// Returns the condition that a text fits any of the patterns.
fn fits(column: &str, patterns: &[Pattern], params: &mut Params) -> Condition {
    let all = patterns.iter().map(|pattern| {
        if let Some(text) = pattern.exact() {
            return Condition::exact(format!("{column} = {}", params.bind(text)));
        }
        if let Some(text) = pattern.beginning() {
            return Condition::exact(begins_with(column, &params.bind(text)));
        }
        let glob = glob(pattern);
        if glob.len() <= GLOB_BYTES {
            return Condition::exact(format!("{column} GLOB {}", params.bind(glob)));
        }
        // Too long for D1: each of the texts is there, in any order.
        let parts = pattern.parts().iter().filter(|part| !part.is_empty());
        let parts = parts.map(|part| format!("instr({column}, {}) > 0", params.bind(part)));
        Condition {
            sql: format!("({})", parts.collect::<Vec<_>>().join(" AND ")),
            is_exact: false,
        }
    });
    Condition::any(all.collect())
}

/// Returns a pattern as GLOB has it, where `?` and `[` have a meaning as well.
fn glob(pattern: &Pattern) -> String {
    let part = |part: &String| part.replace('[', "[[]").replace('?', "[?]");
    let parts: Vec<_> = pattern.parts().iter().map(part).collect();
    parts.join("*")
}

impl Member {
    fn condition(&self, params: &mut Params) -> Condition {
        let places = self.places.iter().map(|place| {
            let names: Vec<_> = place.iter().map(|name| format!(".\"{name}\"")).collect();
            let path = params.bind(format!("${}", names.concat()));
            match &self.value {
                MemberValue::Any => {
                    Condition::exact(format!("json_type({CONTEXT}, {path}) IS NOT NULL"))
                }
                MemberValue::Number(span) => {
                    Condition::exact(within(&path, std::slice::from_ref(span), params))
                }
                MemberValue::Patterns(patterns) => {
                    let mut any = vec![fits(&text_at(&path), patterns, params)];
                    for text in patterns.iter().filter_map(Pattern::exact) {
                        if number(text).is_some() {
                            let number = number_at(&path);
                            let text = params.bind(text);
                            any.push(Condition::exact(format!("{number} = CAST({text} AS REAL)")));
                        } else if ["true", "false", "null"].contains(&text) {
                            let text = params.bind(text);
                            any.push(Condition::exact(format!(
                                "json_type({CONTEXT}, {path}) = {text}"
                            )));
                        }
                    }
                    Condition::any(any)
                }
            }
        });
        Condition::any(places.collect())
    }
}

impl TextSearch {
    /// Returns the condition that the message or what the line carried holds the text: see [`super::text::any_text`].
    fn condition(&self, params: &mut Params) -> Condition {
        let search = self.for_sql();
        let is_exact = *search == *self;
        let folds: Vec<_> = search
            .fold
            .pairs
            .iter()
            .map(|(from, to)| (params.bind(*from), params.bind(*to)))
            .collect();
        let folded = |text: &str| {
            if !search.fold.is_on {
                return text.to_owned();
            }
            let lower = format!("lower({text})");
            folds.iter().fold(lower, |text, (from, to)| {
                format!("replace({text}, {from}, {to})")
            })
        };
        let needle = params.bind(&search.needle);
        let holds = |text: &str| format!("instr({}, {needle}) > 0", folded(text));

        // Whatever carries the text has it as it is, or with escapes: a part that JSON escapes in no case shows at once
        // that neither is so, and spares the rest.
        let mut before = String::new();
        let (run, may_be_escaped) = search.longest_run();
        if !run.is_empty() {
            let run = params.bind(run);
            let plain = format!("instr({}, {run}) > 0", folded("context_json"));
            before = if may_be_escaped {
                format!("({plain} OR instr(context_json, '\\u') > 0) AND ")
            } else {
                format!("{plain} AND ")
            };
        }
        let members = CARRIED.map(|name| holds(&format!("{CONTEXT} -> '$.{name}'")));
        let paths = CARRIED.map(|name| format!("'$.{name}'")).join(", ");
        let strings = format!(
            "(instr(context_json, '\\') > 0 AND EXISTS (SELECT 1 FROM json_tree(json_extract({CONTEXT}, {paths})) AS part \
             WHERE (part.type = 'text' AND {}) OR (typeof(part.key) = 'text' AND {})))",
            holds("part.atom"),
            holds("part.key"),
        );
        Condition {
            sql: format!(
                "({} OR ({before}({} OR {strings})))",
                holds("message"),
                members.join(" OR ")
            ),
            is_exact,
        }
    }

    /// Returns the longest part of the needle that JSON need not escape, and whether some writers of JSON escape it, as
    /// `\u…`.
    fn longest_run(&self) -> (String, bool) {
        let is_plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || " _-.".contains(c);
        let runs = self.needle.split(|c| !is_plain(c));
        let run = runs.max_by_key(|run| run.len()).unwrap_or_default();
        (
            run.to_owned(),
            !run.is_ascii() || !self.fold.pairs.is_empty(),
        )
    }
}
