//! JSON text, token by token: walking it without building a tree, decoding and writing strings. `clean` rewrites what
//! must not be stored as it came.
//!
//! A *token* is the text of one JSON value, quotes included. The walkers are meant for text that has been checked; on
//! any other they stop early, but they neither panic nor loop.

use std::borrow::Cow;
use std::fmt::Write as _;

use log_record::scan::plain_end;
use serde_json::value::RawValue;

use crate::scan;

/// `text` without surrounding white space, if it is one JSON value. Deep nesting is no reason to refuse.
pub(crate) fn check(text: &str) -> Option<&str> {
    if scan::is_json(text) {
        return Some(text.trim_ascii());
    }
    serde_json::from_str::<&RawValue>(text)
        .ok()
        .map(RawValue::get)
}

/// Whether `token` is an object.
pub(crate) fn is_object(token: &str) -> bool {
    token.starts_with('{')
}

/// Whether `token` is an array.
pub(crate) fn is_array(token: &str) -> bool {
    token.starts_with('[')
}

/// Whether `token` is a string.
pub(crate) fn is_string(token: &str) -> bool {
    token.starts_with('"')
}

/// The length of the string token that `bytes` begins with.
pub(crate) fn string_len(bytes: &[u8]) -> usize {
    string_extent(bytes).0
}

/// The same, and whether the string holds escapes.
pub(crate) fn string_extent(bytes: &[u8]) -> (usize, bool) {
    let mut at = 1;
    let mut escapes = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return (at + 1, escapes),
            Some(b'\\') => {
                escapes = true;
                at += 2;
            }
            Some(_) => at += 1,
            None => return (bytes.len(), escapes),
        }
    }
}

/// The length of the token that `bytes` begins with.
fn value_len(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b'"') => string_len(bytes),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = 0;
            while let Some(&byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at += string_len(bytes.get(at..).unwrap_or_default());
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            bytes.len()
        }
        _ => bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'))
            .unwrap_or(bytes.len()),
    }
}

/// A place in JSON text.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Behind the opening bracket of `token`.
    fn inside(token: &'a str) -> Self {
        Self {
            rest: token.get(1..).unwrap_or_default(),
        }
    }

    fn skip(&mut self, separator: u8) {
        let end = self
            .rest
            .bytes()
            .position(|byte| byte != separator && !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
            .unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (head, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        head
    }

    fn value(&mut self) -> Option<&'a str> {
        let token = self.take(value_len(self.rest.as_bytes()));
        (!token.is_empty()).then_some(token)
    }
}

/// The members of an object token: key token and value token. Of anything else, none.
pub(crate) struct Members<'a>(Cursor<'a>);

/// Walks the members of `token`.
pub(crate) fn members(token: &str) -> Members<'_> {
    Members(Cursor::inside(if is_object(token) { token } else { "" }))
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.skip(b',');
        if !is_string(self.0.rest) {
            return None;
        }
        let key = self.0.value()?;
        self.0.skip(b':');
        Some((key, self.0.value()?))
    }
}

/// The elements of an array token. Of anything else, none.
pub(crate) struct Elements<'a>(Cursor<'a>);

/// Walks the elements of `token`.
pub(crate) fn elements(token: &str) -> Elements<'_> {
    Elements(Cursor::inside(if is_array(token) { token } else { "" }))
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.skip(b',');
        self.0.value()
    }
}

/// The value of the member `name` (plain ASCII) of an object token.
pub(crate) fn member<'a>(token: &'a str, name: &str) -> Option<&'a str> {
    members(token)
        .find(|(key, _)| unquoted(key) == name)
        .map(|(_, value)| value)
}

/// What stands between the quotes of a string token, escapes and all.
pub(crate) fn unquoted(token: &str) -> &str {
    token
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or_default()
}

/// The text of a string token. Half a surrogate pair, which no UTF-8 text can hold, becomes the six characters that
/// name it (`\ud83d`): visible, and still telling which.
pub(crate) fn decode(token: &str) -> Cow<'_, str> {
    let inner = unquoted(token);
    if !has_escape(inner) {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(plain);
        let mut chars = escape.chars();
        chars.next();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let digits = chars.as_str();
                let (unit, after) = unit(digits);
                rest = after;
                if let Some(char) = char::from_u32(unit) {
                    text.push(char);
                } else if let Some((low, after)) =
                    after
                        .strip_prefix("\\u")
                        .map(self::unit)
                        .filter(|(low, _)| {
                            (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(low)
                        })
                {
                    let point = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    text.extend(char::from_u32(point));
                    rest = after;
                } else {
                    // Writing to a String does not fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The code unit that `digits` begins with, and what follows it.
fn unit(digits: &str) -> (u32, &str) {
    let (hex, rest) = digits.split_at_checked(4).unwrap_or((digits, ""));
    (u32::from_str_radix(hex, 16).unwrap_or(0xfffd), rest)
}

/// Whether a string token holds half a surrogate pair, or might: any escape of a surrogate counts.
pub(crate) fn has_surrogate(token: &str) -> bool {
    has_escape(token) && has_surrogate_escape(token)
}

/// Whether a string token, or what stands between its quotes, holds any escape.
pub(crate) fn has_escape(token: &str) -> bool {
    memchr::memchr(b'\\', token.as_bytes()).is_some()
}

fn has_surrogate_escape(token: &str) -> bool {
    let mut rest = token;
    while let Some(at) = rest.find('\\') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let mut bytes = rest.bytes();
        if bytes.next() == Some(b'u') && matches!(bytes.next(), Some(b'd' | b'D')) {
            return true;
        }
        // An escaped backslash is no beginning.
        rest = rest.strip_prefix('\\').unwrap_or(rest);
    }
    false
}

/// What `token` says as plain text: a string's text, anything else as it is written.
pub(crate) fn display(token: &str) -> Cow<'_, str> {
    if is_string(token) {
        decode(token)
    } else {
        Cow::Borrowed(token)
    }
}

/// A string token's text, if it is one and not blank.
pub(crate) fn text(token: &str) -> Option<Cow<'_, str>> {
    (is_string(token))
        .then(|| decode(token))
        .filter(|text| !is_blank(text))
}

/// Whether there is nothing to see in `text`.
pub(crate) fn is_blank(text: &str) -> bool {
    // The rest is for text that begins with space, or is not ASCII.
    !text.starts_with(|first: char| first.is_ascii_graphic()) && text.trim().is_empty()
}

/// A finite number token.
pub(crate) fn number(token: &str) -> Option<f64> {
    token.parse::<f64>().ok().filter(|number| {
        number.is_finite() && token.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    })
}

/// Appends `text` as a string token.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as the inside of a string token.
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut start = 0;
    loop {
        let at = plain_end(bytes, start);
        out.extend_from_slice(bytes.get(start..at).unwrap_or_default());
        let Some(&byte) = bytes.get(at) else {
            return;
        };
        start = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                for nibble in [byte >> 4, byte & 15] {
                    out.extend(HEX.get(usize::from(nibble)));
                }
            }
        }
    }
}

/// Appends a whole number.
pub(crate) fn write_whole(out: &mut Vec<u8>, mut number: u64) {
    if let Ok(small @ 0..=99) = u8::try_from(number) {
        // Most are: positions of lines, and times of a few milliseconds.
        if small > 9 {
            out.push(b'0' + small / 10);
        }
        out.push(b'0' + small % 10);
        return;
    }
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        // A remainder of ten fits a byte.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_gives_every_member_and_element() {
        let text = r#" {"a" : [1, {"b":"}]"} ,"x\"" ],"":null , "c":-1.5e3 } "#;
        let token = check(text).unwrap();
        let found: Vec<_> = members(token).collect();
        assert_eq!(
            found,
            [
                (r#""a""#, r#"[1, {"b":"}]"} ,"x\"" ]"#),
                (r#""""#, "null"),
                (r#""c""#, "-1.5e3")
            ]
        );
        assert_eq!(
            elements(found[0].1).collect::<Vec<_>>(),
            ["1", r#"{"b":"}]"}"#, r#""x\"""#]
        );
        assert_eq!(member(token, "c"), Some("-1.5e3"));
        assert_eq!(elements("7").count() + members("[1]").count(), 0);
    }

    #[test]
    fn strings_end_at_their_closing_quote_wherever_it_is() {
        for plain in 0..20 {
            for tail in ["", "\"", "\\", "xxxxxxxxxxxxxxxxxxxx"] {
                let inner = "é".repeat(plain / 2) + &"x".repeat(plain % 2);
                let text = format!("\"{inner}\"{tail}");
                assert_eq!(string_extent(text.as_bytes()), (inner.len() + 2, false));
                for escape in [r#"\""#, r"\\", r"\u0022"] {
                    let text = format!("\"{inner}{escape}{inner}\"{tail}");
                    let len = 2 * inner.len() + escape.len() + 2;
                    assert_eq!(string_extent(text.as_bytes()), (len, true), "{text}");
                }
            }
            let open = format!("\"{}", "x".repeat(plain));
            assert_eq!(string_len(open.as_bytes()), open.len());
            let broken = format!("\"{}\\", "x".repeat(plain));
            assert_eq!(string_len(broken.as_bytes()), broken.len());
        }
    }

    #[test]
    fn walking_what_is_no_json_ends() {
        for text in [
            "{\"a\"", "{\"a\":", "[[[", "[,,", "{,:", "\"", "[\"\\", "{\"a\":}", "[1}",
        ] {
            assert!(members(text).count() + elements(text).count() < 3);
        }
    }

    #[test]
    fn strings_decode_and_half_pairs_stay_visible() {
        assert_eq!(
            decode(r#""a\n\"\\\/\u00e9\ud83e\udd80\u0000""#),
            "a\n\"\\/é🦀\0"
        );
        assert_eq!(
            decode(r#""x\ud83d y\udd80\ud83d\ud83e\udd80""#),
            "x\\ud83d y\\udd80\\ud83d🦀"
        );
        assert!(has_surrogate(r#""\uD83d""#));
        assert!(!has_surrogate(r#""\\ud83d""#));
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "naïve \u{0}\u{1f}\u{7f}\"\\\n🦀";
        let mut out = Vec::new();
        write_string(&mut out, text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        for number in [0, 9, 10, 1_732_000_000_123, u64::MAX] {
            let mut out = Vec::new();
            write_whole(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
