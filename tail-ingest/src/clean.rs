//! JSON values on their way into a record's context: copied through as they came where nothing has to change, rewritten
//! where something does. `redact` says which names are secret.

use log_record::limits::CONTEXT_DEPTH;

use crate::json;
use crate::redact::{Names, REDACTED};
use crate::scan::Judged;

/// Levels that a record puts around a value: the context itself, `data` or `args`, and one for a member within.
const DEPTH_AROUND: usize = 4;

/// The deepest nesting a value may have: anything deeper is stored as its JSON text.
const DEPTH: usize = CONTEXT_DEPTH - DEPTH_AROUND;

/// Appends `token`: secrets redacted, no white space between tokens, half surrogate pairs made visible, and what is
/// nested deeper than SQLite and this project's readers can follow as a string of its JSON text.
pub(crate) fn write(out: &mut Vec<u8>, token: &str, names: &Names) {
    if json::is_string(token) {
        write_string_token(out, token);
    } else if is_clean(token, names) {
        out.extend_from_slice(token.as_bytes());
    } else {
        rewrite(out, token, names, 0, false);
    }
}

/// [`write()`] of a token of which more may be known.
pub(crate) fn write_judged(out: &mut Vec<u8>, value: Judged<'_>, names: &Names) {
    if value.clean {
        out.extend_from_slice(value.token.as_bytes());
    } else {
        write(out, value.token, names);
    }
}

/// Appends a string token, half surrogate pairs made visible.
pub(crate) fn write_string_token(out: &mut Vec<u8>, token: &str) {
    if json::has_surrogate(token) {
        json::write_string(out, &json::decode(token));
    } else {
        out.extend_from_slice(token.as_bytes());
    }
}

/// Whether `token`, no string, can be stored as it came. One pass; may say no where a rewrite would change nothing.
fn is_clean(token: &str, names: &Names) -> bool {
    let bytes = token.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let (len, escapes) = json::string_extent(bytes.get(at..).unwrap_or_default());
                let string = token.get(at..at + len).unwrap_or_default();
                at += len;
                let key = bytes.get(at) == Some(&b':');
                let secret = || escapes || names.marks_field(json::unquoted(string));
                if key && secret() || escapes && json::has_surrogate(string) {
                    return false;
                }
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\n' | b'\r' | b'\t' => return false,
            _ => {}
        }
        at += 1;
    }
    true
}

/// [`write()`], member by member. Recurses at most [`DEPTH`] deep.
fn rewrite(out: &mut Vec<u8>, token: &str, names: &Names, depth: usize, secret: bool) {
    if json::is_string(token) {
        if secret {
            json::write_string(out, REDACTED);
        } else {
            write_string_token(out, token);
        }
        return;
    }
    let object = json::is_object(token);
    if !object && !json::is_array(token) {
        out.extend_from_slice(token.as_bytes());
        return;
    }
    if depth >= DEPTH {
        // Below here nobody looks for names any more, so nothing is shown that might be secret.
        json::write_string(
            out,
            if may_hold_secret(token, names) || secret {
                REDACTED
            } else {
                token
            },
        );
        return;
    }
    out.push(if object { b'{' } else { b'[' });
    let mut first = true;
    let mut separate = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    if object {
        for (key, value) in json::members(token) {
            separate(out);
            write_string_token(out, key);
            out.push(b':');
            let secret = secret || names.marks_field(&json::decode(key));
            rewrite(out, value, names, depth + 1, secret);
        }
    } else {
        for value in json::elements(token) {
            separate(out);
            rewrite(out, value, names, depth + 1, secret);
        }
    }
    out.push(if object { b'}' } else { b']' });
}

/// Whether any string in `token` could be the name of a secret.
fn may_hold_secret(token: &str, names: &Names) -> bool {
    let mut rest = token;
    while let Some(at) = rest.find('"') {
        rest = rest.get(at..).unwrap_or_default();
        let (string, after) = rest
            .split_at_checked(json::string_len(rest.as_bytes()))
            .unwrap_or((rest, ""));
        if after.trim_start().starts_with(':') && names.marks_field(&json::decode(string)) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(token: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, token, &Names::default());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_clean_is_copied_byte_for_byte() {
        for token in [
            r#"{"monkey":[1.50,12345678901234567890,"\u00e9\u0000",{}]}"#,
            "1e400",
            "null",
            r#""""#,
        ] {
            assert_eq!(cleaned(token), token);
        }
    }

    #[test]
    fn secrets_white_space_and_half_pairs_are_rewritten() {
        assert_eq!(
            cleaned(
                "{ \"a\" : [ 1 , \"\\ud83d \" ] ,\n\"api\\u0054oken\": {\"x\":\"y\",\"n\":1}, \"max_tokens\":5 }"
            ),
            r#"{"a":[1,"\\ud83d "],"api\u0054oken":{"x":"REDACTED","n":1},"max_tokens":5}"#
        );
    }

    #[test]
    fn what_is_nested_too_deep_becomes_text() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let out = cleaned(&deep);
        assert!(out.ends_with(&format!("]\"{}", "]".repeat(DEPTH))));
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
        let hidden = format!(
            "{}{{\"password\":\"p\"}}{}",
            "[".repeat(200),
            "]".repeat(200)
        );
        assert!(!cleaned(&hidden).contains("\"p"));
    }
}
