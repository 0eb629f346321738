//! Secret members of data that was written into text: `{"password":"…"}` in the middle of a message,
//! in JSON that was cut or written as JSON again, as `console` shows objects and maps, `{ password: '…' }` and
//! `Headers { 'authorization' => '…' }`, as Ruby and Rust show them, or as headers and settings are written.

use std::ops::Range;

use super::query::{is_apostrophe, names_scheme};
use super::{REDACTED, Redactor, Secret, Verdict};

/// Returns the value to redact of the member whose name ends at `at`, where its quote, its colon or its `=>` is, and the
/// text in its place: JSON stays JSON.
///
/// Reads backwards to the beginning of the name, and forwards only if the name is secret, to the
/// end of a value that is then taken out.
pub(super) fn find_member(redactor: &Redactor, text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let is_quoted = matches!(bytes.get(at), Some(b'"' | b'\''));
    let name = if is_quoted {
        find_quoted_name(text, at)?
    } else {
        find_bare_name(text, at)?
    };
    let mark = if is_quoted { at + 1 } else { at };
    let behind = text.get(mark..)?.trim_start_matches(' ');
    let behind = behind
        .strip_prefix(':')
        .or_else(|| behind.strip_prefix("=>"))?;
    let verdict = redactor.judge_field(name);
    // `Unexpected token: "}"` names no member.
    if verdict == Verdict::Keep || !is_quoted && verdict == Verdict::Text {
        return None;
    }
    // Rust shows an optional value as `Some("…")`.
    let value = behind.trim_start_matches(' ');
    let value = value.strip_prefix("Some(").unwrap_or(value);
    let start = text.len() - value.len();
    let value = match bytes.get(start)? {
        &quote @ (b'"' | b'\'' | b'`') => {
            return secret(text, find_string(bytes, start, quote), REDACTED);
        }
        b'\\' => return secret(text, find_escaped_string(bytes, start)?, REDACTED),
        b'[' | b'{' => find_nested(bytes, start),
        b'0'..=b'9' | b'-' if is_quoted && verdict == Verdict::TextAndNumbers => {
            find_number(bytes, start)
        }
        _ if !is_quoted && behind.starts_with(' ') => {
            return secret(text, find_plain_value(text, name, start)?, REDACTED);
        }
        _ => return None,
    };
    // What is quoted inside of a string, and inside of that again; deeper, no text is short.
    let quoted = match count_slashes(bytes.get(..at)?) {
        0 => r#""REDACTED""#,
        1 => r#"\"REDACTED\""#,
        3 => r#"\\\"REDACTED\\\""#,
        _ => "null",
    };
    secret(text, value, quoted)
}

/// Returns what is at `place`, unless it is empty or redacted already.
fn secret(text: &str, place: Range<usize>, replacement: &'static str) -> Option<Secret> {
    let is_secret = !matches!(text.get(place.clone())?, "" | REDACTED);
    is_secret.then_some(Secret { place, replacement })
}

/// Returns the number of backslashes at the end of `bytes`.
fn count_slashes(bytes: &[u8]) -> usize {
    let backwards = bytes.iter().rev();
    backwards.take_while(|byte| **byte == b'\\').count()
}

/// Returns the name that the quote at `at` ends. In JSON within JSON, backslashes are before it.
fn find_quoted_name(text: &str, at: usize) -> Option<&str> {
    let quote = *text.as_bytes().get(at)?;
    let name = text.get(..at)?;
    let name = name.trim_end_matches('\\');
    let start = memchr::memrchr2(quote, b'\n', name.as_bytes())?;
    let is_quote = name.as_bytes().get(start) == Some(&quote);
    name.get(start + 1..).filter(|_| is_quote)
}

/// Returns the word that the colon at `at` follows.
fn find_bare_name(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let len = before
        .bytes()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'))
        .count();
    before.get(at - len..)
}

/// Returns the inside of the string whose quote is at `start`, to its end or that of the text.
fn find_string(bytes: &[u8], start: usize, quote: u8) -> Range<usize> {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => break,
            _ => at += 1,
        }
    }
    start + 1..at.min(bytes.len())
}

/// Returns the inside of the string whose escaped quote is at `start`, to its end or that of the text. In text that was
/// written as JSON more than once, several backslashes are before each quote.
fn find_escaped_string(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = bytes.get(start..)?;
    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    let quote = rest
        .get(..=slashes)
        .filter(|quote| quote.ends_with(b"\""))?;
    let inside = rest.get(quote.len()..)?;
    let len = memchr::memmem::find(inside, quote).unwrap_or(inside.len());
    let first = start + quote.len();
    Some(first..first + len)
}

/// Returns the list or object at `start`, to its end or that of the text.
fn find_nested(bytes: &[u8], start: usize) -> Range<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = find_string(bytes, at, byte).end,
            b'\'' if !is_apostrophe(bytes, at) => at = find_string(bytes, at, byte).end,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return start..at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    start..bytes.len()
}

/// Returns the value without quotes that begins at `start`, behind `name: ` as headers and settings are written, where
/// it looks like a secret: credentials after their scheme, a list of cookies, or a word of six or more characters with a
/// digit. (`Invalid password: must have …` holds none.)
fn find_plain_value(text: &str, name: &str, start: usize) -> Option<Range<usize>> {
    const LEAST: usize = 6;
    let word_end = |start: usize| {
        let rest = text.get(start..).unwrap_or_default();
        let is_end = |c: char| c.is_whitespace() || "\"'`\\,)]}>".contains(c);
        start + rest.find(is_end).unwrap_or(rest.len())
    };
    let mut end = word_end(start);
    let first = text.get(start..end)?;
    let is_cookie = name
        .get(name.len().saturating_sub("cookie".len())..)
        .is_some_and(|last| last.eq_ignore_ascii_case("cookie"));
    if names_scheme(first.as_bytes()) && text.get(end..)?.starts_with(' ') {
        return Some(end + 1..word_end(end + 1));
    }
    if is_cookie && first.contains('=') {
        while text.get(..end)?.ends_with(';') && text.get(end..)?.starts_with(' ') {
            end = word_end(end + 1);
        }
        return Some(start..end);
    }
    (first.len() >= LEAST && first.bytes().any(|byte| byte.is_ascii_digit())).then_some(start..end)
}

/// Returns the number at `start`.
fn find_number(bytes: &[u8], start: usize) -> Range<usize> {
    let is_part =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let number = bytes.get(start..).unwrap_or_default();
    start..start + number.iter().take_while(|byte| is_part(byte)).count()
}
