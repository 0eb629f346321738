//! Writes JSON objects member by member, secrets redacted: every value that somebody logged goes through here on its way
//! into a record. `redaction` judges names and texts; this walks the values.

use std::borrow::Cow;
use std::fmt::Write as _;

use log_record::limits::CONTEXT_DEPTH;
use log_record::write_string;
use memchr::memchr;

use crate::json::{Json, has_lone_surrogate};
use crate::redaction::{REDACTED, Redactor, Verdict};

/// The levels that a record puts around a value: the context itself, `data` or `args`, and one for a member within.
const DEPTH_AROUND: usize = 4;

/// The deepest nesting that a value may have. A deeper one is stored as a string of its text, since SQLite and this
/// project's readers could not follow.
const DEPTH: usize = CONTEXT_DEPTH - DEPTH_AROUND;

/// The number of strings within strings that are looked into, where JSON text holds JSON text.
const TEXT_LEVELS: usize = 3;

/// Writes one JSON object.
#[derive(Debug)]
pub(crate) struct ObjectWriter<'r> {
    out: String,
    redactor: &'r Redactor,
}

impl<'r> ObjectWriter<'r> {
    /// Begins an object.
    pub(crate) fn new(redactor: &'r Redactor) -> Self {
        Self::after(String::new(), redactor)
    }

    /// Begins an object behind `text`, which [`Self::finish`] returns with it.
    pub(crate) fn after(text: String, redactor: &'r Redactor) -> Self {
        let mut out = text;
        out.push('{');
        Self { out, redactor }
    }

    /// Returns the judge of what is written.
    pub(crate) fn redactor(&self) -> &'r Redactor {
        self.redactor
    }

    /// Ends the object and returns its text.
    pub(crate) fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }

    /// Ends the object and returns its members alone, to be added to another by [`Self::add_members`].
    pub(crate) fn finish_members(mut self) -> String {
        self.out.remove(0);
        self.out
    }

    /// Adds members that were written before.
    pub(crate) fn add_members(&mut self, members: &str) {
        if !members.is_empty() {
            self.separate();
            self.out.push_str(members);
        }
    }

    /// Adds a text of Tailrace's own, or one that has been redacted.
    pub(crate) fn add_text(&mut self, name: &'static str, value: &str) {
        self.begin_own_member(name);
        write_string(&mut self.out, value);
    }

    /// Adds a whole number.
    pub(crate) fn add_number(&mut self, name: &'static str, value: u64) {
        self.begin_own_member(name);
        // Writing to memory does not fail.
        let _ = write!(self.out, "{value}");
    }

    /// Adds `value` under a name of Tailrace's own, which is not judged; the names and texts within are.
    pub(crate) fn add_value(&mut self, name: &'static str, value: Json<'_>) {
        self.begin_own_member(name);
        write_redacted(&mut self.out, value, self.redactor);
    }

    /// Adds `value` under the name that somebody logged it by, which is judged.
    pub(crate) fn add_logged(&mut self, name: &str, value: Json<'_>) {
        self.add_renamed(name, name, value);
    }

    /// Adds `value` under `shown`, judged by the `name` that somebody logged it by.
    pub(crate) fn add_renamed(&mut self, shown: &str, name: &str, value: Json<'_>) {
        self.begin_member(shown);
        self.write_judged(self.redactor.judge_field(name), value);
    }

    /// Adds the header or other member `name`, judged by `verdict`.
    pub(crate) fn add_judged(&mut self, name: &str, verdict: Verdict, value: Json<'_>) {
        self.begin_member(name);
        self.write_judged(verdict, value);
    }

    fn write_judged(&mut self, verdict: Verdict, value: Json<'_>) {
        if is_marked(verdict, value) {
            write_string(&mut self.out, REDACTED);
        } else {
            write_redacted(&mut self.out, value, self.redactor);
        }
    }

    /// Adds an object that `write` fills.
    pub(crate) fn add_object(&mut self, name: &'static str, write: impl FnOnce(&mut Self)) {
        self.begin_own_member(name);
        self.out.push('{');
        write(self);
        self.out.push('}');
    }

    /// Adds an array; `write` writes each of `items`.
    pub(crate) fn add_array<T>(
        &mut self,
        name: &'static str,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut String, &Redactor, T),
    ) {
        self.begin_own_member(name);
        self.out.push('[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write(&mut self.out, self.redactor, item);
        }
        self.out.push(']');
    }

    /// Begins a member whose name is Tailrace's own, and so needs no escapes.
    fn begin_own_member(&mut self, name: &'static str) {
        self.separate();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn begin_member(&mut self, name: &str) {
        self.separate();
        write_string(&mut self.out, name);
        self.out.push(':');
    }

    fn separate(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('{') {
            self.out.push(',');
        }
    }
}

/// Returns the string at the beginning of `text`, a part of JSON, and the text behind it.
fn split_string(text: &str) -> Option<(Json<'_>, &str)> {
    let text = text.trim_ascii_start();
    if !text.starts_with('"') {
        return None;
    }
    let string = Json::first_of(text);
    Some((string, text.get(string.text().len()..)?))
}

/// Returns whether `verdict` concerns `value`.
fn is_marked(verdict: Verdict, value: Json<'_>) -> bool {
    match verdict {
        Verdict::Keep => false,
        Verdict::Text => value.is_string() || value.is_object() || value.is_array(),
        Verdict::TextAndNumbers => {
            value.is_string() || value.is_object() || value.is_array() || value.is_number()
        }
    }
}

/// Returns `text` without its secrets.
pub(crate) fn redact_text<'a>(text: &'a str, redactor: &Redactor) -> Cow<'a, str> {
    ValueWriter::new(redactor, DEPTH, TEXT_LEVELS)
        .redact_text(text)
        .map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Returns `value` as it may be shown: secrets redacted, strings bare.
pub(crate) fn redacted_text<'a>(value: Json<'a>, redactor: &Redactor) -> Cow<'a, str> {
    let mut writer = ValueWriter::new(redactor, DEPTH, TEXT_LEVELS);
    if let Some(text) = value.as_text() {
        return match writer.redact_text(&text) {
            Some(redacted) => Cow::Owned(redacted),
            None => text,
        };
    }
    let mut out = String::with_capacity(value.text().len());
    writer.write_value(&mut out, value);
    Cow::Owned(out)
}

/// Appends `value`: secrets redacted, no white space between tokens, half surrogate pairs made visible, and what is
/// nested too deeply as a string of its text. Numbers and all else stay as they came.
pub(crate) fn write_redacted(out: &mut String, value: Json<'_>, redactor: &Redactor) {
    ValueWriter::new(redactor, DEPTH, TEXT_LEVELS).write_value(out, value);
}

/// Writes `token`, a string that stands for `text`, as it came; where it holds half a surrogate pair, what stands for that.
fn write_unchanged(out: &mut String, token: Json<'_>, text: &str) {
    if has_lone_surrogate(token.text()) {
        write_string(out, text);
    } else {
        out.push_str(token.text());
    }
}

/// Writes values in one pass over their text.
struct ValueWriter<'r> {
    redactor: &'r Redactor,
    /// The deepest nesting that is written as it is.
    depth: usize,
    /// The number of strings within strings that are still looked into.
    text_levels: usize,
    /// A secret was redacted.
    redacted: bool,
}

impl<'r> ValueWriter<'r> {
    fn new(redactor: &'r Redactor, depth: usize, text_levels: usize) -> Self {
        Self {
            redactor,
            depth,
            text_levels,
            redacted: false,
        }
    }

    /// Writes `value`.
    fn write_value(&mut self, out: &mut String, value: Json<'_>) {
        if value.is_string() {
            self.write_string_value(out, value);
        } else if value.is_object() || value.is_array() {
            self.write_container(out, value.text());
        } else {
            out.push_str(value.text());
        }
    }

    /// Writes the object or array `text`. The stack is an explicit one: JSON can be nested deeper than calls can.
    fn write_container(&mut self, out: &mut String, text: &str) {
        // For each open bracket, whether it is an object's.
        let mut open: Vec<bool> = Vec::new();
        let mut expects_key = false;
        let mut at = 0;
        while let Some(&byte) = text.as_bytes().get(at) {
            match byte {
                b',' => {
                    expects_key = open.last() == Some(&true);
                    out.push(',');
                    at += 1;
                }
                b':' => {
                    out.push(':');
                    at += 1;
                }
                b' ' | b'\n' | b'\r' | b'\t' => at += 1,
                b'}' | b']' => {
                    open.pop();
                    expects_key = false;
                    out.push(char::from(byte));
                    at += 1;
                }
                b'[' if open.last() == Some(&false)
                    && let Some((name, length)) =
                        self.find_secret_pair(text.get(at..).unwrap_or_default()) =>
                {
                    at += length;
                    self.redacted = true;
                    out.push('[');
                    out.push_str(name.text());
                    out.push(',');
                    write_string(out, REDACTED);
                    out.push(']');
                }
                b'{' | b'[' if open.len() < self.depth => {
                    expects_key = byte == b'{';
                    open.push(expects_key);
                    out.push(char::from(byte));
                    at += 1;
                }
                _ => {
                    let value = Json::first_of(text.get(at..).unwrap_or_default());
                    at += value.text().len();
                    if expects_key {
                        at += self.write_key(out, value, text.get(at..).unwrap_or_default());
                        expects_key = false;
                    } else if matches!(byte, b'{' | b'[') {
                        self.write_as_text(out, value);
                    } else {
                        self.write_value(out, value);
                    }
                }
            }
        }
    }

    /// Returns the secret name that the array at the beginning of `text` pairs with a text, as headers are listed, and the
    /// array's length. Reads no further than a pair goes: arrays may be nested, and are looked at one by one.
    fn find_secret_pair<'a>(&self, text: &'a str) -> Option<(Json<'a>, usize)> {
        let (name, rest) = split_string(text.strip_prefix('[')?)?;
        let (_, rest) = split_string(rest.trim_ascii_start().strip_prefix(',')?)?;
        let rest = rest.trim_ascii_start().strip_prefix(']')?;
        let is_secret = self.redactor.judge_field(&name.display()) != Verdict::Keep;
        is_secret.then_some((name, text.len() - rest.len()))
    }

    /// Writes what is nested too deeply as a string.
    fn write_as_text(&mut self, out: &mut String, value: Json<'_>) {
        let mut inner = Self::new(self.redactor, usize::MAX, self.text_levels);
        let mut text = String::with_capacity(value.text().len());
        inner.write_value(&mut text, value);
        self.redacted |= inner.redacted;
        write_string(out, &text);
    }

    /// Writes a key and, where its name marks a secret, what stands for its value. Returns the length of what it read
    /// of `rest`, the text behind the key.
    fn write_key(&mut self, out: &mut String, key: Json<'_>, rest: &str) -> usize {
        let name = key.display();
        write_unchanged(out, key, &name);
        let verdict = self.redactor.judge_field(&name);
        if verdict == Verdict::Keep {
            return 0;
        }
        let behind = rest.trim_start_matches(|c: char| c == ':' || c.is_ascii_whitespace());
        let value = Json::first_of(behind);
        if !is_marked(verdict, value) {
            return 0;
        }
        self.redacted = true;
        out.push(':');
        write_string(out, REDACTED);
        rest.len() - behind.len() + value.text().len()
    }

    fn write_string_value(&mut self, out: &mut String, token: Json<'_>) {
        let text = token.display();
        match self.redact_text(&text) {
            Some(redacted) => write_string(out, &redacted),
            None => write_unchanged(out, token, &text),
        }
    }

    /// Returns `text`, which is not JSON, without its secrets; `None` where it holds none. JSON at its end is judged by
    /// its names.
    fn redact_plain_text(&mut self, text: &str) -> Option<String> {
        let whole = match self.redactor.redact_text(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(redacted) => Some(redacted),
        };
        let ending = Json::split_ending(text).map(|ending| (ending, ""));
        let ending = ending.or_else(|| {
            // At the end of the first line, too: a stack begins with its error's message.
            let end = memchr(b'\n', text.as_bytes())?;
            let (line, rest) = text.split_at_checked(end)?;
            Some((Json::split_ending(line)?, rest))
        });
        let Some((text_levels, ((prefix, container), rest))) =
            self.text_levels.checked_sub(1).zip(ending)
        else {
            return whole;
        };
        let mut inner = Self::new(self.redactor, usize::MAX, text_levels);
        let mut out = self.redactor.redact_text(prefix).into_owned();
        inner.write_value(&mut out, container);
        out.push_str(&self.redactor.redact_text(rest));
        if inner.redacted { Some(out) } else { whole }
    }

    /// Returns `text` without its secrets; `None` where it holds none. Text that is JSON itself is judged by its names.
    fn redact_text(&mut self, text: &str) -> Option<String> {
        let redacted = match self
            .text_levels
            .checked_sub(1)
            .zip(Json::parse_container(text))
        {
            Some((text_levels, container)) => {
                let mut inner = Self::new(self.redactor, usize::MAX, text_levels);
                let mut out = String::with_capacity(text.len());
                inner.write_value(&mut out, container);
                inner.redacted.then_some(out)
            }
            None => self.redact_plain_text(text),
        };
        self.redacted |= redacted.is_some();
        redacted
    }
}
