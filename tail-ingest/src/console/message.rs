//! The message of a console line: something that a person can read and search. Arguments and data stay in the context.

use std::borrow::Cow;

use super::format::format_arguments;
use super::names::{Member, Role};
use super::terminal_escapes::strip_terminal_escapes;
use super::{ConsoleLine, LogObject, error_at, error_title};
use crate::json::Json;
use crate::json_writer::{redact_text, redacted_text};
use crate::redaction::Redactor;
use crate::trace_item::Argument;

/// The longest JSON text that a message shows for a value, in bytes; the context has all of it.
pub(super) const PREVIEW_BYTES: usize = 200;

/// The character that begins a terminal escape sequence, as JSON text has it.
const JSON_ESCAPE: &str = "\\u001b";

/// The rank of the message's name that tslog alone has; see [`Role`].
const TSLOG_RANK: usize = 5;

/// Returns the index of the member that is the message. `message` and `msg` may hold any value, the others only text,
/// since they are also the names of other things.
pub(super) fn find_message(members: &[Member<'_>]) -> Option<usize> {
    let is_tslog = || members.iter().any(|member| member.role == Role::Meta);
    let ranked = members.iter().enumerate().filter_map(|(index, member)| {
        let Role::Message(rank) = member.role else {
            return None;
        };
        let is_message = match rank {
            0 | 1 => !member.value.is_null(),
            TSLOG_RANK => member.value.is_string() && is_tslog(),
            _ => member.value.is_string(),
        };
        is_message.then_some((rank, index))
    });
    ranked.min().map(|(_, index)| index)
}

impl ConsoleLine<'_> {
    /// Returns the message, without secrets and terminal escape sequences.
    pub(crate) fn message(&self, redactor: &Redactor) -> String {
        let message = match &self.line {
            Some(line) => line
                .plain_message()
                .unwrap_or_else(|| Cow::Owned(self.structured_message(line, redactor))),
            None => Cow::Owned(self.join_arguments(0, redactor)),
        };
        let stripped = strip_terminal_escapes(&message);
        match redact_text(&stripped, redactor) {
            Cow::Owned(redacted) => redacted,
            Cow::Borrowed(_) => stripped.into_owned(),
        }
    }

    /// Returns the message of a structured line: its own, else the text beside it (as pino has it), else a payload's,
    /// else something short that says what happened.
    fn structured_message(&self, line: &LogObject<'_>, redactor: &Redactor) -> String {
        if let Some(message) = line.message_text(redactor) {
            return message;
        }
        let first_text = self
            .log
            .arguments
            .iter()
            .enumerate()
            .skip(1)
            .find(|(index, argument)| {
                matches!(argument, Argument::Text(_)) && error_at(self.log, *index).is_none()
            });
        if let Some((index, _)) = first_text {
            return self.join_arguments(index, redactor);
        }
        self.payloads
            .iter()
            .find_map(|payload| payload.object.message_text(redactor))
            .or_else(|| line.summary(redactor))
            .or_else(|| {
                self.payloads
                    .iter()
                    .find_map(|payload| payload.object.summary(redactor))
            })
            .unwrap_or_else(|| match line.message {
                Some(_) => String::new(), // an empty one
                None => preview(line.json, redactor),
            })
    }

    /// Joins the arguments from the index `first` on, the first of them a format if it is text.
    fn join_arguments(&self, first: usize, redactor: &Redactor) -> String {
        let arguments = &self.log.arguments;
        let is_error = error_at(self.log, first).is_some();
        let (mut message, mut next) = match arguments.get(first) {
            Some(Argument::Text(format)) if !is_error && self.payload_at(first).is_none() => {
                let behind = first + 1;
                let count = arguments.len().saturating_sub(behind);
                let show = |index: usize| self.show_argument(behind + index, redactor).into_owned();
                let (text, taken) = format_arguments(format, count, show);
                (text, behind + taken)
            }
            _ => (String::new(), first),
        };
        while next < arguments.len() {
            let text = match self.payload_at(next) {
                Some(payload) => payload.shown(redactor),
                None => Some(self.show_argument(next, redactor)),
            };
            if let Some(text) = text {
                if next > first {
                    message.push(' ');
                }
                message.push_str(&text);
            }
            next += 1;
        }
        message
    }

    pub(super) fn payload_at(&self, index: usize) -> Option<&super::Payload<'_>> {
        self.payloads
            .iter()
            .find(|payload| payload.argument == index)
    }

    /// Returns the argument at `index` as text.
    fn show_argument(&self, index: usize, redactor: &Redactor) -> Cow<'_, str> {
        if let Some(error) = error_at(self.log, index) {
            return Cow::Owned(error_title(error));
        }
        match self.log.arguments.get(index) {
            Some(Argument::Text(text)) if Json::parse_container(text).is_some() => {
                Cow::Owned(cut_preview(redact_text(text, redactor).into_owned()))
            }
            Some(Argument::Text(text)) if Json::split_ending(text).is_some() => {
                redact_text(text, redactor)
            }
            Some(Argument::Text(text)) => Cow::Borrowed(text),
            Some(Argument::Value(value)) => Cow::Owned(preview(*value, redactor)),
            None => Cow::Borrowed(""),
        }
    }
}

impl super::Payload<'_> {
    /// Returns what the message shows of a payload: its prefix and its own message. One that is a plain value is shown as
    /// it is.
    fn shown(&self, redactor: &Redactor) -> Option<Cow<'_, str>> {
        let object = &self.object;
        let own = if object.is_structured() {
            object.message_text(redactor)
        } else {
            Some(preview(object.json, redactor))
        };
        match (self.prefix, own) {
            (Some(prefix), Some(own)) => Some(Cow::Owned(format!("{prefix} {own}"))),
            (Some(prefix), None) => Some(Cow::Borrowed(prefix)),
            (None, own) => own.map(Cow::Owned),
        }
    }
}

impl LogObject<'_> {
    /// Returns the message that the object has as text, as it came, if it is not empty.
    fn plain_message(&self) -> Option<Cow<'_, str>> {
        let member = self.members.get(self.message?)?;
        member.value.as_text().filter(|text| !text.is_empty())
    }

    /// Returns the message that the object has, if it is not empty.
    fn message_text(&self, redactor: &Redactor) -> Option<String> {
        if let Some(member) = self.message.and_then(|index| self.members.get(index)) {
            let message = member.value;
            let text = if message.is_string() {
                redacted_text(message, redactor).into_owned()
            } else if message.get_some("message").is_some_and(Json::is_string) {
                error_title(message)
            } else {
                preview(message, redactor)
            };
            return (!text.is_empty()).then_some(text);
        }
        // Rust's `tracing`: the message is one of the event's fields.
        if let Some(message) = self
            .get("fields")
            .and_then(|fields| fields.get_some("message"))
            .filter(|message| message.is_string())
        {
            let text = redacted_text(message, redactor).into_owned();
            return (!text.is_empty()).then_some(text);
        }
        // consola: the arguments of the call.
        let arguments = self.get("args").filter(|_| self.get("type").is_some())?;
        let has_text = arguments.elements().any(Json::is_string);
        let texts: Vec<_> = arguments
            .elements()
            .filter(|argument| !has_text || !argument.is_object())
            .map(|argument| shown_value(argument, redactor))
            .collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    /// Returns something short that says what happened: the event's name, or a request's method, path and status, and an
    /// error's message.
    fn summary(&self, redactor: &Redactor) -> Option<String> {
        let shown = |value: Json<'_>| {
            (value.is_string() || value.is_number())
                .then(|| redacted_text(value, redactor).into_owned())
                .filter(|text| !text.is_empty())
        };
        let text = |names: &[&str], within: &[&str]| {
            let own = names.iter().find_map(|name| shown(self.get(name)?));
            own.or_else(|| {
                let mut objects = within.iter().filter_map(|name| self.get(name));
                objects.find_map(|outer| names.iter().find_map(|name| shown(outer.get_some(name)?)))
            })
        };
        // A request's facts are members of the line, or stand in objects as pino's serializers and ECS have them.
        let request = || {
            // Google Cloud has them in `httpRequest`, by names of its own.
            let request = ["req", "request", "http", "httpRequest"];
            let method = text(
                &[
                    "method",
                    "http.method",
                    "http.request.method",
                    "requestMethod",
                ],
                &request,
            )?;
            let path = text(
                &[
                    "path",
                    "url",
                    "route",
                    "url.path",
                    "http.route",
                    "http.url",
                    "requestUrl",
                ],
                &request,
            )?;
            let status = text(
                &[
                    "status",
                    "statusCode",
                    "status_code",
                    "http.status_code",
                    "http.response.status_code",
                ],
                &["res", "response", "http", "httpRequest"],
            );
            let status = status
                .map(|status| format!(" {status}"))
                .unwrap_or_default();
            Some(format!("{method} {path}{status}"))
        };
        let what = text(&["event", "eventName", "event_name", "event.name"], &[])
            .or_else(request)
            .or_else(|| text(&["action"], &[]));
        let error = ["error", "err", "exception"].iter().find_map(|name| {
            let error = self.get(name)?;
            let message = error
                .get_some("message")
                .or_else(|| error.get_some("name"))
                .unwrap_or(error);
            let shown = message
                .is_string()
                .then(|| redacted_text(message, redactor))?;
            (!shown.is_empty()).then(|| shown.into_owned())
        });
        // Dotted, as the Elastic Common Schema and OpenTelemetry have it, or as AWS Lambda does.
        let dotted = ["error.message", "exception.message", "errorMessage"];
        let error = error.or_else(|| text(&dotted, &[]));
        match (what, error) {
            (Some(what), Some(error)) => Some(format!("{what}: {error}")),
            (what, error) => what.or(error),
        }
    }
}

/// Returns a value as a message shows it: text bare, anything else as a short JSON text.
fn shown_value(value: Json<'_>, redactor: &Redactor) -> String {
    if value.is_string() {
        redacted_text(value, redactor).into_owned()
    } else {
        preview(value, redactor)
    }
}

/// Returns the JSON text of `value`, cut where it is long, without the escape sequences of its texts.
fn preview(value: Json<'_>, redactor: &Redactor) -> String {
    let mut text = redacted_text(value, redactor).into_owned();
    if text.contains(JSON_ESCAPE) {
        text = strip_terminal_escapes(&text.replace(JSON_ESCAPE, "\u{1b}")).into_owned();
    }
    cut_preview(text)
}

fn cut_preview(mut text: String) -> String {
    if text.len() > PREVIEW_BYTES {
        text.truncate(text.floor_char_boundary(PREVIEW_BYTES));
        text.push('…');
    }
    text
}
