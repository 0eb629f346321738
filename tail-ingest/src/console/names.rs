//! Names of members as loggers spell them: `correlation_id`, `correlationId` and `correlation.id` are one name.

use std::borrow::Cow;

use crate::correlation::IdKind;
use crate::json::Json;
use crate::redaction::triggers::Triggers;

/// The longest name that has a canonical form, in bytes: `logging.googleapis.com/trace` has 26 without its dots.
const LONGEST: usize = 32;

/// A name in lower case, without `_`, `-` and `.`; empty where it is longer than any name that means something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Canonical {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Returns the canonical form of `name`.
pub(crate) fn canonical(name: &str) -> Canonical {
    let mut canonical = Canonical {
        bytes: [0; LONGEST],
        length: 0,
    };
    for byte in name
        .bytes()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b'.'))
    {
        let Some(slot) = canonical.bytes.get_mut(canonical.length) else {
            canonical.length = 0;
            return canonical;
        };
        *slot = byte.to_ascii_lowercase();
        canonical.length += 1;
    }
    canonical
}

/// The role that a member's name gives it in a console line. Most names have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A level; the smaller the number, the better the name.
    Level(usize),
    /// A message; the smaller the number, the better the name.
    Message(usize),
    /// An id.
    Id(IdKind),
    /// An id at the end of a path: Google's `projects/p/traces/<id>`.
    TracePath,
    /// An object whose member of this name is an id: `trace.id`, `dd.trace_id`, `req.id`.
    IdWithin(IdKind, &'static str),
    /// The Elastic Common Schema's `log`, an object with a level.
    Log,
    /// tslog's `_meta`, an object with a level.
    Meta,
    /// `context`: data, and roarr's level.
    Context,
    /// OpenTelemetry's `severityNumber`.
    SeverityNumber,
    /// No role by its canonical name.
    Other,
}

/// The beginnings of the names that have a role, and of names that begin with what is left out.
static BEGINNINGS: Triggers = Triggers::new(
    &[
        &["lev", "log", "lvl"],
        &["sev", "sho"],
        &["mes", "msg"],
        &["tex", "tra"],
        &["bod"],
        &["cor", "con"],
        &["req", "ren"],
        &["dd", "d.d", "d_d", "d-d"],
        &["@l", "@m", "@tr"],
        &["0"],
        &["ote"],
        &["_", "-", "."],
    ],
    true,
);

impl Role {
    /// Returns the role of the member `name`.
    pub(crate) fn of(name: &str) -> Self {
        if !BEGINNINGS.may_begin(name.as_bytes()) {
            return Self::Other;
        }
        match canonical(name).as_bytes() {
            b"level" => Self::Level(0),
            b"severity" => Self::Level(1),
            b"loglevel" => Self::Level(2),
            b"severitytext" => Self::Level(3),
            b"levelname" => Self::Level(4),
            b"lvl" => Self::Level(5),
            // Serilog's, and that of HashiCorp's hclog.
            b"@l" | b"@level" => Self::Level(6),
            b"message" => Self::Message(0),
            b"msg" => Self::Message(1),
            b"text" => Self::Message(2),
            b"body" => Self::Message(3),
            b"shortmessage" => Self::Message(4),
            b"0" => Self::Message(5),
            b"@m" | b"@message" | b"renderedmessage" => Self::Message(6),
            b"@mt" | b"messagetemplate" => Self::Message(7),
            b"correlationid" => Self::Id(IdKind::Correlation),
            // The last two are Serilog's, and that of OpenTelemetry in Python.
            b"traceid" | b"ddtraceid" | b"@tr" | b"oteltraceid" => Self::Id(IdKind::Trace),
            b"logginggoogleapiscom/trace" => Self::TracePath,
            b"requestid" | b"reqid" => Self::Id(IdKind::Request),
            b"trace" => Self::IdWithin(IdKind::Trace, "id"),
            b"dd" => Self::IdWithin(IdKind::Trace, "trace_id"),
            b"req" | b"request" => Self::IdWithin(IdKind::Request, "id"),
            b"log" => Self::Log,
            b"meta" if name == "_meta" => Self::Meta,
            b"context" => Self::Context,
            b"severitynumber" => Self::SeverityNumber,
            _ => Self::Other,
        }
    }
}

/// A member of an object that somebody logged.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) role: Role,
    pub(crate) value: Json<'a>,
    /// The members of a `context` that is an object: level, id and data are looked for in them.
    pub(crate) inner: Vec<Member<'a>>,
}

/// Returns the object that `text` is, if it is one, and its members.
pub(crate) fn read_members(text: &str) -> Option<(Json<'_>, Vec<Member<'_>>)> {
    let (object, mut members) = read_flat(text)?;
    for member in &mut members {
        if member.role == Role::Context {
            let inner = read_flat(member.value.text());
            member.inner = inner.map(|(_, inner)| inner).unwrap_or_default();
        }
    }
    Some((object, members))
}

fn read_flat(text: &str) -> Option<(Json<'_>, Vec<Member<'_>>)> {
    Json::read_object(text, |name, value| Member {
        role: Role::of(&name),
        name,
        value,
        inner: Vec::new(),
    })
}

/// Returns the value of the first of `members` with this name.
pub(crate) fn find_member<'a>(members: &[Member<'a>], name: &str) -> Option<Json<'a>> {
    let member = members.iter().find(|member| member.name == name)?;
    Some(member.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_the_same() {
        for name in [
            "correlation_id",
            "correlationId",
            "Correlation-ID",
            "correlation.id",
        ] {
            assert_eq!(canonical(name).as_bytes(), b"correlationid");
        }
        assert_eq!(canonical(&"x".repeat(33)).as_bytes(), b"");
        assert_eq!(canonical("ünder").as_bytes(), "ünder".as_bytes());
    }

    #[test]
    fn names_with_a_role_have_it_in_every_spelling() {
        for name in [
            "level",
            "severity",
            "log_level",
            "logLevel",
            "severityText",
            "levelname",
            "level_name",
            "lvl",
            "LEVEL",
            "@l",
            "@level",
            "message",
            "msg",
            "text",
            "body",
            "short_message",
            "0",
            "@m",
            "@mt",
            "@message",
            "RenderedMessage",
            "MessageTemplate",
            "correlation_id",
            "CorrelationId",
            "traceId",
            "trace.id",
            "dd.trace_id",
            "dd_trace_id",
            "ddTraceId",
            "@tr",
            "otelTraceID",
            "Request-ID",
            "reqId",
            "trace",
            "dd",
            "req",
            "request",
            "log",
            "_meta",
            "_level",
            "context",
            "severityNumber",
            "logging.googleapis.com/trace",
        ] {
            assert_ne!(Role::of(name), Role::Other, "{name}");
        }
        for name in ["customer", "retries", "lever", "meta", "data", "d", ""] {
            assert_eq!(Role::of(name), Role::Other, "{name}");
        }
    }
}
