//! Secret members of data that was written into text: `{"password":"…"}` in the middle of a message,
//! in JSON that was cut, or as `console` shows objects, `{ password: '…' }`.

use std::ops::Range;

use super::{REDACTED, Redactor, Secret, Verdict};

/// Returns the value to redact of the member whose `":`, `':`, `: "` or `: '` is at `at`, and the
/// text in its place: JSON stays JSON.
///
/// Reads backwards to the beginning of the name, and forwards only if the name is secret, to the
/// end of a value that is then taken out.
pub(super) fn find_member(redactor: &Redactor, text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let is_quoted = bytes.get(at) != Some(&b':');
    let (name, colon) = if is_quoted {
        (find_quoted_name(text, at)?, at + 1)
    } else {
        (find_bare_name(text, at)?, at)
    };
    let verdict = redactor.judge_field(name);
    // `Unexpected token: "}"` names no member.
    if verdict == Verdict::Keep || !is_quoted && verdict == Verdict::Text {
        return None;
    }
    let after = bytes.get(colon + 1..)?;
    let spaces = after.iter().take_while(|byte| **byte == b' ').count();
    let start = colon + 1 + spaces;
    let is_escaped = at > 0 && bytes.get(at - 1) == Some(&b'\\');
    let value = match (bytes.get(start)?, bytes.get(start + 1)) {
        (&quote @ (b'"' | b'\''), _) => {
            return secret(text, find_string(bytes, start, quote), REDACTED);
        }
        (b'\\', Some(b'"')) => {
            let inside = bytes.get(start + 2..)?;
            let len = memchr::memmem::find(inside, b"\\\"").unwrap_or(inside.len());
            return secret(text, start + 2..start + 2 + len, REDACTED);
        }
        (b'[' | b'{', _) => find_nested(bytes, start),
        (b'0'..=b'9' | b'-', _) if verdict == Verdict::TextAndNumbers => find_number(bytes, start),
        _ => return None,
    };
    let quoted = if is_escaped {
        r#"\"REDACTED\""#
    } else {
        r#""REDACTED""#
    };
    secret(text, value, quoted)
}

/// Returns what is at `place`, unless it is empty or redacted already.
fn secret(text: &str, place: Range<usize>, replacement: &'static str) -> Option<Secret> {
    let is_secret = !matches!(text.get(place.clone())?, "" | REDACTED);
    is_secret.then_some(Secret { place, replacement })
}

/// Returns the name that the quote at `at` ends. In JSON within JSON, a backslash is before it.
fn find_quoted_name(text: &str, at: usize) -> Option<&str> {
    let quote = *text.as_bytes().get(at)?;
    let name = text.get(..at)?;
    let name = name.strip_suffix('\\').unwrap_or(name);
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

/// Returns the list or object at `start`, to its end or that of the text.
fn find_nested(bytes: &[u8], start: usize) -> Range<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = find_string(bytes, at, byte).end,
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

/// Returns the number at `start`.
fn find_number(bytes: &[u8], start: usize) -> Range<usize> {
    let is_part =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let number = bytes.get(start..).unwrap_or_default();
    start..start + number.iter().take_while(|byte| is_part(byte)).count()
}
