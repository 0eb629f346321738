//! Names of members as loggers spell them: `correlation_id`, `correlationId` and `correlation.id` are one name.

use std::borrow::Cow;

use crate::correlation::IdKind;
use crate::json::Json;

/// The longest name that has a canonical form, in bytes: `logging.googleapis.com/trace` has 26 without its dots.
const LONGEST: usize = 32;

/// A name in lower case, without `_`, `-` and `.`; empty where it is longer than any name that means something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Canonical {
    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
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

impl Role {
    /// Returns the role of the member `name`.
    pub(crate) fn of(name: &str) -> Self {
        match canonical(name).as_str() {
            "level" => Self::Level(0),
            "severity" => Self::Level(1),
            "loglevel" => Self::Level(2),
            "severitytext" => Self::Level(3),
            "levelname" => Self::Level(4),
            "lvl" => Self::Level(5),
            // Serilog's.
            "@l" => Self::Level(6),
            "message" => Self::Message(0),
            "msg" => Self::Message(1),
            "text" => Self::Message(2),
            "body" => Self::Message(3),
            "shortmessage" => Self::Message(4),
            "0" => Self::Message(5),
            "@m" => Self::Message(6),
            "@mt" => Self::Message(7),
            "correlationid" => Self::Id(IdKind::Correlation),
            "traceid" | "ddtraceid" => Self::Id(IdKind::Trace),
            "logginggoogleapiscom/trace" => Self::TracePath,
            "requestid" | "reqid" => Self::Id(IdKind::Request),
            "trace" => Self::IdWithin(IdKind::Trace, "id"),
            "dd" => Self::IdWithin(IdKind::Trace, "trace_id"),
            "req" | "request" => Self::IdWithin(IdKind::Request, "id"),
            "log" => Self::Log,
            "meta" if name == "_meta" => Self::Meta,
            "context" => Self::Context,
            "severitynumber" => Self::SeverityNumber,
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

/// Room for the members that most loggers write.
const USUAL_MEMBERS: usize = 8;

/// Returns the members of `object`.
pub(crate) fn read_members(object: Json<'_>) -> Vec<Member<'_>> {
    let mut members = read_flat(object);
    for member in &mut members {
        if member.role == Role::Context && member.value.is_object() {
            member.inner = read_flat(member.value);
        }
    }
    members
}

fn read_flat(object: Json<'_>) -> Vec<Member<'_>> {
    let mut members = Vec::with_capacity(USUAL_MEMBERS);
    members.extend(object.members().map(|(name, value)| Member {
        role: Role::of(&name),
        name,
        value,
        inner: Vec::new(),
    }));
    members
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
            assert_eq!(canonical(name).as_str(), "correlationid");
        }
        assert_eq!(canonical(&"x".repeat(33)).as_str(), "");
        assert_eq!(canonical("ünder").as_str(), "ünder");
    }
}
