//! Console lines: what a call to `console` says, plain or structured. `normalize` makes the record.
//!
//! The first argument is the *structured line* if it is an object or JSON text of one. An object beside other arguments,
//! or at the end of a text (`INFO {…}`), is a *payload*; a *structured* one states a level, an id, an event or a message.

use std::borrow::Cow;

use log_record::{Level, write_string};

use crate::correlation::{FoundId, IdPlace, find_id};
use crate::json::Json;
use crate::json_writer::{ObjectWriter, redact_text, write_redacted};
use crate::redaction::Redactor;
use crate::trace_item::{Argument, TraceLog};

mod errors;
mod format;
mod level;
mod message;
pub(crate) mod names;
mod terminal_escapes;
mod text_level;

pub(crate) use errors::{error_title, full_stack};
use level::{Place, StatedLevel, find_level};
use names::{Member, find_member, read_members};
use terminal_escapes::strip_terminal_escapes;
use text_level::text_level;

/// The names of the member that says which Worker logs.
const WORKER_NAMES: [&str; 3] = ["worker", "worker_name", "service"];

/// An object that somebody logged, with its members read once.
#[derive(Debug)]
struct LogObject<'i> {
    json: Json<'i>,
    members: Vec<Member<'i>>,
    level: StatedLevel,
    id: Option<FoundId<'i>>,
    /// The index of the member that is the message.
    message: Option<usize>,
    /// The index of the member `context`.
    context: Option<usize>,
}

/// A payload and its place.
#[derive(Debug)]
struct Payload<'i> {
    object: LogObject<'i>,
    /// The index of its argument.
    argument: usize,
    /// The text before it in its argument.
    prefix: Option<&'i str>,
}

/// A console line, understood.
#[derive(Debug)]
pub(crate) struct ConsoleLine<'i> {
    log: &'i TraceLog<'i>,
    line: Option<LogObject<'i>>,
    payloads: Vec<Payload<'i>>,
    /// The level of the line, and whether one was stated that nobody understands.
    level: Level,
    has_unknown_level: bool,
    id: Option<FoundId<'i>>,
}

impl<'i> LogObject<'i> {
    /// Reads the object that `text` is, if it is one.
    fn read(text: &'i str, place: Place) -> Option<Self> {
        let (json, members) = read_members(text)?;
        let id_place = match place {
            Place::Line => IdPlace::Line,
            Place::Payload => IdPlace::Payload,
        };
        Some(Self {
            json,
            level: find_level(&members, place),
            id: find_id(&members, id_place),
            message: message::find_message(&members),
            context: members.iter().position(|member| member.name == "context"),
            members,
        })
    }

    fn get(&self, name: &str) -> Option<Json<'i>> {
        find_member(&self.members, name)?.non_null()
    }

    /// Returns whether this is more than a plain value: what a logger would write.
    fn is_structured(&self) -> bool {
        self.level != StatedLevel::Absent
            || self.id.is_some()
            || self.message.is_some()
            || self.get("event").is_some_and(Json::is_string)
    }
}

impl Payload<'_> {
    /// Returns whether the text before it says that all of it is secret: `password: {…}`.
    fn is_secret(&self, redactor: &Redactor) -> bool {
        self.prefix.is_some_and(|prefix| {
            let text = format!("{prefix} {{}}");
            !redactor.redact_text(&text).ends_with("{}")
        })
    }
}

impl<'i> ConsoleLine<'i> {
    /// Understands `log`, whose prefix by the local runtime has been taken off.
    pub(crate) fn read(log: &'i TraceLog<'i>) -> Self {
        let mut line = None;
        let mut payloads = Vec::new();
        for (index, argument) in log.arguments.iter().enumerate() {
            if error_at(log, index).is_some() {
                continue;
            }
            let place = if index == 0 {
                Place::Line
            } else {
                Place::Payload
            };
            let (whole, text) = match argument {
                Argument::Value(value) => (LogObject::read(value.text(), place), None),
                Argument::Text(text) => (LogObject::read(text, place), Some(text)),
            };
            let (object, prefix) = match (whole, text) {
                (Some(object), _) => (object, None),
                (None, Some(text)) => match read_ending(text) {
                    Some((object, prefix)) => (object, Some(prefix)),
                    None => continue,
                },
                (None, None) => continue,
            };
            if index == 0 && prefix.is_none() {
                line = Some(object);
            } else {
                payloads.push(Payload {
                    object,
                    argument: index,
                    prefix,
                });
            }
        }
        let objects = || {
            line.iter()
                .chain(payloads.iter().map(|payload| &payload.object))
        };
        let method = method_level(&log.level);
        let stated = objects().find_map(|object| match object.level {
            StatedLevel::Known(level, _) => Some(level),
            StatedLevel::Absent | StatedLevel::Unknown => None,
        });
        let has_unknown_level =
            stated.is_none() && objects().any(|object| object.level == StatedLevel::Unknown);
        let id = objects().fold(None, |best, object| {
            FoundId::better(best, object.id.clone())
        });
        let method = method.unwrap_or(Level::Info);
        Self {
            log,
            // A text's own words can make a line more important, never less.
            level: stated.unwrap_or_else(|| method.max(text_level_of(log).unwrap_or(method))),
            has_unknown_level,
            id,
            line,
            payloads,
        }
    }

    /// Returns the level that the line states, else that of the console method.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Returns whether the line states a level that nobody understands: filters must not drop it.
    pub(crate) fn has_unknown_level(&self) -> bool {
        self.has_unknown_level
    }

    /// Returns the line's own id.
    pub(crate) fn id(&self) -> Option<&FoundId<'i>> {
        self.id.as_ref()
    }

    /// Returns the name that the line gives its Worker.
    pub(crate) fn worker(&self) -> Option<Cow<'i, str>> {
        let line = self.line.as_ref()?;
        let named = line
            .members
            .iter()
            .filter(|member| WORKER_NAMES.contains(&member.name.as_ref()));
        named
            .filter_map(|member| member.value.as_text())
            .find(|name| !name.trim().is_empty())
    }

    /// Adds the line's own members of the context. `worker` and `correlation` are the record's.
    pub(crate) fn write_context(
        &self,
        out: &mut ObjectWriter<'_>,
        worker: &str,
        correlation: &str,
    ) {
        let data_payload = match &self.line {
            Some(_) => None,
            // That of the first argument has no other place: the message may show a part of it.
            None => self
                .payloads
                .iter()
                .find(|payload| payload.object.is_structured())
                .or_else(|| self.payloads.iter().find(|payload| payload.argument == 0))
                .filter(|payload| !payload.is_secret(out.redactor())),
        };
        self.write_arguments(out, data_payload);
        if let Some(object) = self
            .line
            .as_ref()
            .or(data_payload.map(|payload| &payload.object))
        {
            write_data(out, object, self.shown_message(object), worker, correlation);
        }
        errors::write_errors(out, &self.log.errors);
        if let Some(info) = self.log.error_info {
            out.add_value("error_info", info);
        }
        if method_level(&self.log.level).is_none() && !self.log.level.is_empty() {
            out.add_text("console_method", &self.log.level);
        }
        if !self.log.unknown.is_empty() {
            out.add_object("unknown", |out| {
                for (name, value) in &self.log.unknown {
                    out.add_logged(name, *value);
                }
            });
        }
    }

    /// Returns the index of the member that the record's message shows whole: an object or array may be cut there, and so
    /// may whatever a format takes.
    fn shown_message(&self, object: &LogObject<'_>) -> Option<usize> {
        let is_format = self.line.is_none()
            && matches!(self.log.arguments.first(), Some(Argument::Text(text)) if text.contains('%'));
        object.message.filter(|index| {
            let member = object.members.get(*index);
            !is_format
                && member
                    .is_some_and(|member| !member.value.is_object() && !member.value.is_array())
        })
    }

    /// Adds the arguments behind the first, without the payload that is in `data`; and the first, where the message may
    /// show a part of it: an array, or a text with a payload.
    fn write_arguments(&self, out: &mut ObjectWriter<'_>, data: Option<&Payload<'_>>) {
        let moved = data.map(|payload| payload.argument);
        let arguments = || {
            self.log
                .arguments
                .iter()
                .enumerate()
                .filter(|(index, argument)| {
                    *index > 0
                        || is_long_array(argument)
                        || (self.line.is_none() && self.payload_at(0).is_some())
                })
                .filter(|(index, _)| Some(*index) != moved)
                .map(|(_, argument)| argument)
        };
        if arguments().next().is_none() {
            return;
        }
        out.add_array(
            "args",
            arguments(),
            |out, redactor, argument| match argument {
                Argument::Value(value) => write_redacted(out, *value, redactor),
                Argument::Text(text) => write_string(out, &redact_text(text, redactor)),
            },
        );
    }
}

/// Returns whether `argument` is an array that a message may not show whole, even when secrets in it become longer.
fn is_long_array(argument: &Argument<'_>) -> bool {
    matches!(argument, Argument::Value(value) if value.is_array() && value.text().len() > message::PREVIEW_BYTES / 2)
}

/// Returns the payload that `text` ends with, and the text before it.
fn read_ending(text: &str) -> Option<(LogObject<'_>, &str)> {
    let (prefix, object) = Json::split_ending(text)?;
    let prefix = prefix.trim();
    let object = LogObject::read(object.text(), Place::Payload)?;
    (!prefix.is_empty()).then_some((object, prefix))
}

/// Adds `data`: the line's own context, and its other members that have no place of their own.
fn write_data(
    out: &mut ObjectWriter<'_>,
    object: &LogObject<'_>,
    message: Option<usize>,
    worker: &str,
    correlation: &str,
) {
    let context = object.context.and_then(|index| object.members.get(index));
    let spread = context.filter(|member| member.value.is_object());
    let context_members = spread.map_or(&[][..], |member| member.inner.as_slice());
    let level = match object.level {
        StatedLevel::Known(_, member) => member,
        StatedLevel::Absent | StatedLevel::Unknown => None,
    };
    let id = object
        .id
        .as_ref()
        .filter(|found| found.id == correlation)
        .and_then(|found| found.member);
    let has_place = |index: usize, name: &str, value: Json<'_>| {
        [message, level, id].contains(&Some(index))
            || (spread.is_some() && object.context == Some(index))
            || (WORKER_NAMES.contains(&name) && value.as_text().is_some_and(|name| name == worker))
    };
    let others: Vec<_> = object
        .members
        .iter()
        .enumerate()
        .filter(|(index, member)| !has_place(*index, &member.name, member.value))
        .map(|(_, member)| (&member.name, member.value))
        .collect();
    if spread.is_none() && others.is_empty() {
        return;
    }
    // Asked once for each of the others, so a line with thousands of members stays quick.
    let taken: std::collections::HashSet<&str> = if others.is_empty() {
        std::collections::HashSet::new()
    } else {
        context_members
            .iter()
            .map(|member| member.name.as_ref())
            .collect()
    };
    out.add_object("data", |out| {
        for member in context_members {
            out.add_logged(&member.name, member.value);
        }
        for (name, value) in others {
            if taken.contains(name.as_ref()) {
                out.add_renamed(&format!("line.{name}"), name, value);
            } else {
                out.add_logged(name, value);
            }
        }
    });
}

/// Returns the level of a console method, or of a logger's level in its place; `None` for any other name.
fn method_level(method: &str) -> Option<Level> {
    Level::from_alias(method)
}

/// Returns the level that the text of a plain line begins with.
fn text_level_of(log: &TraceLog<'_>) -> Option<Level> {
    match log.arguments.first() {
        Some(Argument::Text(text)) => text_level(&strip_terminal_escapes(text)),
        _ => None,
    }
}

/// Returns what the runtime knows of the argument at `index`, where that is an error.
fn error_at<'i>(log: &TraceLog<'i>, index: usize) -> Option<Json<'i>> {
    log.errors
        .get(index)
        .copied()
        .filter(|error| error.is_object())
}
