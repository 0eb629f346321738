//! Beginnings of JSON, as a list asks for them, completed so that they can be read.

/// Completes JSON that was cut: members that are there as a whole stay, and a text that was cut ends in `…`.
pub(super) fn complete(json: &str) -> String {
    let mut reader = Reader::default();
    for (index, c) in json.char_indices() {
        reader.read(index, c);
    }
    let (end, open, rest) = if reader.in_text && reader.is_value {
        (reader.text_end, reader.open, "…\"")
    } else {
        (reader.end, reader.open_at_end, "")
    };
    let closing: String = open.chars().rev().collect();
    format!("{}{rest}{closing}", json.get(..end).unwrap_or_default())
}

#[derive(Default)]
struct Reader {
    /// The brackets that close the open objects and lists, the innermost last.
    open: String,
    /// The end of what is whole, and what was open there.
    end: usize,
    open_at_end: String,
    in_text: bool,
    /// True where a text is a value, not a name.
    is_value: bool,
    /// The end of the last whole character of a text.
    text_end: usize,
    escape: Escape,
}

/// The part of an escaped character that was read.
#[derive(Default)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// The digits of `\u…`.
    Digits(String),
}

impl Reader {
    fn read(&mut self, index: usize, c: char) {
        if self.in_text {
            self.read_text(index, c);
            return;
        }
        match c {
            '"' => {
                self.in_text = true;
                self.text_end = index + 1;
            }
            '{' | '[' => {
                self.open.push(if c == '{' { '}' } else { ']' });
                self.is_value = c == '[';
                self.mark(index + 1);
            }
            '}' | ']' => {
                self.open.pop();
                self.mark(index + 1);
            }
            ':' => self.is_value = true,
            ',' => {
                self.is_value = self.open.ends_with(']');
                self.mark(index);
            }
            _ => {}
        }
    }

    fn read_text(&mut self, index: usize, c: char) {
        let end = index + c.len_utf8();
        match std::mem::take(&mut self.escape) {
            Escape::None if c == '\\' => self.escape = Escape::Backslash,
            Escape::None if c == '"' => self.in_text = false,
            Escape::Backslash if c == 'u' => self.escape = Escape::Digits(String::new()),
            Escape::None | Escape::Backslash => self.text_end = end,
            Escape::Digits(mut digits) => {
                digits.push(c);
                if digits.len() < 4 {
                    self.escape = Escape::Digits(digits);
                } else if !is_first_half(&digits) {
                    self.text_end = end;
                }
            }
        }
    }

    fn mark(&mut self, end: usize) {
        self.end = end;
        self.open_at_end.clone_from(&self.open);
    }
}

/// Returns whether digits stand for the first half of a character, which is nothing without its second.
fn is_first_half(digits: &str) -> bool {
    let head = digits.get(..2).unwrap_or_default();
    ["d8", "d9", "da", "db"].contains(&head.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_whole_stays_and_a_cut_text_ends_there() {
        let whole = r#"{"kind":"log","data":{"a":[1,{"b":"x"}],"text":"long \ud83d\ude00 \"quoted\" end"}}"#;
        for (cut, expected) in [
            (r#"{"kind":"lo"#, json!({"kind": "lo…"})),
            (r#"{"kind":"log","da"#, json!({"kind": "log"})),
            (r#"{"kind":"log","data":"#, json!({"kind": "log"})),
            (
                r#"{"kind":"log","data":{"a":[1,{"b":"x"#,
                json!({"kind": "log", "data": {"a": [1, {"b": "x…"}]}}),
            ),
            (
                r#"{"kind":"log","data":{"a":[1,{"b":"x"}],"text":"long \ud83d"#,
                json!({"kind": "log", "data": {"a": [1, {"b": "x"}], "text": "long …"}}),
            ),
            (
                r#"{"kind":"log","data":{"a":[1,{"b":"x"}],"text":"long \ud83d\ude00 \"#,
                json!({"kind": "log", "data": {"a": [1, {"b": "x"}], "text": "long 😀 …"}}),
            ),
        ] {
            assert!(whole.starts_with(cut));
            let read: Value = serde_json::from_str(&complete(cut)).unwrap();
            assert_eq!(read, expected, "{cut}");
        }
        assert_eq!(complete(whole), whole);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            Just(Value::from("\u{1}\"\\/😀")),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,5}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_object_can_be_read_wherever_it_is_cut(inner in any_json(), cut in 0_usize..400) {
            let text = json!({"kind": "log", "data": inner}).to_string();
            let text = text.replace('😀', r"\ud83d\ude00");
            let cut: String = text.chars().take(1 + cut).collect();
            let read: Result<Value, _> = serde_json::from_str(&complete(&cut));
            prop_assert!(read.is_ok_and(|read| read.is_object()), "{cut}");
        }
    }
}
