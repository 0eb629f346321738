//! Terminal escape sequences (ECMA-48) in text: colours, links, titles. Nobody can read or search them in a stored log,
//! and a terminal that shows the log would obey them.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';
/// The control sequence introducer as one character.
const CSI: char = '\u{9b}';
/// The string terminator as one character.
const STRING_TERMINATOR: char = '\u{9c}';

/// Returns `text` without its escape sequences. One that never ends loses its beginning alone.
pub(crate) fn strip_terminal_escapes(text: &str) -> Cow<'_, str> {
    // The first byte of each; the second's is also that of other characters.
    if memchr::memchr2(0x1b, 0xc2, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find([ESCAPE, CSI]) {
        let (before, sequence) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        rest = skip_sequence(sequence);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns what follows the escape sequence that `text` begins with.
fn skip_sequence(text: &str) -> &str {
    if let Some(parameters) = text.strip_prefix(CSI) {
        return skip_control_sequence(parameters);
    }
    let text = text.strip_prefix(ESCAPE).unwrap_or(text);
    let mut chars = text.chars();
    match chars.next() {
        Some('[') => skip_control_sequence(chars.as_str()),
        // Operating system commands and other strings, up to a terminator.
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars.as_str()),
        // Two characters, or intermediates and a final one: `ESC ( B`.
        Some(' '..='~') => {
            let text = text.trim_start_matches(is_intermediate);
            let mut chars = text.chars();
            match chars.next() {
                Some('0'..='~') => chars.as_str(),
                _ => text,
            }
        }
        _ => text,
    }
}

/// Skips parameters, intermediates and the final character.
fn skip_control_sequence(text: &str) -> &str {
    let end = text
        .trim_start_matches(|c| matches!(c, '0'..='?'))
        .trim_start_matches(is_intermediate);
    end.strip_prefix(|c| matches!(c, '@'..='~')).unwrap_or(end)
}

fn is_intermediate(c: char) -> bool {
    matches!(c, ' '..='/')
}

fn skip_string(text: &str) -> &str {
    for (at, found) in text.char_indices() {
        let end = match found {
            '\u{7}' | STRING_TERMINATOR => at + found.len_utf8(),
            ESCAPE
                if text
                    .get(at + 1..)
                    .is_some_and(|rest| rest.starts_with('\\')) =>
            {
                at + 2
            }
            _ => continue,
        };
        return text.get(end..).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_and_text_stays() {
        for (from, to) in [
            ("plain", "plain"),
            (
                "--> GET /orders/7 \u{1b}[32m200\u{1b}[0m 12ms",
                "--> GET /orders/7 200 12ms",
            ),
            ("\u{1b}[38;2;255;0;0mred\u{1b}[39m", "red"),
            ("a\u{7}\u{1b}]0;title\u{7}b", "a\u{7}b"),
            (
                "\u{1b}]8;;https://a.example\u{1b}\\link\u{1b}]8;;\u{1b}\\",
                "link",
            ),
            ("\u{9b}31mC1\u{9b}0m", "C1"),
            ("\u{1b}(Bcharset\u{1b}c", "charset"),
            ("\u{1b}]never ends", "never ends"),
            ("at the end \u{1b}", "at the end "),
            ("\u{1b}[", ""),
            ("\u{1b}ünder", "ünder"),
            ("\u{1b}[31", ""),
        ] {
            assert_eq!(strip_terminal_escapes(from), to, "{from:?}");
        }
    }
}
