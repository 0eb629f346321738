//! The terms of a query, and the fields they are about.

use std::ops::Bound;

use log_record::Level;

use super::QueryError;
use super::expression::Expression;
use super::pattern::{Pattern, Span};
use super::text::TextSearch;
use super::value::{Operator, Value, only_value};

/// The fewest characters of the beginning of an id: fewer fit too much.
pub const LEAST_ID_CHARS: usize = 4;

/// A condition, or its opposite.
#[derive(Clone, Debug)]
pub struct Term {
    /// Set where the records are meant that do not fit.
    pub negated: bool,
    /// The condition.
    pub test: Test,
}

impl Term {
    /// Returns whether every record fits.
    pub(super) fn is_always_true(&self) -> bool {
        !self.negated
            && matches!(&self.test, Test::Level(levels) if levels.len() == Level::ALL.len())
    }
}

/// A condition: any of its values fits.
#[derive(Clone, Debug)]
pub enum Test {
    /// The Worker's name.
    Worker(Vec<Pattern>),
    /// The level is one of these.
    Level(Vec<Level>),
    /// The kind of record.
    Kind(Vec<Kind>),
    /// The status of the answer, on every record of the invocation.
    Status(Vec<Span>),
    /// The beginning of the request's path, on every record of the invocation.
    Path(Vec<Pattern>),
    /// The wall time of an invocation in milliseconds, on its invocation record.
    Milliseconds(Vec<Span>),
    /// The beginning of the correlation id or of the request id.
    Id(Vec<String>),
    /// The correlation id.
    CorrelationId(Vec<String>),
    /// The request id.
    RequestId(Vec<String>),
    /// A member of the context.
    Member(Member),
    /// A text in what the line says or carries.
    Text(Vec<TextSearch>),
    /// A regular expression over the same.
    Expression(Expression),
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The record of an invocation.
    Invocation,
    /// A console line.
    Log,
    /// An uncaught exception.
    Exception,
    /// An event of a diagnostics channel.
    Diagnostic,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Invocation,
        Self::Log,
        Self::Exception,
        Self::Diagnostic,
    ];

    /// Returns the stored form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invocation => "invocation",
            Self::Log => "log",
            Self::Exception => "exception",
            Self::Diagnostic => "diagnostic",
        }
    }
}

/// A member of the context, by the places where it may be, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The names from the context inwards; any of these leads to the member.
    pub(super) places: Vec<Vec<String>>,
    pub(super) value: MemberValue,
}

/// A value that a member must have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MemberValue {
    /// Any value.
    Any,
    /// One that fits any of these as text; a plain number or word fits such a JSON value, too.
    Patterns(Vec<Pattern>),
    /// A number in this range.
    Number(Span),
}

/// Members of the context that every record of an invocation has, by their names in a query. What a line itself calls so is
/// meant as well.
const SHARED: [&str; 3] = ["event_type", "method", "outcome"];

/// Names of columns, which are not fields of a query, and what to write instead.
const COLUMNS: [(&str, &str); 4] = [
    (
        "message",
        "write the text alone, in quotes where it has a space",
    ),
    ("timestamp", "use --since and --until"),
    (
        "execution_time_ms",
        "write ms, the wall time of an invocation",
    ),
    ("log_id", "write id, correlation_id or request_id"),
];

/// Returns whether `c` may stand in the name of a field, behind `before`.
pub(super) fn is_field(before: &str, c: char) -> bool {
    if before.is_empty() {
        return c.is_alphabetic() || matches!(c, '_' | '$' | '@');
    }
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@' | '/')
}

impl Test {
    /// Reads a condition about a field, whose name stands at `position`.
    pub(super) fn of_field(
        field: &str,
        operator: Operator,
        values: &[Value],
        position: usize,
    ) -> Result<Self, QueryError> {
        let is_only = || {
            if operator == Operator::Is {
                return Ok(());
            }
            Err(QueryError {
                position,
                message: format!("\"{field}\" has no order"),
                hint: format!("write {field}:VALUE"),
            })
        };
        let texts = || values.iter().map(|value| value.text.clone()).collect();
        if let Some((_, hint)) = COLUMNS.iter().find(|(name, _)| *name == field) {
            return Err(QueryError {
                position,
                message: format!("\"{field}\" is not a field of a query"),
                hint: format!("{hint}; a member of that name in the line's data is data.{field}"),
            });
        }
        Ok(match field {
            "worker" | "worker_name" => {
                is_only()?;
                Self::Worker(values.iter().map(Pattern::of_value).collect())
            }
            "level" | "log_level" => Self::Level(levels(operator, values)?),
            "kind" => {
                is_only()?;
                Self::Kind(values.iter().map(kind).collect::<Result<_, _>>()?)
            }
            "status" => Self::Status(spans(field, operator, values, status)?),
            "path" => {
                is_only()?;
                let patterns = values.iter().map(Pattern::of_value);
                Self::Path(patterns.map(Pattern::into_beginning).collect())
            }
            "ms" => Self::Milliseconds(spans(field, operator, values, milliseconds)?),
            "id" => {
                is_only()?;
                for value in values {
                    if value.text.chars().count() < LEAST_ID_CHARS {
                        return Err(value.error(
                            "is too short for the beginning of an id",
                            &format!("write at least {LEAST_ID_CHARS} characters"),
                        ));
                    }
                }
                let ids = values.iter();
                Self::Id(
                    ids.map(|value| super::without_data_centre(&value.text).to_owned())
                        .collect(),
                )
            }
            "correlation_id" => {
                is_only()?;
                Self::CorrelationId(texts())
            }
            "request_id" => {
                is_only()?;
                Self::RequestId(texts())
            }
            _ => Self::Member(Member::of_field(field, operator, values)?),
        })
    }

    /// Returns the number of alternatives.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Worker(values) | Self::Path(values) => values.len(),
            Self::Level(levels) => levels.len(),
            Self::Kind(kinds) => kinds.len(),
            Self::Status(spans) | Self::Milliseconds(spans) => spans.len(),
            Self::Id(ids) | Self::CorrelationId(ids) | Self::RequestId(ids) => ids.len(),
            Self::Member(member) => match &member.value {
                MemberValue::Patterns(patterns) => patterns.len(),
                MemberValue::Any | MemberValue::Number(_) => 1,
            },
            Self::Text(texts) => texts.len(),
            Self::Expression(_) => 1,
        }
    }
}

impl Member {
    fn of_field(field: &str, operator: Operator, values: &[Value]) -> Result<Self, QueryError> {
        let path = |root: &[&str], name: &str| {
            let names = name.split('.').filter(|name| !name.is_empty());
            let root = root.iter().copied();
            root.chain(names).map(str::to_owned).collect::<Vec<_>>()
        };
        let name = field.strip_prefix("data.").unwrap_or(field);
        let mut places = vec![path(&["data"], name)];
        if name.contains('.') {
            // Loggers write `order.id` as a name, too.
            places.push(vec!["data".to_owned(), name.to_owned()]);
        }
        if SHARED.contains(&field) {
            places.push(vec![field.to_owned()]);
        }
        let value = if operator == Operator::Is {
            let patterns: Vec<_> = values.iter().map(Pattern::of_value).collect();
            if patterns.contains(&Pattern::new("*")) {
                MemberValue::Any
            } else {
                MemberValue::Patterns(patterns)
            }
        } else {
            let value = only_value(values, field)?;
            let number = number(&value.text).ok_or_else(|| {
                value.error(
                    "is not a number",
                    &format!("write {field}>=5, or {field}:TEXT"),
                )
            })?;
            MemberValue::Number(Span::of(operator, number))
        };
        Ok(Self { places, value })
    }
}

/// Reads a plain number.
pub(super) fn number(text: &str) -> Option<f64> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    text.parse()
        .ok()
        .filter(|number: &f64| is_plain && number.is_finite())
}

fn levels(operator: Operator, values: &[Value]) -> Result<Vec<Level>, QueryError> {
    let read = |value: &Value| {
        Level::from_alias(&value.text).ok_or_else(|| {
            let names = Level::ALL.map(Level::as_str).join(", ");
            value.error("is not a level", &format!("the levels are {names}"))
        })
    };
    let all = Level::ALL.into_iter();
    if operator == Operator::Is {
        let stated: Vec<_> = values.iter().map(read).collect::<Result<_, _>>()?;
        return Ok(all.filter(|level| stated.contains(level)).collect());
    }
    let bound = read(only_value(values, "level")?)?;
    Ok(all
        .filter(|level| match operator {
            Operator::Is => *level == bound,
            Operator::AtLeast => *level >= bound,
            Operator::Above => *level > bound,
            Operator::AtMost => *level <= bound,
            Operator::Below => *level < bound,
        })
        .collect())
}

fn kind(value: &Value) -> Result<Kind, QueryError> {
    let found = Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == value.text);
    found.ok_or_else(|| {
        let names = Kind::ALL.map(Kind::as_str).join(", ");
        value.error("is not a kind of record", &format!("the kinds are {names}"))
    })
}

/// Reads ranges of numbers. `read` reads the range of a value behind `:`; other operators compare with its beginning.
fn spans(
    field: &str,
    operator: Operator,
    values: &[Value],
    read: fn(&Value) -> Result<Span, QueryError>,
) -> Result<Vec<Span>, QueryError> {
    if operator == Operator::Is {
        return values.iter().map(read).collect();
    }
    let Span(Bound::Included(number), _) = read(only_value(values, field)?)? else {
        return Ok(Vec::new());
    };
    Ok(vec![Span::of(operator, number)])
}

fn status(value: &Value) -> Result<Span, QueryError> {
    let text = value.text.as_str();
    let error = || {
        value.error(
            "is not a status",
            "write one such as 503, or 5xx for all of 500 to 599; a member status in the line's data is data.status",
        )
    };
    if let Some(class) = text.strip_suffix("xx") {
        let class: u8 = class.parse().map_err(|_| error())?;
        if !(1..=9).contains(&class) {
            return Err(error());
        }
        let first = f64::from(class) * 100.0;
        return Ok(Span(Bound::Included(first), Bound::Excluded(first + 100.0)));
    }
    let number: u16 = text.parse().map_err(|_| error())?;
    Ok(Span::of(Operator::Is, f64::from(number)))
}

fn milliseconds(value: &Value) -> Result<Span, QueryError> {
    let text = value.text.as_str();
    let text = text.strip_suffix("ms").unwrap_or(text);
    let number = match text.strip_suffix('s') {
        Some(seconds) => number(seconds).map(|seconds| seconds * 1000.0),
        None => number(text),
    };
    let number = number.ok_or_else(|| {
        value.error(
            "is not a number of milliseconds",
            "write ms>=500, or ms>=1.5s",
        )
    })?;
    Ok(Span::of(Operator::Is, number))
}
