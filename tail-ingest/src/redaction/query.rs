//! Secrets that stand beside a name in text: parameters of queries and forms, and the passwords of
//! URLs.

use std::ops::Range;

use super::{REDACTED, Redactor, Verdict};

/// Characters that percent escapes hide, if a query stands within a parameter of another.
const ESCAPED_SEPARATORS: [&[u8; 2]; 4] = [b"3F", b"26", b"3B", b"23"];

/// Escapes that end a value whose `=` was escaped.
const ESCAPED_ENDS: [&[u8; 2]; 3] = [b"26", b"23", b"22"];

/// Text before the name of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// `?`, `&`, `;` or `#`: this is a query.
    Separator,
    /// `; `: this may be a list of settings, such as a connection string.
    List,
    /// Nothing, a space or a quote: this may be a form.
    Space,
    /// Anything else.
    Text,
}

/// Returns the value to redact of the parameter whose `=` or `%3D` is at `at`.
///
/// Reads backwards to the `=`, separator or space before it, and forwards only if the name is
/// secret: to the end of a value, which is then taken out, or in which no further name is read
/// forwards from. So a byte is read a few times at most, also if a text repeats `=`.
pub(super) fn find_parameter(redactor: &Redactor, text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_escaped = bytes.get(at) == Some(&b'%');
    let (name_start, before) = find_name(bytes, at);
    let name = text.get(name_start..at)?;
    if name.is_empty() {
        return find_assigned(redactor, text, at);
    }
    let verdict = redactor.judge_parameter(name);
    let before = match before {
        Before::List if redactor.judge_field(name) != Verdict::Keep => Before::Separator,
        Before::List => Before::Space,
        before => before,
    };
    let is_bare = before != Before::Separator;
    if verdict == Verdict::Keep
        || is_bare && verdict != Verdict::TextAndNumbers && before != Before::Space
    {
        return None;
    }
    let start = at + if is_escaped { 3 } else { 1 };
    if is_bare && matches!(bytes.get(start), Some(b'=' | b'>')) {
        return None; // a comparison, or an arrow
    }
    let value = match bytes.get(start) {
        Some(&quote @ (b'"' | b'\'')) => {
            let start = start + 1;
            let end = memchr::memchr(quote, bytes.get(start..)?).map(|len| start + len);
            start..end.unwrap_or_else(|| find_value_end(bytes, start, is_escaped))
        }
        _ => find_bare_value(bytes, start, is_escaped),
    };
    let is_form = || bytes.get(value.end) == Some(&b'&');
    if is_bare && verdict != Verdict::TextAndNumbers && !is_form() {
        return None;
    }
    let harmless = ["", "true", "false", "null", "undefined", REDACTED];
    (!harmless.contains(&text.get(value.clone())?)).then_some(value)
}

/// Returns the value of `name = "value"` whose `=` is at `at`, as settings and programs are written.
fn find_assigned(redactor: &Redactor, text: &str, at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?.strip_suffix(' ')?;
    let value = text.get(at..)?.strip_prefix("= ")?;
    let quote = value
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let (name_start, _) = find_name(text.as_bytes(), before.len());
    let name = before.get(name_start..)?;
    if redactor.judge_parameter(name) != Verdict::TextAndNumbers {
        return None;
    }
    let inside = value.get(1..)?;
    let len = inside.find(quote).unwrap_or(inside.len());
    let start = text.len() - inside.len();
    (!matches!(inside.get(..len)?, "" | REDACTED)).then_some(start..start + len)
}

/// Returns where the name begins that ends at `at`, and what is before it.
fn find_name(bytes: &[u8], at: usize) -> (usize, Before) {
    let mut start = at;
    loop {
        let Some(before) = start.checked_sub(1) else {
            return (start, Before::Space);
        };
        let byte = bytes.get(before).copied().unwrap_or_default();
        match byte {
            b'?' | b'&' | b';' | b'#' => return (start, Before::Separator),
            b'%' if is_escape(bytes, before, &[b"3D"]) => return (start, Before::Text),
            b'%' if is_escape(bytes, before, &ESCAPED_SEPARATORS) && start + 2 <= at => {
                return (start + 2, Before::Separator);
            }
            b'\\' => {
                // `&` in JSON text that was written for HTML.
                let is_ampersand = bytes
                    .get(start..at)
                    .is_some_and(|name| name.starts_with(b"u0026"));
                return if is_ampersand {
                    (start + 5, Before::Separator)
                } else {
                    (start, Before::Text)
                };
            }
            b'\'' if is_apostrophe(bytes, before) => return (start, Before::Text),
            b'"' | b'\'' | b'`' => return (start, Before::Space),
            b' ' if before > 0 && bytes.get(before - 1) == Some(&b';') => {
                return (start, Before::List);
            }
            _ if byte.is_ascii_whitespace() => return (start, Before::Space),
            b'=' | b'<' | b'>' | b'(' | b')' | b'{' | b'}' | b',' | b'/' | b':' | b'|' => {
                return (start, Before::Text);
            }
            _ => start = before,
        }
    }
}

/// Returns where the value ends that begins at `start`.
fn find_value_end(bytes: &[u8], start: usize, is_escaped: bool) -> usize {
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        let ends = match byte {
            b'&' | b'#' | b'"' | b'`' | b'<' | b'>' | b'\\' => true,
            // A value may hold these, too.
            b';' | b'?' => starts_parameter(bytes, at + 1),
            b'\'' => !is_apostrophe(bytes, at),
            b'%' => is_escaped && is_escape(bytes, at, &ESCAPED_ENDS),
            _ => byte.is_ascii_whitespace() || byte.is_ascii_control(),
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// Returns the value without quotes that begins at `start`. In `authorization=Bearer TOKEN` it is two words.
fn find_bare_value(bytes: &[u8], start: usize, is_escaped: bool) -> Range<usize> {
    let end = find_value_end(bytes, start, is_escaped);
    if bytes.get(end) == Some(&b' ') && bytes.get(start..end).is_some_and(names_scheme) {
        return start..find_value_end(bytes, end + 1, is_escaped);
    }
    start..end
}

/// Returns whether `value` is the name of a scheme of HTTP authentication.
pub(super) fn names_scheme(value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 5] = [b"Bearer", b"Basic", b"Token", b"ApiKey", b"DPoP"];
    SCHEMES
        .iter()
        .any(|scheme| value.eq_ignore_ascii_case(scheme))
}

/// Returns whether `name=`, a space or the end of the text is at `at`.
fn starts_parameter(bytes: &[u8], at: usize) -> bool {
    let is_name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%')
    };
    let rest = bytes.get(at..).unwrap_or_default();
    let len = rest.iter().take_while(|byte| is_name(byte)).count();
    match rest.get(len) {
        Some(b'=') => true,
        Some(byte) => len == 0 && byte.is_ascii_whitespace(),
        None => len == 0,
    }
}

/// Returns whether the quote at `at` is between letters or digits, and so quotes nothing.
pub(super) fn is_apostrophe(bytes: &[u8], at: usize) -> bool {
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_alphanumeric)
    };
    is_letter(at.checked_sub(1)) && is_letter(Some(at + 1))
}

/// Returns whether a percent escape of one of `codes` is at `at`.
fn is_escape(bytes: &[u8], at: usize, codes: &[&[u8; 2]]) -> bool {
    bytes
        .get(at + 1..at + 3)
        .is_some_and(|code| codes.iter().any(|known| code.eq_ignore_ascii_case(*known)))
}

/// Returns the password of the URL whose `://` is at `at`.
pub(super) fn find_url_password(text: &str, at: usize) -> Option<Range<usize>> {
    let start = at + 3;
    let rest = text.get(start..)?;
    let authority = rest
        .split(|char: char| {
            matches!(char, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>' | '\\')
                || char.is_ascii_whitespace()
        })
        .next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let password_start = start + name.len() + 1;
    (!password.is_empty() && password != REDACTED)
        .then(|| password_start..password_start + password.len())
}
