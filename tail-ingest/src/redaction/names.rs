//! Names that mark secrets.

use super::Verdict;
use super::triggers::Triggers;

/// Places of a name, since the same word means different things in them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A member of logged data.
    Field,
    /// A request header.
    Header,
    /// A parameter of a query or form.
    Parameter,
}

/// Words that mark a secret anywhere in a name, whatever it is.
pub(super) const UNMISTAKABLE: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "credential",
    "authorization",
    "authorisation",
    "cookie",
];

/// Words that mark a secret anywhere in a name, run together or not. Numbers are secret only where
/// the name ends with them: `refresh_token_expires_in` counts seconds.
pub(super) const COMPOUNDS: &[&str] = &[
    "apikey",
    "apitoken",
    "accesstoken",
    "authtoken",
    "bearertoken",
    "privatekey",
    "refreshtoken",
    "securitytoken",
    "sessiontoken",
];

/// Words that mark a secret as whole words of a name.
pub(super) const WHOLE_WORDS: &[&str] = &["pwd", "jwt", "otp", "pin"];

/// Those of [`WHOLE_WORDS`] that are usually numbers.
pub(super) const NUMERIC_WORDS: &[&str] = &["otp", "pin"];

/// Words before `key` that make it a secret in logged data.
pub(super) const BEFORE_KEY: &[&str] = &[
    "api",
    "secret",
    "private",
    "access",
    "signing",
    "encryption",
    "service",
    "account",
    "auth",
];

/// Words after `auth` that make it a secret in logged data.
pub(super) const AFTER_AUTH: &[&str] = &["token", "key", "header", "code"];

/// Words before `token` that make it a place in a list.
pub(super) const BEFORE_HARMLESS_TOKEN: &[&str] = &["page", "next", "continuation", "sync"];

/// Parameters of queries and forms that are secret by their whole name.
pub(super) const PARAMETERS: &[&str] = &[
    "code",
    "sig",
    "signature",
    "sid",
    "session",
    "jsessionid",
    "phpsessid",
    "pass",
    "auth",
    "key",
    "subscription-key",
    "token",
];

/// Words that mark a secret as whole words of a header's name.
pub(super) const HEADER_WORDS: &[&str] = &["session", "sid"];

/// Words before `key` that make it harmless in a header: elsewhere, it is an API's key.
pub(super) const BEFORE_HARMLESS_HEADER_KEY: &[&str] = &[
    "websocket",
    "idempotency",
    "cache",
    "surrogate",
    "public",
    "object",
    "primary",
    "partition",
];

/// Headers that carry a token for want of another place: browsers can set no other on a WebSocket.
pub(super) const SECRET_HEADERS: &[&str] = &["sec-websocket-protocol"];

/// Headers that traces are followed by, and a nonce that is not secret: never redacted, whatever
/// names an operator adds.
pub(super) const HARMLESS_HEADERS: &[&str] = &[
    "b3",
    "cf-ray",
    "sec-websocket-key",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-request-id",
    "x-trace-id",
];

/// Beginnings of further such headers.
pub(super) const HARMLESS_HEADER_PREFIXES: &[&str] = &["x-b3-", "x-datadog-"];

/// The letters that some word of each rule begins with; see [`FIELD_TRIGGERS`].
static TRIGGERS: Triggers = Triggers::new(
    &[
        &["pas"],
        &["sec"],
        &["cre"],
        &["aut"],
        &["coo"],
        &["tok"],
        &["key"],
        &["pwd"],
        &["jwt"],
        &["otp"],
        &["pin"],
        &["ses"],
        &["sid"],
        &["sig"],
        &["cod"],
    ],
    true,
);

/// The triggers of members in data, of headers and of parameters: the first 11, 13 and 15. Each has a bit of its own, since
/// a set of several would also let through what mixes their letters, such as `customer`.
const FIELD_TRIGGERS: u64 = (1 << 11) - 1;
const HEADER_TRIGGERS: u64 = (1 << 13) - 1;
const PARAMETER_TRIGGERS: u64 = (1 << 15) - 1;

/// Returns the verdict of the built-in rules on `name`.
pub(super) fn judge_name(name: &str, place: Place) -> Verdict {
    let rules = match place {
        Place::Field => FIELD_TRIGGERS,
        Place::Header => HEADER_TRIGGERS,
        Place::Parameter => PARAMETER_TRIGGERS,
    };
    if TRIGGERS.find(name.as_bytes(), 0, rules).is_none() {
        return Verdict::Keep;
    }
    let words = Words::split(name);
    let by_place = || match place {
        Place::Field => false,
        Place::Header => is_secret_header(name, &words),
        Place::Parameter => is_secret_parameter(name, &words),
    };
    if words.hold_numeric() {
        Verdict::TextAndNumbers
    } else if words.hold_secret() || by_place() {
        Verdict::Text
    } else {
        Verdict::Keep
    }
}

/// Returns whether a header of this name is never secret.
pub(super) fn is_harmless_header(name: &str) -> bool {
    contains_ignoring_case(HARMLESS_HEADERS, name)
        || HARMLESS_HEADER_PREFIXES.iter().any(|prefix| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
}

fn is_secret_header(name: &str, words: &Words) -> bool {
    contains_ignoring_case(SECRET_HEADERS, name)
        || words.iter().any(|word| {
            HEADER_WORDS.contains(&word)
                || holds(word, "jwt")
                || holds(word, "auth") && !holds(word, "author")
        })
        || words.last_two().is_some_and(|(before, last)| {
            matches!(last, "key" | "keys") && !BEFORE_HARMLESS_HEADER_KEY.contains(&before)
        })
}

fn is_secret_parameter(name: &str, words: &Words) -> bool {
    contains_ignoring_case(PARAMETERS, name)
        || words
            .last_two()
            .is_some_and(|(before, last)| last == "signature" && !before.is_empty())
}

/// Returns the places of `wanted`, which is not empty, in `text`. Searchers for long texts prepare themselves first, and
/// names are short.
fn places_of(text: &str, wanted: &str) -> impl Iterator<Item = usize> {
    text.as_bytes()
        .windows(wanted.len().max(1))
        .enumerate()
        .filter(|(_, part)| *part == wanted.as_bytes())
        .map(|(start, _)| start)
}

fn holds(text: &str, wanted: &str) -> bool {
    places_of(text, wanted).next().is_some()
}

fn contains_ignoring_case(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The words of a name, be it `snake_case`, `kebab-case`, `camelCase` or `HTTPServer`.
struct Words {
    /// All letters in lower case, one word after another.
    letters: String,
    /// The end of each word in `letters`.
    ends: Vec<usize>,
}

impl Words {
    fn split(name: &str) -> Self {
        let mut words = Self {
            letters: String::with_capacity(name.len()),
            ends: Vec::new(),
        };
        let mut before = None;
        let mut chars = name.chars().peekable();
        while let Some(char) = chars.next() {
            let next_is_lower = chars.peek().is_some_and(char::is_ascii_lowercase);
            let starts_word = char.is_ascii_uppercase()
                && before.is_some_and(|before: char| before.is_ascii_lowercase() || next_is_lower);
            if starts_word || !char.is_alphabetic() {
                words.end_word();
            }
            if char.is_alphabetic() {
                words.letters.push(char.to_ascii_lowercase());
            }
            before = Some(char);
        }
        words.end_word();
        words
    }

    fn end_word(&mut self) {
        let end = self.letters.len();
        if end > self.ends.last().copied().unwrap_or_default() {
            self.ends.push(end);
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.ends.iter().enumerate().map(|(index, &end)| {
            let start = index.checked_sub(1).and_then(|index| self.ends.get(index));
            let start = start.copied().unwrap_or_default();
            self.letters.get(start..end).unwrap_or_default()
        })
    }

    /// Returns the last word and the one before it, which is empty where there is none.
    fn last_two(&self) -> Option<(&str, &str)> {
        let mut words = self.iter().rev();
        let last = words.next()?;
        Some((words.next().unwrap_or_default(), last))
    }

    /// Returns whether the name marks numbers, too.
    fn hold_numeric(&self) -> bool {
        UNMISTAKABLE
            .iter()
            .any(|word| self.ends_of(word).next().is_some())
            || COMPOUNDS.iter().any(|word| {
                self.ends_of(word)
                    .any(|end| matches!(self.letters.get(end..), Some("" | "s")))
            })
            || self.iter().any(|word| NUMERIC_WORDS.contains(&word))
    }

    /// Returns whether the name marks text, in every place.
    fn hold_secret(&self) -> bool {
        COMPOUNDS
            .iter()
            .any(|word| self.ends_of(word).next().is_some())
            || self.iter().any(|word| WHOLE_WORDS.contains(&word))
            || BEFORE_KEY
                .iter()
                .any(|before| self.hold_pair(before, "key"))
            || AFTER_AUTH.iter().any(|after| self.hold_pair("auth", after))
            || matches!(self.letters.as_str(), "auth" | "tokens")
            || self.last_two().is_some_and(|(before, last)| {
                last.strip_suffix("token").is_some_and(|start| {
                    let before = if start.is_empty() { before } else { start };
                    !BEFORE_HARMLESS_TOKEN
                        .iter()
                        .any(|harmless| before.ends_with(harmless))
                })
            })
    }

    fn hold_pair(&self, one: &str, two: &str) -> bool {
        holds(&self.letters, two) && self.ends_of(&[one, two].concat()).next().is_some()
    }

    /// Returns the ends in `letters` of each `wanted` that lies within one word (`dbpassword`) or
    /// consists of whole ones (`pass_words`, but not `compass_words`).
    fn ends_of(&self, wanted: &str) -> impl Iterator<Item = usize> {
        places_of(&self.letters, wanted).filter_map(move |start| {
            let end = start + wanted.len();
            let after = self.letters.get(end..).unwrap_or_default();
            if wanted == "secret" && (after.starts_with("ary") || after.starts_with("ari")) {
                return None;
            }
            let is_end = |at: usize| self.ends.binary_search(&at).is_ok();
            let is_whole = (start == 0 || is_end(start))
                && (is_end(end) || after.starts_with('s') && is_end(end + 1));
            let word_end = self
                .ends
                .get(self.ends.partition_point(|&edge| edge <= start));
            let is_within = word_end.is_some_and(|&edge| end <= edge);
            (is_whole || is_within).then_some(end)
        })
    }
}
