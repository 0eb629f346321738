//! JSON that is safe to print: each string decodes to what was stored, and none moves the cursor of whoever reads it.
//! JSON itself escapes control characters below U+0020; here DEL, C1 and the characters that reorder text are `\u…`, too.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

/// Returns whether a character may drive a terminal or reorder the text around it.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes a value as JSON, on one line.
///
/// # Errors
/// As the writer has them.
pub fn write(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, SafeFormatter);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Returns a value as JSON, on one line.
///
/// # Errors
/// As [`write()`].
pub fn encode(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    write(&mut bytes, value)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        write_escaped(out, text)
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, out: &mut W, json: &str) -> io::Result<()> {
        // In JSON text only strings hold such characters, and line ends only stand between tokens.
        write_escaped(out, &crate::record::without_space(json))
    }
}

fn write_escaped<W: ?Sized + Write>(out: &mut W, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
        let (before, behind) = rest.split_at(at);
        out.write_all(before.as_bytes())?;
        // All of them are in the basic plane.
        write!(out, "\\u{:04x}", u32::from(c))?;
        rest = behind.strip_prefix(c).unwrap_or_default();
    }
    out.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        let text = "a\u{9b}31m\u{9d}0;t\u{7f}\u{202e}\u{1b}[2J\n";
        let shown = encode(&text).unwrap();
        assert_eq!(shown, r#""a\u009b31m\u009d0;t\u007f\u202e\u001b[2J\n""#);
        let raw =
            RawValue::from_string("{ \"a\u{9b}\" :\n[ 1, \"b \u{7f}\" ] }".to_owned()).unwrap();
        assert_eq!(encode(&raw).unwrap(), r#"{"a\u009b":[1,"b \u007f"]}"#);
    }

    proptest! {
        #[test]
        fn each_string_decodes_to_itself(text in any::<String>(), name in any::<String>()) {
            let value = serde_json::json!({ name: [text] });
            for shown in [
                encode(&value).unwrap(),
                encode(&RawValue::from_string(serde_json::to_string_pretty(&value).unwrap()).unwrap()).unwrap(),
            ] {
                prop_assert!(!shown.chars().any(is_unsafe), "{shown:?}");
                prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value.clone());
            }
        }
    }
}
