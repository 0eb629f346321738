//! Correlation ids: the names and places that hold one, and which of several wins. docs/correlation-ids.md has the same
//! in one table.

use std::borrow::Cow;

use crate::console::names::{Member, Role};
use crate::json::Json;
use crate::settings::CORRELATION_HEADERS;

/// The longest correlation id, in bytes: a longer one is cut to this, and the line's context keeps all of it.
pub(crate) const CORRELATION_BYTES: usize = 256;

/// A number below this counts something; an id has more digits.
const LEAST_NUMBER: u64 = 1_000_000_000;

/// The members of a line whose own members count as the line's context: `fields`, `span` and `spans` as Rust's `tracing`
/// has them, then those of Effect, monolog, Java's loggers, Ruby's `semantic_logger` and .NET.
const CONTEXT_NAMES: [&str; 12] = [
    "context",
    "properties",
    "attributes",
    "fields",
    "span",
    "spans",
    "annotations",
    "extra",
    "mdc",
    "contextMap",
    "named_tags",
    "Scopes",
];

/// Texts in place of an id that mean that there is none, besides zeros and dashes.
const NONE_IDS: [&str; 5] = ["undefined", "null", "none", "nil", "n/a"];

/// The kinds of ids, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IdKind {
    /// A correlation id by name.
    Correlation,
    /// A tracer's id.
    Trace,
    /// A request's id.
    Request,
}

/// The places of an id in a console line, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IdPlace {
    /// The structured line itself.
    Line,
    /// Its `context`, `properties`, `attributes`, `fields` or `span`.
    Context,
    /// An object beside other arguments, and what is nested in it.
    Payload,
}

/// An id that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundId<'a> {
    pub(crate) kind: IdKind,
    pub(crate) place: IdPlace,
    pub(crate) id: Cow<'a, str>,
    /// The index of the member that holds it, where it is one of the object's own.
    pub(crate) member: Option<usize>,
}

impl FoundId<'_> {
    /// Returns the better of two: the better kind, then the nearer place.
    pub(crate) fn better(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => {
                let other_wins = (other.kind, other.place) < (one.kind, one.place);
                Some(if other_wins { other } else { one })
            }
            (one, other) => one.or(other),
        }
    }
}

/// Returns the best id among the `members` of an object at `place`.
pub(crate) fn find_id<'a>(members: &[Member<'a>], place: IdPlace) -> Option<FoundId<'a>> {
    let mut best = None;
    for (index, member) in members.iter().enumerate() {
        let value = member.value;
        if let Some((kind, id)) = read_member(member.role, value)
            && (place < IdPlace::Payload || kind < IdKind::Request)
        {
            // A member that holds more than the id stays with the data.
            let member = (value.display() == id).then_some(index);
            let found = FoundId {
                kind,
                place,
                id,
                member,
            };
            best = FoundId::better(best, Some(found));
        }
        if place == IdPlace::Context || !(value.is_object() || value.is_array()) {
            continue;
        }
        let inner_place = match member.name.as_ref() {
            "context" if value.is_object() => {
                let own = member.inner.iter().map(|inner| (inner.role, inner.value));
                let found = best_nested_id(own, place.max(IdPlace::Context));
                best = FoundId::better(best, found);
                continue;
            }
            name if is_context_name(name) => place.max(IdPlace::Context),
            // The further arguments of a call, as tslog and consola write them.
            "args" => IdPlace::Payload,
            name if name.bytes().all(|byte| byte.is_ascii_digit()) => IdPlace::Payload,
            _ => continue,
        };
        for object in value
            .elements()
            .chain([value])
            .filter(|inner| inner.is_object())
        {
            best = FoundId::better(best, find_nested_id(object, inner_place));
        }
    }
    best
}

fn is_context_name(name: &str) -> bool {
    CONTEXT_NAMES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Returns the best id among an inner object's members. It stays where it is: the object is kept whole.
fn find_nested_id(object: Json<'_>, place: IdPlace) -> Option<FoundId<'_>> {
    let members = object.members();
    best_nested_id(members.map(|(name, value)| (Role::of(&name), value)), place)
}

fn best_nested_id<'a>(
    members: impl Iterator<Item = (Role, Json<'a>)>,
    place: IdPlace,
) -> Option<FoundId<'a>> {
    let ids = members.filter_map(|(role, value)| {
        let (kind, id) = read_member(role, value)?;
        (place < IdPlace::Payload || kind < IdKind::Request).then_some((kind, id))
    });
    let (kind, id) = ids.min_by_key(|(kind, _)| *kind)?;
    Some(FoundId {
        kind,
        place,
        id,
        member: None,
    })
}

/// Returns the id that a member of this `role` holds, and its kind.
fn read_member(role: Role, value: Json<'_>) -> Option<(IdKind, Cow<'_, str>)> {
    let (kind, value) = match role {
        Role::Id(kind) => (kind, value),
        Role::TracePath => (IdKind::Trace, value),
        Role::IdWithin(kind, name) => (kind, value.get(name)?),
        _ => return None,
    };
    let id = match (role, read_id(value, kind)?) {
        (Role::TracePath, Cow::Borrowed(path)) => {
            Cow::Borrowed(path.rsplit('/').next().unwrap_or(path))
        }
        (_, id) => id,
    };
    (!is_none_id(&id)).then_some((kind, id))
}

/// Returns the id that `value` is: text, or a number as it is written; `None` for what means "none" and for counters.
fn read_id(value: Json<'_>, kind: IdKind) -> Option<Cow<'_, str>> {
    if value.is_number() {
        let is_counter = value.as_whole().is_none_or(|number| number < LEAST_NUMBER);
        return (!is_counter).then_some(Cow::Borrowed(value.text()));
    }
    let id = value.as_text()?;
    let text = id.trim();
    if is_none_id(text) || (kind == IdKind::Request && is_counter(text)) {
        return None;
    }
    Some(match id {
        Cow::Borrowed(id) => Cow::Borrowed(id.trim()),
        Cow::Owned(id) => Cow::Owned(id.trim().to_owned()),
    })
}

/// Returns whether `text` stands for the absence of an id: all zeros (OpenTelemetry, Datadog), `-`, nothing, or a word of
/// [`NONE_IDS`].
pub(crate) fn is_none_id(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0' | b'-'))
        || NONE_IDS.iter().any(|none| none.eq_ignore_ascii_case(text))
}

/// Returns whether `text` counts requests of one process: a small number, or Fastify's `req-1`.
fn is_counter(text: &str) -> bool {
    text.parse::<u64>()
        .is_ok_and(|number| number < LEAST_NUMBER)
        || text
            .strip_prefix("req-")
            .is_some_and(|rest| rest.len() <= 3)
}

/// Returns the kind of id that a header brings.
fn header_kind(name: &str) -> IdKind {
    match name {
        "x-correlation-id" => IdKind::Correlation,
        "x-request-id" | "request-id" => IdKind::Request,
        known if CORRELATION_HEADERS.contains(&known) => IdKind::Trace,
        // The operator named it.
        _ => IdKind::Correlation,
    }
}

/// Returns the id in the value of the header `name` (in lower case), by that header's own syntax; the whole value of a
/// header without one, if it is printable and at most 256 bytes.
pub(crate) fn read_header(name: &str, value: &str) -> Option<(IdKind, String)> {
    let value = value.trim();
    let hex = |id: &str, lengths: &[usize]| {
        let is_hex = lengths.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| id.to_ascii_lowercase())
    };
    let first = |separator: char| value.split(separator).next().unwrap_or_default();
    let id = match name {
        // https://www.w3.org/TR/trace-context/#traceparent-header: version-trace-parent-flags
        "traceparent" => hex(value.split('-').nth(1)?, &[32])?,
        // https://github.com/openzipkin/b3-propagation: trace-span-sampled, or a lone sampling decision
        "b3" => hex(first('-'), &[16, 32])?,
        "x-b3-traceid" => hex(value, &[16, 32])?,
        // https://develop.sentry.dev/sdk/telemetry/traces/: trace-span-sampled
        "sentry-trace" => hex(first('-'), &[32])?,
        "x-datadog-trace-id" => {
            let is_decimal = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            is_decimal.then(|| value.to_owned())?
        }
        // https://cloud.google.com/trace/docs/trace-context: trace/span;o=options
        "x-cloud-trace-context" => hex(value.split(['/', ';']).next()?, &[32])?,
        // https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html: Root=…;Parent=…;Sampled=…
        "x-amzn-trace-id" => value
            .split(';')
            .find_map(|part| part.trim().strip_prefix("Root="))?
            .to_owned(),
        _ => {
            let is_printable =
                value.len() <= CORRELATION_BYTES && value.chars().all(|c| !c.is_control());
            is_printable.then(|| value.to_owned())?
        }
    };
    (!is_none_id(&id)).then(|| (header_kind(name), id))
}

/// Returns the id of a line in a request that brought `header`: the better kind wins, then the line's own. A request id
/// in a line counts only where the request brought no id.
pub(crate) fn resolve<'c>(
    line: Option<(IdKind, &'c str)>,
    header: Option<(IdKind, &'c str)>,
) -> Option<&'c str> {
    match (line, header) {
        (Some((line_kind, line)), Some((header_kind, header))) => {
            let line_wins = line_kind < IdKind::Request && line_kind <= header_kind;
            Some(if line_wins { line } else { header })
        }
        (Some((_, id)), None) | (None, Some((_, id))) => Some(id),
        (None, None) => None,
    }
}

/// Returns an id cut to [`CORRELATION_BYTES`].
pub(crate) fn cut_id(id: &str) -> &str {
    id.get(..id.floor_char_boundary(CORRELATION_BYTES))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::names::read_members;

    fn id_of(object: &str, place: IdPlace) -> Option<String> {
        let (_, members) = read_members(object).unwrap();
        find_id(&members, place).map(|found| found.id.into_owned())
    }

    #[test]
    fn the_best_name_wins_then_the_nearest_place() {
        for (object, id) in [
            (r#"{"trace_id":"t","correlation_id":"c"}"#, "c"),
            (r#"{"request_id":"r","traceId":"t"}"#, "t"),
            (r#"{"requestId":"r"}"#, "r"),
            (r#"{"trace_id":"t","context":{"correlationId":"c"}}"#, "c"),
            (
                r#"{"context":{"trace_id":"far"},"trace.id":"near"}"#,
                "near",
            ),
            (r#"{"properties":{"traceId":"t"}}"#, "t"),
            (r#"{"trace":{"id":"t"}}"#, "t"),
            (
                r#"{"dd":{"trace_id":"1234567890123456789"}}"#,
                "1234567890123456789",
            ),
            (
                r#"{"dd.trace_id":1234567890123456789}"#,
                "1234567890123456789",
            ),
            (r#"{"req":{"id":"r-77"}}"#, "r-77"),
            (
                r#"{"logging.googleapis.com/trace":"projects/p/traces/abc"}"#,
                "abc",
            ),
            (r#"{"0":"m","1":{"traceId":"t"},"_meta":{}}"#, "t"),
            (r#"{"type":"info","args":["m",{"correlationId":"c"}]}"#, "c"),
            (r#"{"@mt":"m","@tr":"t"}"#, "t"),
            (r#"{"otelTraceID":"t"}"#, "t"),
            (r#"{"correlation_id":"42"}"#, "42"),
            (r#"{"correlation_id":" spaced "}"#, "spaced"),
        ] {
            assert_eq!(
                id_of(object, IdPlace::Line).as_deref(),
                Some(id),
                "{object}"
            );
        }
    }

    #[test]
    fn absent_ids_and_counters_are_not_ids() {
        for object in [
            r#"{"trace_id":"00000000000000000000000000000000"}"#,
            r#"{"trace_id":"0"}"#,
            r#"{"trace_id":0}"#,
            r#"{"correlation_id":""}"#,
            r#"{"correlation_id":"-"}"#,
            r#"{"correlation_id":"undefined"}"#,
            r#"{"correlation_id":"null"}"#,
            r#"{"logging.googleapis.com/trace":"projects/p/traces/00000000000000000000000000000000"}"#,
            r#"{"correlation_id":"None"}"#,
            r#"{"correlation_id":"N/A"}"#,
            r#"{"otelTraceID":"0"}"#,
            r#"{"correlation_id":null}"#,
            r#"{"correlation_id":["a"]}"#,
            r#"{"trace_id":"00000000-0000-0000-0000-000000000000"}"#,
            r#"{"reqId":17}"#,
            r#"{"reqId":"17"}"#,
            r#"{"reqId":"req-1a"}"#,
            r#"{"xray_trace_id":"1-2-3"}"#,
        ] {
            assert_eq!(id_of(object, IdPlace::Line), None, "{object}");
        }
        assert_eq!(id_of(r#"{"requestId":"r"}"#, IdPlace::Payload), None);
        assert_eq!(
            id_of(r#"{"traceId":"t"}"#, IdPlace::Payload).as_deref(),
            Some("t")
        );
        for nested in [
            r#"{"fields":{"message":"m","request_id":"c"}}"#,
            r#"{"span":{"name":"s","trace_id":"c"}}"#,
            r#"{"spans":[{"name":"s"},{"correlation_id":"c"}]}"#,
            r#"{"annotations":{"traceId":"c"},"logLevel":"INFO"}"#,
            r#"{"mdc":{"traceId":"c"}}"#,
            r#"{"extra":{"request_id":"c"}}"#,
            r#"{"Properties":{"CorrelationId":"c"}}"#,
            r#"{"Scopes":[{"Message":"m","TraceId":"c"}]}"#,
        ] {
            assert_eq!(
                id_of(nested, IdPlace::Line).as_deref(),
                Some("c"),
                "{nested}"
            );
        }
        let nested = r#"{"context":{"request_id":"r","correlation_id":"c"}}"#;
        assert_eq!(id_of(nested, IdPlace::Payload).as_deref(), Some("c"));
    }

    #[test]
    fn headers_are_read_by_their_own_syntax() {
        for (name, value, id) in [
            (
                "traceparent",
                "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "4bf92f3577b34da6a3ce929d0e0e4736",
            ),
            (
                "b3",
                "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
                "80f198ee56343ba864fe8b2a57d3eff7",
            ),
            ("x-b3-traceid", "e457b5a2e4d86bd1", "e457b5a2e4d86bd1"),
            (
                "sentry-trace",
                "60069cc1ad20efb49eed40a7f47f1b8f-932954b3a43dbd9f-1",
                "60069cc1ad20efb49eed40a7f47f1b8f",
            ),
            (
                "x-datadog-trace-id",
                "1234567890123456789",
                "1234567890123456789",
            ),
            (
                "x-cloud-trace-context",
                "105445aa7843bc8bf206b12000100000/1;o=1",
                "105445aa7843bc8bf206b12000100000",
            ),
            (
                "x-amzn-trace-id",
                "Self=1-x;Root=1-67891233-abcdef012345678912345678;Sampled=1",
                "1-67891233-abcdef012345678912345678",
            ),
            ("x-trace-id", " tr-77 ", "tr-77"),
            ("x-vendor-id", "fra1::abc", "fra1::abc"),
        ] {
            assert_eq!(read_header(name, value).unwrap().1, id, "{name}");
        }
        for (name, value) in [
            (
                "traceparent",
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            ),
            ("traceparent", "nonsense"),
            ("b3", "0"),
            ("x-datadog-trace-id", "0"),
            ("x-amzn-trace-id", "Sampled=1"),
            ("x-correlation-id", ""),
            ("x-correlation-id", "a\u{7}b"),
        ] {
            assert_eq!(read_header(name, value), None, "{name}: {value}");
        }
        assert_eq!(read_header("x-vendor-id", &"x".repeat(257)), None);
    }

    #[test]
    fn a_request_keeps_its_lines_together() {
        use IdKind::{Correlation, Request, Trace};
        for (line, header, id) in [
            (None, None, None),
            (None, Some((Trace, "h")), Some("h")),
            (
                Some((Correlation, "l")),
                Some((Correlation, "h")),
                Some("l"),
            ),
            (Some((Trace, "l")), Some((Correlation, "h")), Some("h")),
            (Some((Trace, "l")), Some((Trace, "h")), Some("l")),
            (Some((Trace, "l")), Some((Request, "h")), Some("l")),
            (Some((Request, "l")), Some((Request, "h")), Some("h")),
            (Some((Request, "l")), None, Some("l")),
        ] {
            assert_eq!(resolve(line, header), id, "{line:?} {header:?}");
        }
    }
}
