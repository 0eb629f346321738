//! Trace events as the Worker's glue hands them over: one text of fields divided by NUL, so that console lines cross
//! from JavaScript without being escaped there and unescaped here. `trace` holds what is read; `input` reads JSON.
//!
//! The first field says how many follow, and with which event the next text begins: 0, if there is none. Each of the
//! other fields begins with a letter that says what it is:
//!
//! | field | then |
//! | --- | --- |
//! | `R` | a request's trace event without its `logs`, a JSON array: see [`TraceItem::of_request`] |
//! | `I` | any other trace event without its `logs`, JSON |
//! | `T<timestamp>` | the time of the lines that follow |
//! | `L<level> <n>` | a console line of that event; its arguments, all strings, are the next `n` fields |
//! | `J` | a console line of that event, JSON: whatever does not fit the form above |
//! | `X` | something in place of a trace event, JSON |
//!
//! A NUL in a line's text shows as a field too many: the glue then writes that line as JSON.

use std::borrow::Cow;

use crate::json;
use crate::trace::{Arg, TraceItem, TraceLog};

/// Room that is made for console lines when the first one comes.
const USUAL_LINES: usize = 16;

/// What a text says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// It had as many fields as it says. Where it has not, what was made of it is of no use.
    pub whole: bool,
    /// The event with which the next text begins.
    pub next: Option<usize>,
}

/// Reads the events of `text`, and gives each to `take`. The text comes from this crate's own glue: a field that it does
/// not write is kept as a console line.
pub(crate) fn read<'a>(text: &'a str, mut take: impl FnMut(&TraceItem<'a>)) -> Frame {
    let mut item: Option<TraceItem<'a>> = None;
    let mut fields = Fields::new(text);
    let head = fields.next().and_then(|head| head.split_once(' '));
    let number = |text: &str| text.parse::<usize>().ok();
    let mut timestamp = "";
    while let Some(field) = fields.next() {
        let (kind, rest) = field.split_at_checked(1).unwrap_or((field, ""));
        match kind {
            "" => {}
            "R" | "I" | "X" => {
                let next = if kind == "R" {
                    TraceItem::of_request(rest)
                } else {
                    TraceItem::from_text(rest)
                };
                if let Some(done) = item.replace(next) {
                    take(&done);
                }
                timestamp = "";
            }
            "T" => timestamp = rest,
            _ => {
                let item = item.get_or_insert_default();
                if let (true, Some((level, count))) = (kind == "L", header(rest)) {
                    if item.logs.is_empty() {
                        item.logs.reserve(USUAL_LINES);
                        item.args.reserve(USUAL_LINES);
                    }
                    let start = item.args.len();
                    item.args.extend(
                        fields
                            .by_ref()
                            .take(count)
                            .map(|text| Arg::Text(Cow::Borrowed(text))),
                    );
                    item.logs.push(TraceLog {
                        timestamp,
                        level: Cow::Borrowed(level),
                        args: start..item.args.len(),
                        ..TraceLog::default()
                    });
                } else if let (true, Some(token)) = (kind == "J", json::check(rest)) {
                    item.log(token);
                } else {
                    item.text(field);
                }
            }
        }
    }
    if let Some(done) = item {
        take(&done);
    }
    Frame {
        whole: head.and_then(|(count, _)| number(count)) == Some(fields.given - 1),
        next: head
            .and_then(|(_, next)| number(next))
            .filter(|next| *next > 0),
    }
}

/// The texts between the NULs, as `split` gives them.
struct Fields<'a> {
    rest: Option<&'a str>,
    /// How many were given.
    given: usize,
}

impl<'a> Fields<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: Some(text),
            given: 0,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        self.given += 1;
        let Some(end) = memchr::memchr(0, text.as_bytes()) else {
            return Some(text);
        };
        self.rest = text.get(end + 1..);
        text.get(..end)
    }
}

/// `<level> <n>`.
fn header(field: &str) -> Option<(&str, usize)> {
    let space = field.bytes().position(|byte| byte == b' ')?;
    let (level, count) = field.split_at_checked(space)?;
    Some((level, count.get(1..)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Frame, Vec<(String, Vec<String>)>) {
        let mut lines = Vec::new();
        let frame = read(text, |item| {
            for log in &item.logs {
                let args = item.args[log.args.clone()].iter().map(|arg| match arg {
                    Arg::Text(text) => text.to_string(),
                    Arg::Json(token) => format!("json {token}"),
                });
                lines.push((log.timestamp.to_owned(), args.collect()));
            }
        });
        (frame, lines)
    }

    #[test]
    fn lines_have_the_time_that_was_said_last() {
        let (frame, lines) = lines("7 3\0I{}\0T5\0Llog 1\0one\0Lwarn 2\0two\0three");
        assert_eq!(
            frame,
            Frame {
                whole: true,
                next: Some(3)
            }
        );
        let one = ("5".to_owned(), vec!["one".to_owned()]);
        let two = ("5".to_owned(), vec!["two".to_owned(), "three".to_owned()]);
        assert_eq!(lines, [one, two]);
    }

    #[test]
    fn a_nul_in_a_text_shows_as_a_field_too_many() {
        for (text, whole) in [
            ("4 0\0I{}\0T5\0Llog 1\0one", true),
            ("4 0\0I{}\0T5\0Llog 1\0o\0ne", false),
            ("4 0\0I{}\0T5\0Llog 1\0\0", false),
            ("\0I{}", false),
            ("", false),
        ] {
            assert_eq!(lines(text).0.whole, whole, "{text:?}");
        }
    }
}
