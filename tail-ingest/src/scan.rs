//! One pass over JSON text that checks it, finds the members of the outermost object and tells which of them can be
//! stored as they came. For the usual text only: what is unusual is refused, and `json` and `clean` take it apart.

use std::borrow::Cow;

use log_record::scan::Scan;

use crate::json;
use crate::redact::Names;

/// The deepest nesting that is followed here, well within what `clean` stores as it came.
const DEPTH: u32 = 60;

/// A token, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged<'a> {
    pub(crate) token: &'a str,
    /// `clean` would leave it as it is.
    pub(crate) clean: bool,
    /// No string in it holds an escape.
    pub(crate) plain: bool,
}

impl<'a> Judged<'a> {
    /// A token of which nothing is known.
    pub(crate) fn unknown(token: &'a str) -> Self {
        Self {
            token,
            clean: false,
            plain: false,
        }
    }

    /// The text of a string.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        json::is_string(self.token).then(|| {
            if self.plain {
                Cow::Borrowed(json::unquoted(self.token))
            } else {
                json::decode(self.token)
            }
        })
    }

    /// The text of a string that is not blank.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        self.string().filter(|text| !json::is_blank(text))
    }
}

/// Calls `take` with the members of `text`, if that is an object and nothing but one: key token and value (which is known
/// to be clean only with `keys`). `false` says that nothing is known of the text, whatever `take` got.
pub(crate) fn object<'a>(
    text: &'a str,
    keys: Option<&mut Keys<'_, 'a>>,
    mut take: impl FnMut(&'a str, Judged<'a>),
) -> bool {
    Judge::new(text, keys).members(&mut take).is_some()
}

/// Calls `take` with the elements of `text`, if that is an array and nothing but one. `false` says that nothing is known
/// of the text, whatever `take` got.
pub(crate) fn array<'a>(text: &'a str, mut take: impl FnMut(&'a str)) -> bool {
    Judge::new(text, None).elements(&mut take).is_some()
}

/// Whether `text` is JSON without doubt; `false` says nothing.
pub(crate) fn is_json(text: &str) -> bool {
    let mut judge = Judge::new(text, None);
    judge.scan.space();
    let value = judge.value();
    judge.scan.space();
    value.is_some() && judge.scan.is_over()
}

/// Which keys within the members of an object name secrets. The lines of an invocation tend to have the same keys in
/// the same order, so those of the line before are tried first.
#[derive(Debug)]
pub(crate) struct Keys<'n, 'a> {
    names: &'n Names,
    /// Keys that name none, each from its opening quote to its colon.
    harmless: Vec<&'a [u8]>,
    /// Which of them is expected next.
    next: usize,
}

impl<'n, 'a> Keys<'n, 'a> {
    pub(crate) fn new(names: &'n Names) -> Self {
        Self {
            names,
            harmless: Vec::new(),
            next: 0,
        }
    }

    /// The length of the key that is expected next, if `bytes` begin with it.
    fn expected(&mut self, bytes: &[u8]) -> Option<usize> {
        let key = self.harmless.get(self.next)?;
        begins_with(bytes, key).then(|| {
            self.next += 1;
            key.len()
        })
    }

    fn learn(&mut self, key: &'a [u8]) {
        match self.harmless.get_mut(self.next) {
            Some(other) => *other = key,
            None => self.harmless.push(key),
        }
        self.next += 1;
    }
}

/// `starts_with`, eight bytes at a time.
pub(crate) fn begins_with(bytes: &[u8], with: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..with.len()) else {
        return false;
    };
    if with.len() < 8 {
        return bytes == with;
    }
    let (chunks, _) = with.as_chunks::<8>();
    let (others, _) = bytes.as_chunks::<8>();
    chunks.iter().zip(others).all(|(one, other)| one == other)
        && with.last_chunk::<8>() == bytes.last_chunk::<8>()
}

/// A place in the text, and what is known of the value there. Its steps give `None` where the text is refused.
struct Judge<'k, 'n, 'a> {
    scan: Scan<'a>,
    /// Nothing that `clean` would rewrite has been seen.
    clean: bool,
    /// No escape has been seen.
    plain: bool,
    /// Without them nothing is said about `clean`.
    keys: Option<&'k mut Keys<'n, 'a>>,
}

impl<'k, 'n, 'a> Judge<'k, 'n, 'a> {
    fn new(text: &'a str, mut keys: Option<&'k mut Keys<'n, 'a>>) -> Self {
        if let Some(keys) = &mut keys {
            keys.next = 0;
        }
        Self {
            scan: Scan::new(text),
            clean: true,
            plain: true,
            keys,
        }
    }

    /// Steps over the members of an object that is the whole text.
    fn members(&mut self, take: &mut impl FnMut(&'a str, Judged<'a>)) -> Option<()> {
        self.whole(b'{', |judge| {
            let start = judge.scan.at();
            judge.scan.string()?;
            let key = judge.scan.since(start)?;
            judge.scan.space();
            judge.scan.byte(b':')?;
            judge.scan.space();
            (judge.clean, judge.plain) = (true, true);
            let token = judge.value()?;
            let (clean, plain) = (judge.clean, judge.plain);
            take(
                key,
                Judged {
                    token,
                    clean,
                    plain,
                },
            );
            Some(())
        })
    }

    /// Steps over the elements of an array that is the whole text.
    fn elements(&mut self, take: &mut impl FnMut(&'a str)) -> Option<()> {
        self.whole(b'[', |judge| {
            take(judge.value()?);
            Some(())
        })
    }

    /// Steps over each part of an object or array that is the whole text.
    fn whole(&mut self, open: u8, mut part: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.scan.space();
        self.scan.byte(open)?;
        self.scan.space();
        let close = closing(open);
        if self.scan.peek() != close {
            loop {
                part(self)?;
                self.scan.space();
                if self.scan.peek() == close {
                    break;
                }
                self.scan.byte(b',')?;
                self.scan.space();
            }
        }
        self.scan.byte(close)?;
        self.scan.space();
        self.scan.is_over().then_some(())
    }

    /// Steps over one value, and gives its token.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.scan.at();
        let mut depth = 0;
        // One bit a level, the innermost lowest: whether it is an object.
        let mut objects = 0_u64;
        loop {
            match self.scan.peek() {
                b'"' => {
                    self.string()?;
                }
                open @ (b'{' | b'[') => {
                    self.scan.byte(open)?;
                    self.gap();
                    if self.scan.peek() == closing(open) {
                        self.scan.byte(closing(open))?;
                    } else {
                        depth += 1;
                        if depth > DEPTH {
                            return None;
                        }
                        objects = objects << 1 | u64::from(open == b'{');
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b't' => self.scan.word("true")?,
                b'f' => self.scan.word("false")?,
                b'n' => self.scan.word("null")?,
                _ => self.scan.number()?,
            }
            // A value has ended: so do the containers that it is the last of.
            loop {
                if depth == 0 {
                    return self.scan.since(start);
                }
                self.gap();
                let object = objects & 1 == 1;
                match self.scan.peek() {
                    b',' => {
                        self.scan.byte(b',')?;
                        self.gap();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    close @ b'}' if object => self.scan.byte(close)?,
                    close @ b']' if !object => self.scan.byte(close)?,
                    _ => return None,
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// Steps over a key and its colon.
    fn key(&mut self) -> Option<()> {
        if let Some(keys) = &mut self.keys
            && let Some(length) = keys.expected(self.scan.rest())
        {
            self.scan.go_to(self.scan.at() + length);
            self.gap();
            return Some(());
        }
        let start = self.scan.at();
        let (key, escaped) = self.string()?;
        self.gap();
        self.scan.byte(b':')?;
        if let Some(keys) = &mut self.keys
            && self.clean
        {
            self.clean = !escaped && !keys.names.marks_field(key);
            if self.clean {
                keys.learn(self.scan.since(start)?.as_bytes());
            }
        }
        self.gap();
        Some(())
    }

    /// Steps over a string; gives what is between its quotes, and whether that holds escapes.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        let (content, escaped) = self.scan.string()?;
        if escaped {
            self.plain = false;
            self.clean &= !json::has_surrogate(content);
        }
        Some((content, escaped))
    }

    /// White space within a value, which `clean` drops.
    fn gap(&mut self) {
        if self.scan.peek() <= b' ' {
            let start = self.scan.at();
            self.scan.space();
            self.clean &= self.scan.at() == start;
        }
    }
}

/// The bracket that closes what `open` opens: ASCII has it two further on.
fn closing(open: u8) -> u8 {
    open + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Vec<(&str, &str, bool, bool)>> {
        let mut members = Vec::new();
        let names = Names::default();
        object(text, Some(&mut Keys::new(&names)), |key, value| {
            members.push((key, value.token, value.clean, value.plain));
        })
        .then_some(members)
    }

    #[test]
    fn members_are_found_and_judged() {
        assert_eq!(found(" { } "), Some(Vec::new()));
        assert_eq!(
            found(
                r#"{"a" : 1,"b":{"c":[{},[],"\u00e9"]},"d":{"token":1},"e":[1 ],"f":"\ud83d","g":{"\n":1}}"#
            ),
            Some(vec![
                (r#""a""#, "1", true, true),
                (r#""b""#, r#"{"c":[{},[],"\u00e9"]}"#, true, false),
                (r#""d""#, r#"{"token":1}"#, false, true),
                (r#""e""#, "[1 ]", false, true),
                (r#""f""#, r#""\ud83d""#, false, false),
                (r#""g""#, r#"{"\n":1}"#, false, false),
            ])
        );
    }

    #[test]
    fn what_is_taken_for_json_is_json() {
        let good = [
            "0",
            "-0.5e+7",
            "1E5",
            "[]",
            "[[],{}]",
            "{\"a\":[1,{\"b\":null}]}",
            " true ",
            "\"\\u0041\\\"\"",
            "[false,\"\u{7f}é🦀\"]",
        ];
        for text in good {
            assert!(is_json(text), "{text}");
        }
        let cut_and_changed = good.iter().flat_map(|text| {
            (0..text.len()).flat_map(move |at| {
                [
                    b"\"", b"}", b"]", b",", b":", b"0", b"\\", b" ", b"\x01", b"-", b".",
                ]
                .into_iter()
                .flat_map(move |byte| {
                    let mut changed = text.as_bytes().to_vec();
                    let cut = changed.get(..at).unwrap().to_vec();
                    *changed.get_mut(at).unwrap() = byte[0];
                    let mut longer = text.as_bytes().to_vec();
                    longer.insert(at, byte[0]);
                    [changed, cut, longer]
                })
            })
        });
        for bytes in cut_and_changed {
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            assert_eq!(is_json(&text), json, "{text}");
        }
        assert!(!is_json(&format!("{}{}", "[".repeat(62), "]".repeat(62))));
    }
}
