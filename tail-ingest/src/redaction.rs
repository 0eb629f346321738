//! Secrets: names that mark them, and text without them.
//!
//! One judge for every name and every text, wherever it stands. docs/configuration.md lists what it
//! finds; a test reads that list.
//!
//! - `names`: words that make a name secret, by place;
//! - `query`: `name=value` and passwords of URLs, in any text;
//! - `member`: members of data that was written into text;
//! - `shapes`, `find`: tokens that are known by their shape;
//! - `triggers`: the quick look before all of these.
//!
//! The runtime redacts some headers and long runs of digits in URLs, but not everywhere (never in
//! log lines, not locally), so nothing here relies on it.

mod find;
mod member;
mod names;
mod query;
mod shapes;
#[cfg(test)]
mod tests;
pub(crate) mod triggers;

use std::borrow::Cow;
use std::ops::Range;

use self::names::Place;
use self::shapes::SHAPES;
use self::triggers::Triggers;

/// Text in place of a secret; the runtime's own spelling.
pub const REDACTED: &str = "REDACTED";

/// Verdict on a name: what below it must not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The name marks nothing.
    Keep,
    /// Text is redacted, also that within lists and objects. Numbers, booleans and null stay.
    Text,
    /// Numbers are redacted as well. Booleans and null stay.
    TextAndNumbers,
}

/// Settings of a [`Redactor`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactorOptions {
    /// Parts of names that mark a secret besides the built-in ones.
    pub added_names: Vec<String>,
    /// Members of logged data are judged by name.
    pub redact_fields: bool,
    /// Tokens of well-known shapes are redacted in text.
    pub redact_shapes: bool,
}

impl Default for RedactorOptions {
    fn default() -> Self {
        Self {
            added_names: Vec::new(),
            redact_fields: true,
            redact_shapes: true,
        }
    }
}

/// Judges names and text; made once per isolate from the settings.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Redactor {
    options: RedactorOptions,
}

/// Rules on text that are always on, before those of [`SHAPES`].
const TEXT_RULES: [&[&str]; 3] = [
    &["=", "%3D", "%3d"],
    &["://"],
    &[
        "\":", "':", "\" :", "' :", ": ", ":\"", ":'", "' =>", "\" =>", "'=>", "\"=>", "=>\"",
        "=>'",
    ],
];

/// Bits of the rules on text.
const PARAMETER: u64 = 1;
const URL_PASSWORD: u64 = 1 << 1;
const MEMBER: u64 = 1 << 2;

/// A secret in a text.
struct Secret {
    /// Bytes of the text.
    place: Range<usize>,
    /// Text for them.
    replacement: &'static str,
}

/// The beginnings of each rule on text.
static TRIGGERS: Triggers = text_triggers();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when the crate is compiled"
)]
const fn text_triggers() -> Triggers {
    const COUNT: usize = TEXT_RULES.len() + SHAPES.len();
    let mut rules: [&[&str]; COUNT] = [&[]; COUNT];
    let mut rule = 0;
    while rule < COUNT {
        rules[rule] = if rule < TEXT_RULES.len() {
            TEXT_RULES[rule]
        } else {
            SHAPES[rule - TEXT_RULES.len()].starts
        };
        rule += 1;
    }
    Triggers::new(&rules, false)
}

impl Redactor {
    /// Returns a judge with the built-in names and those of `options`.
    #[must_use]
    pub fn new(options: RedactorOptions) -> Self {
        Self { options }
    }

    /// Returns the verdict on a member of logged data: a JSON key at any depth, a tail attribute.
    #[must_use]
    pub fn judge_field(&self, name: &str) -> Verdict {
        if !self.options.redact_fields {
            return Verdict::Keep;
        }
        self.judge(name, Place::Field)
    }

    /// Returns the verdict on a request header. Never marks one that traces are followed by.
    #[must_use]
    pub fn judge_header(&self, name: &str) -> Verdict {
        match self.judge(name, Place::Header) {
            Verdict::Keep => Verdict::Keep,
            _ if names::is_harmless_header(name) => Verdict::Keep,
            verdict => verdict,
        }
    }

    /// Returns the verdict on a parameter of a query or form, its name percent-encoded or not.
    #[must_use]
    pub fn judge_parameter(&self, name: &str) -> Verdict {
        let decode = || {
            let name = name.replace('+', " ");
            let bytes = percent_encoding::percent_decode_str(&name);
            bytes.decode_utf8_lossy().into_owned()
        };
        if name.contains(['%', '+']) {
            self.judge(&decode(), Place::Parameter)
        } else {
            self.judge(name, Place::Parameter)
        }
    }

    /// Returns `text` with its secrets redacted: passwords of URLs, secret parameters of anything
    /// that looks like a query or form, and tokens of well-known shapes. Most text has none, and is
    /// returned as it is after one quick look.
    #[must_use]
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let rules = if self.options.redact_shapes {
            u64::MAX
        } else {
            PARAMETER | URL_PASSWORD | MEMBER
        };
        let mut redacted = String::new();
        // Text up to here is in `redacted`; empty until the first secret is found.
        let mut done = 0;
        let mut from = 0;
        while let Some((at, rules)) = TRIGGERS.find(text.as_bytes(), from, rules) {
            let secret = self.find_secret(text, at, rules);
            match secret.filter(|secret| done <= secret.place.start && at < secret.place.end) {
                Some(Secret { place, replacement }) => {
                    redacted.push_str(text.get(done..place.start).unwrap_or_default());
                    redacted.push_str(replacement);
                    done = place.end;
                    from = place.end;
                }
                None => from = at + 1,
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        redacted.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(redacted)
    }

    fn judge(&self, name: &str, place: Place) -> Verdict {
        if self.is_added(name) {
            return Verdict::TextAndNumbers;
        }
        names::judge_name(name, place)
    }

    /// Returns whether `name` holds an added name, in any case.
    fn is_added(&self, name: &str) -> bool {
        self.options.added_names.iter().any(|added| {
            !added.is_empty()
                && name
                    .as_bytes()
                    .windows(added.len())
                    .any(|part| part.eq_ignore_ascii_case(added.as_bytes()))
        })
    }

    /// Returns the secret that one of `rules` finds at `at`.
    fn find_secret(&self, text: &str, at: usize, mut rules: u64) -> Option<Secret> {
        let redacted = |place: Option<Range<usize>>| {
            place.map(|place| Secret {
                place,
                replacement: REDACTED,
            })
        };
        let found = text.as_bytes().get(at..)?;
        let begins = |starts: &[&str]| {
            starts
                .iter()
                .any(|start| found.starts_with(start.as_bytes()))
        };
        while rules != 0 {
            let rule = rules.trailing_zeros();
            rules &= rules - 1;
            // The quick look mixes the beginnings of a rule: `%20` passes for `%3D`, beside `=`.
            let text_rule = usize::try_from(rule)
                .ok()
                .and_then(|rule| TEXT_RULES.get(rule));
            if text_rule.is_some_and(|starts| !begins(starts)) {
                continue;
            }
            let secret = match 1 << rule {
                PARAMETER => redacted(query::find_parameter(self, text, at)),
                URL_PASSWORD => redacted(query::find_url_password(text, at)),
                MEMBER => member::find_member(self, text, at),
                _ => {
                    let index = usize::try_from(rule).ok()?.checked_sub(TEXT_RULES.len());
                    let shape = index.and_then(|index| SHAPES.get(index));
                    redacted(shape.and_then(|shape| shapes::find_token(shape, text, at)))
                }
            };
            if secret.is_some() {
                return secret;
            }
        }
        None
    }
}
