//! JSON text, walked in place: the one JSON layer of this crate. serde validates a text once; a [`Json`] is then known
//! to be one value, and its members and elements are found without building a tree, so that numbers, order and repeated
//! names stay as they came. `json_writer` writes.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of one JSON value that serde has validated, without surrounding white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// The value null.
    pub(crate) const NULL: Self = Self("null");

    /// Returns the value that `text` is, if it is one. Any depth is read.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(Self::from)
    }

    /// Returns the object or array that `text` is, if it is one.
    pub(crate) fn parse_container(text: &'a str) -> Option<Self> {
        let text = text.trim_ascii();
        // A glance spares reading most plain text.
        let looks_like_one = text.starts_with('{') && text.ends_with('}')
            || text.starts_with('[') && text.ends_with(']');
        looks_like_one.then(|| Self::parse(text)).flatten()
    }

    /// Returns the text before an object or an array at the end of `text`, and that: `saved {…}`.
    pub(crate) fn split_ending(text: &'a str) -> Option<(&'a str, Self)> {
        // The first bracket that begins JSON: the text before it seldom has one.
        let bytes = text.as_bytes();
        let begin = match text.trim_ascii_end().as_bytes().last()? {
            b'}' => memchr::memmem::find(bytes, b"{\"").or_else(|| text.find('{')),
            b']' => memchr::memmem::find(bytes, b"[{").or_else(|| text.find('[')),
            _ => None,
        }?;
        let (prefix, rest) = text.split_at_checked(begin)?;
        Some((prefix, Self::parse_container(rest)?))
    }

    /// Returns the object that `text` is, if it is one, and its members, each made by `make`.
    pub(crate) fn read_object<M>(
        text: &'a str,
        make: impl Fn(Cow<'a, str>, Self) -> M,
    ) -> Option<(Self, Vec<M>)> {
        let text = text.trim_ascii();
        if !(text.starts_with('{') && text.ends_with('}')) {
            return None;
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let members = (&mut deserializer)
            .deserialize_map(ReadMembers(&make))
            .and_then(|members| deserializer.end().map(|()| members));
        // serde refuses a name with half a surrogate pair.
        let members = members.ok().or_else(|| {
            let object = Self::parse(text)?;
            Some(
                object
                    .members()
                    .map(|(name, value)| make(name, value))
                    .collect(),
            )
        })?;
        Some((Self(text), members))
    }

    /// Returns the value at the beginning of `text`, which is a part of valid JSON.
    pub(crate) fn first_of(text: &'a str) -> Self {
        Self(text.get(..value_end(text.as_bytes())).unwrap_or(text))
    }

    /// Returns the value's text.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    pub(crate) fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub(crate) fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub(crate) fn is_number(self) -> bool {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    }

    /// Returns this value, unless it is null.
    pub(crate) fn non_null(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }

    /// Returns the content of a string; `None` for any other value.
    pub(crate) fn as_text(self) -> Option<Cow<'a, str>> {
        let content = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(decode_content(self.0, content))
    }

    /// Returns the content of a string, and the text of any other value.
    pub(crate) fn display(self) -> Cow<'a, str> {
        self.as_text().unwrap_or(Cow::Borrowed(self.0))
    }

    /// Returns a number as whole milliseconds, without its fraction; `None` for what is negative or not a number.
    pub(crate) fn as_whole(self) -> Option<u64> {
        if let Ok(whole) = self.0.parse() {
            return Some(whole);
        }
        let number: f64 = serde_json::from_str(self.0).ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and what is negative is refused"
        )]
        (number >= 0.0).then_some(number as u64)
    }

    /// Returns the members of an object, in order; of any other value none.
    pub(crate) fn members(self) -> Members<'a> {
        Members(Walk::inside(if self.is_object() { self.0 } else { "" }))
    }

    /// Returns the elements of an array, in order; of any other value none.
    pub(crate) fn elements(self) -> Elements<'a> {
        Elements(Walk::inside(if self.is_array() { self.0 } else { "" }))
    }

    /// Returns the first member of this name.
    pub(crate) fn get(self, name: &str) -> Option<Self> {
        self.members()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Returns the first member of this name that is not null.
    pub(crate) fn get_some(self, name: &str) -> Option<Self> {
        self.get(name).and_then(Self::non_null)
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(raw.get())
    }
}

/// Reads the members of an object while serde checks it.
struct ReadMembers<'f, F>(&'f F);

/// Room for the members that most loggers write.
const USUAL_MEMBERS: usize = 8;

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, M, F: Fn(Cow<'de, str>, Json<'de>) -> M> Visitor<'de> for ReadMembers<'_, F> {
    type Value = Vec<M>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<M>, A::Error> {
        let mut members = Vec::with_capacity(USUAL_MEMBERS);
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            members.push((self.0)(name, Json::from(value)));
        }
        Ok(members)
    }
}

/// Returns what `content`, the inside of the string `token`, stands for. Half a surrogate pair, which no text can hold,
/// becomes visible: the text `\ud83d`.
fn decode_content<'a>(token: &'a str, content: &'a str) -> Cow<'a, str> {
    if memchr(b'\\', content.as_bytes()).is_none() {
        return Cow::Borrowed(content);
    }
    let decoded = serde_json::from_str(token)
        .or_else(|_| serde_json::from_str(&escape_lone_surrogates(token)))
        .unwrap_or_else(|_| content.to_owned());
    Cow::Owned(decoded)
}

/// Returns `token` with the backslash of each lone surrogate's escape doubled.
fn escape_lone_surrogates(token: &str) -> String {
    let mut out = String::with_capacity(token.len() + 8);
    let mut rest = token;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let length = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(_), _) => {
                out.push('\\');
                6
            }
            (None, _) => 2,
        };
        // An escape is ASCII, so this is a boundary.
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        out.push_str(escape);
        rest = after;
    }
    out.push_str(rest);
    out
}

enum Half {
    High,
    Low,
}

/// Returns which half of a surrogate pair the escape at the beginning of `text` is.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// Returns whether `token`, a string, holds half a surrogate pair.
pub(crate) fn has_lone_surrogate(token: &str) -> bool {
    memchr(b'\\', token.as_bytes()).is_some()
        && memchr::memmem::find(token.as_bytes(), b"\\u").is_some()
        && serde_json::from_str::<Cow<'_, str>>(token).is_err()
}

/// A place between two brackets of valid JSON.
#[derive(Clone, Debug)]
struct Walk<'a> {
    rest: &'a str,
}

impl<'a> Walk<'a> {
    fn inside(token: &'a str) -> Self {
        Self {
            rest: token.get(1..).unwrap_or_default(),
        }
    }

    /// Takes the next value, and what stands before it: white space and `separator`.
    fn next_value(&mut self, separator: u8) -> Option<&'a str> {
        let is_before = |byte: &u8| *byte == separator || byte.is_ascii_whitespace();
        let before = self.rest.bytes().take_while(is_before).count();
        let rest = self.rest.get(before..)?;
        let (value, rest) = rest.split_at_checked(value_end(rest.as_bytes()))?;
        self.rest = rest;
        (!value.is_empty()).then_some(value)
    }
}

/// See [`Json::members`].
#[derive(Clone, Debug)]
pub(crate) struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = Json(self.0.next_value(b',')?).as_text()?;
        let value = self.0.next_value(b':')?;
        Some((key, Json(value)))
    }
}

/// See [`Json::elements`].
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        self.0.next_value(b',').map(Json)
    }
}

/// Returns the length of the value that `bytes` begin with; 0 at a closing bracket.
fn value_end(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += string_end(bytes.get(at..).unwrap_or_default()),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                if depth == 0 {
                    return at;
                }
                depth -= 1;
                at += 1;
            }
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {
                at += 1;
                continue; // a number or a word goes on
            }
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// Returns the length of the string token that `bytes` begin with.
fn string_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_stay_as_they_came() {
        let object =
            Json::parse(r#" { "a" : 1e400 , "b\n":[ {"c":"}"} , null ], "a":"x" } "#).unwrap();
        let members: Vec<_> = object
            .members()
            .map(|(key, value)| (key, value.text()))
            .collect();
        assert_eq!(
            members,
            [
                ("a".into(), "1e400"),
                ("b\n".into(), r#"[ {"c":"}"} , null ]"#),
                ("a".into(), r#""x""#)
            ]
        );
        let elements: Vec<_> = object
            .get("b\n")
            .unwrap()
            .elements()
            .map(Json::text)
            .collect();
        assert_eq!(elements, [r#"{"c":"}"}"#, "null"]);
        assert_eq!(Json::parse("[1,[2],3]").unwrap().elements().count(), 3);
        assert_eq!(Json::parse("{}").unwrap().members().count(), 0);
        assert_eq!(Json::parse("7").unwrap().members().count(), 0);
    }

    #[test]
    fn half_pairs_are_decoded_visibly() {
        for (token, text) in [
            (r#""a\ud83d b""#, "a\\ud83d b"),
            (r#""\ud83e\udd80\udd80""#, "🦀\\udd80"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\ud83d\u0041\n""#, "\\ud83dA\n"),
            (r#""\uD83D""#, "\\uD83D"),
        ] {
            assert_eq!(Json(token).as_text().unwrap(), text, "{token}");
        }
        assert!(has_lone_surrogate(r#""\ud83d""#));
        assert!(!has_lone_surrogate(r#""\ud83e\udd80 \\ud83d""#));
    }

    #[test]
    fn whole_numbers_are_read() {
        let whole = |text| Json::parse(text).unwrap().as_whole();
        assert_eq!(whole("1795456626376"), Some(1_795_456_626_376));
        assert_eq!(whole("1795456626376.75"), Some(1_795_456_626_376));
        for text in ["-1", "null", "\"1\"", "{}"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
