//! One pass over JSON text that checks it, finds the members of the outermost object and tells which of them can be
//! stored as they came. For the usual text only: what is unusual is refused, and `json` and `clean` take it apart.

use crate::json;
use crate::redact::Names;

/// The deepest nesting that is followed here, well within what `clean` stores as it came.
const DEPTH: u32 = 60;

/// Calls `take` with the members of `text`, if that is an object and nothing but one: key token, value token, and
/// whether `clean` would leave the value as it is (which is only known with `keys`). `false` says that nothing is known
/// of the text, whatever `take` got.
pub(crate) fn object<'a>(
    text: &'a str,
    keys: Option<&mut Keys<'_, 'a>>,
    mut take: impl FnMut(&'a str, &'a str, bool),
) -> bool {
    Scan::new(text, keys).members(&mut take).is_some()
}

/// Calls `take` with the elements of `text`, if that is an array and nothing but one. `false` says that nothing is known
/// of the text, whatever `take` got.
pub(crate) fn array<'a>(text: &'a str, mut take: impl FnMut(&'a str)) -> bool {
    Scan::new(text, None).elements(&mut take).is_some()
}

/// Whether `text` is JSON without doubt; `false` says nothing.
pub(crate) fn is_json(text: &str) -> bool {
    let mut scan = Scan::new(text, None);
    scan.space();
    let value = scan.value();
    scan.space();
    value.is_some() && scan.at == text.len()
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
fn begins_with(bytes: &[u8], with: &[u8]) -> bool {
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

/// A place in the text. Its steps give `None` where the text is refused.
struct Scan<'k, 'n, 'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Nothing that `clean` would rewrite has been seen.
    clean: bool,
    /// Without them nothing is said about `clean`.
    keys: Option<&'k mut Keys<'n, 'a>>,
}

impl<'k, 'n, 'a> Scan<'k, 'n, 'a> {
    fn new(text: &'a str, mut keys: Option<&'k mut Keys<'n, 'a>>) -> Self {
        if let Some(keys) = &mut keys {
            keys.next = 0;
        }
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            clean: true,
            keys,
        }
    }

    fn members(&mut self, take: &mut impl FnMut(&'a str, &'a str, bool)) -> Option<()> {
        self.space();
        self.byte(b'{')?;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
        } else {
            loop {
                let start = self.at;
                self.string()?;
                let key = self.text.get(start..self.at)?;
                self.space();
                self.byte(b':')?;
                self.space();
                let start = self.at;
                self.clean = true;
                self.value()?;
                let value = self.text.get(start..self.at)?;
                take(key, value, self.clean);
                self.space();
                match self.peek() {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return None,
                }
                self.space();
            }
            self.at += 1;
        }
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    fn elements(&mut self, take: &mut impl FnMut(&'a str)) -> Option<()> {
        self.space();
        self.byte(b'[')?;
        self.space();
        if self.peek() == b']' {
            self.at += 1;
        } else {
            loop {
                let start = self.at;
                self.value()?;
                take(self.text.get(start..self.at)?);
                self.space();
                match self.peek() {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return None,
                }
                self.space();
            }
            self.at += 1;
        }
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// Steps over one value.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0;
        // One bit a level, the innermost lowest: whether it is an object.
        let mut objects = 0_u64;
        loop {
            match self.peek() {
                b'"' => {
                    self.string()?;
                }
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    self.gap();
                    let object = open == b'{';
                    // ASCII has the closing bracket two behind the opening one.
                    if self.peek() == open + 2 {
                        self.at += 1;
                    } else {
                        depth += 1;
                        if depth > DEPTH {
                            return None;
                        }
                        objects = objects << 1 | u64::from(object);
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return None,
            }
            // A value has ended: so do the containers that it is the last of.
            loop {
                if depth == 0 {
                    return Some(());
                }
                self.gap();
                let object = objects & 1 == 1;
                match self.peek() {
                    b',' => {
                        self.at += 1;
                        self.gap();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return None,
                }
                self.at += 1;
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// Steps over a key and its colon.
    fn key(&mut self) -> Option<()> {
        let start = self.at;
        if let Some(keys) = &mut self.keys
            && let Some(length) = keys.expected(self.bytes.get(start..)?)
        {
            self.at += length;
            self.gap();
            return Some(());
        }
        let escaped = self.string()?;
        let end = self.at;
        self.gap();
        self.byte(b':')?;
        if let Some(keys) = &mut self.keys
            && self.clean
        {
            self.clean = !escaped && !keys.names.marks_field(self.text.get(start + 1..end - 1)?);
            if self.clean {
                keys.learn(self.bytes.get(start..self.at)?);
            }
        }
        self.gap();
        Some(())
    }

    /// Steps over a string, and says whether it holds escapes.
    fn string(&mut self) -> Option<bool> {
        self.byte(b'"')?;
        let mut escaped = false;
        loop {
            self.at = json::plain_end(self.bytes, self.at);
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Some(escaped);
                }
                b'\\' => {}
                _ => return None,
            }
            escaped = true;
            self.at += 1;
            match self.peek() {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                b'u' => {
                    let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    // Half a surrogate pair, maybe.
                    self.clean &= !matches!(digits.first(), Some(b'd' | b'D'));
                    self.at += 5;
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then_some(())?;
        self.at += word.len();
        Some(())
    }

    /// The byte here; past the end 0, which no JSON holds.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then_some(())?;
        self.at += 1;
        Some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// White space within a value, which `clean` drops.
    fn gap(&mut self) {
        if self.peek() <= b' ' {
            let start = self.at;
            self.space();
            self.clean &= self.at == start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Vec<(&str, &str, bool)>> {
        let mut members = Vec::new();
        let names = Names::default();
        object(text, Some(&mut Keys::new(&names)), |key, value, clean| {
            members.push((key, value, clean));
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
                (r#""a""#, "1", true),
                (r#""b""#, r#"{"c":[{},[],"\u00e9"]}"#, true),
                (r#""d""#, r#"{"token":1}"#, false),
                (r#""e""#, "[1 ]", false),
                (r#""f""#, r#""\ud83d""#, false),
                (r#""g""#, r#"{"\n":1}"#, false),
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
