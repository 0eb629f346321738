//! The fingerprint that exceptions of one cause share: the name, the message without ids and numbers, and where they were thrown
//! without line and column, which change with every deployment.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The shortest piece of letters and digits that is an id rather than a name such as `utf8`.
const ID_LENGTH: usize = 6;

/// The shortest word of several pieces that is an id as a whole, where one of them mixes letters and digits.
const LONG_ID_LENGTH: usize = 16;

/// The parts by which causes are told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    /// The error's name.
    pub name: String,
    /// The message, with ids and numbers replaced.
    pub message: String,
    /// Function and file of the top frame; empty without a stack.
    pub frame: String,
}

impl Fingerprint {
    /// Makes the fingerprint of an exception; `frame` is the first frame of its stack as it was logged.
    #[must_use]
    pub fn new(name: &str, message: &str, frame: &str) -> Self {
        Self {
            name: name.to_owned(),
            message: replace_ids(message),
            frame: strip_position(frame),
        }
    }

    /// Returns eight hexadecimal digits that stand for it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.name, &self.message, &self.frame] {
            hash.update(part);
            hash.update([0]);
        }
        let mut digits = String::new();
        for byte in hash.finalize().iter().take(4) {
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

/// Replaces ids by `<id>` and numbers by `<n>`.
fn replace_ids(message: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut replaced = String::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        push_word(&mut replaced, word);
        let end = behind.find(is_word).unwrap_or(behind.len());
        let (between, next) = behind.split_at(end);
        replaced.push_str(between);
        rest = next;
    }
    // What had a decimal point, or was an address or a version, is one number.
    while replaced.contains("<n>.<n>") {
        replaced = replaced.replace("<n>.<n>", "<n>");
    }
    replaced
}

fn push_word(replaced: &mut String, word: &str) {
    if word.len() >= LONG_ID_LENGTH && word.split(['-', '_']).any(is_mixed) {
        replaced.push_str("<id>");
        return;
    }
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(['-', '_']).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        replaced.push_str(stand_in(piece));
        let (mark, next) = behind.split_at(behind.len().min(1));
        replaced.push_str(mark);
        rest = next;
    }
}

/// Returns what stands for a piece of a word.
fn stand_in(piece: &str) -> &str {
    let digits = piece.trim_start_matches("0x");
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        "<n>"
    } else if piece.len() >= ID_LENGTH && is_mixed(piece) || has_unit(piece) {
        // `12ms` and `3kb` are numbers as well.
        if has_unit(piece) { "<n>" } else { "<id>" }
    } else {
        piece
    }
}

/// Returns whether a piece has both letters and digits.
fn is_mixed(piece: &str) -> bool {
    piece.bytes().any(|byte| byte.is_ascii_digit())
        && piece.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Returns whether a piece is a number with a unit of at most two letters behind it.
fn has_unit(piece: &str) -> bool {
    let unit = piece.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < piece.len()
        && unit.len() <= 2
        && unit.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Returns function and file of a frame: `handler (index.js)` of `    at handler (index.js:3:4)`.
fn strip_position(frame: &str) -> String {
    let frame = frame.trim();
    let Some(frame) = frame.strip_prefix("at ") else {
        return String::new();
    };
    let (open, closed) = match frame.strip_suffix(')') {
        Some(open) => (open, ")"),
        None => (frame, ""),
    };
    let mut place = open;
    // The line and the column.
    for _ in 0..2 {
        if let Some((before, digits)) = place.rsplit_once(':')
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            place = before;
        }
    }
    format!("{place}{closed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_are_replaced_and_words_are_kept() {
        for (message, expected) in [
            ("order 42 is gone", "order <n> is gone"),
            (
                "user 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10 not found",
                "user <id> not found",
            ),
            ("order-42, line_7", "order-<n>, line_<n>"),
            ("took 12.5 ms of 3000ms", "took <n> ms of <n>"),
            ("at 10.0.0.1:8080", "at <n>:<n>"),
            ("key V1StGXR8_Z5jdHi6B-myT", "key <id>"),
            ("deadbeef01 is stale", "<id> is stale"),
            ("0x1234 overflowed", "<n> overflowed"),
            ("expected utf8 and v2", "expected utf8 and v2"),
            (
                "Cannot read properties of undefined (reading 'id')",
                "Cannot read properties of undefined (reading 'id')",
            ),
            ("größer als 5 €", "größer als <n> €"),
            ("", ""),
        ] {
            assert_eq!(replace_ids(message), expected, "{message}");
        }
    }

    #[test]
    fn a_frame_is_a_function_and_a_file() {
        for (frame, expected) in [
            ("    at handler (index.js:3:4)", "handler (index.js)"),
            (
                "at async Object.fetch (file:///src/index.ts:10:22)",
                "async Object.fetch (file:///src/index.ts)",
            ),
            ("    at index.js:3:4", "index.js"),
            ("at <anonymous>", "<anonymous>"),
            ("at handler (index.js)", "handler (index.js)"),
            ("TypeError: no frame:3:4", ""),
            ("", ""),
        ] {
            assert_eq!(strip_position(frame), expected, "{frame}");
        }
    }

    #[test]
    fn a_digest_depends_on_each_part() {
        let of = |name, message, frame| Fingerprint::new(name, message, frame).digest();
        let digest = of("E", "m 1", "at f (a:1:1)");
        assert_eq!(digest.len(), 8);
        assert_eq!(digest, of("E", "m 22", "at f (a:2:7)"));
        for other in [
            of("F", "m 1", "at f (a:1:1)"),
            of("E", "n 1", "at f (a:1:1)"),
            of("E", "m 1", "at g (a:1:1)"),
        ] {
            assert_ne!(digest, other);
        }
    }
}
