//! Answers: bounded, with what they left out, and with what Workers logged in one marked member.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::output::json::encode;
use crate::{Error, raw};

/// Bytes of one answer: some 15,000 words of what a model reads.
const ANSWER_BYTES: usize = 60_000;

/// Characters of one text in an answer.
const TEXT_CHARS: usize = 1_500;

/// An answer. It is sent as the text of its JSON, in which each number keeps its digits and each object its order; what the
/// protocol calls structured content keeps neither.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What the tool itself has to say, by name.
    pub(super) facts: Vec<(&'static str, Box<RawValue>)>,
    /// What Workers logged, one entry for each record, row or exception; the most wanted ones first.
    pub(super) logged: Option<Vec<Box<RawValue>>>,
    /// What is missing, and how to ask for it.
    pub(super) left_out: Vec<String>,
}

/// Returns the result of a call. What went wrong is a result as well: the assistant may ask otherwise.
pub(super) fn to_result(answer: Result<Answer, Error>) -> CallToolResult {
    match answer {
        Ok(answer) => CallToolResult::success(vec![ContentBlock::text(answer.into_json())]),
        Err(error) => {
            CallToolResult::error(vec![ContentBlock::text(crate::commands::report(&error))])
        }
    }
}

/// Returns each value as JSON.
pub(super) fn to_json(values: impl IntoIterator<Item: Serialize>) -> Vec<Box<RawValue>> {
    let values = values.into_iter();
    values.filter_map(|one| to_raw_value(&one).ok()).collect()
}

impl Answer {
    /// Adds a fact.
    pub(super) fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.facts
            .extend(to_raw_value(&value).ok().map(|value| (name, value)));
        self
    }

    /// Puts the answer together: long texts are cut, and entries left out from the end until it is short enough.
    fn into_json(mut self) -> String {
        let mut writer = Writer::default();
        for (name, value) in &self.facts {
            writer.push_member(name, value);
        }
        if let Some(logged) = self.logged {
            writer.push_name("untrusted_log_data");
            writer.json.push('[');
            let begin = writer.json.len();
            for (index, entry) in logged.iter().enumerate() {
                let (end, cut) = (writer.json.len(), writer.cut);
                writer.push_separator();
                writer.push_value(entry);
                if writer.json.len() - begin > ANSWER_BYTES {
                    writer.json.truncate(end);
                    writer.cut = cut;
                    self.left_out.push(format!(
                        "{} of {} entries, as the answer was too long: narrow the question or its window",
                        logged.len() - index,
                        logged.len()
                    ));
                    break;
                }
            }
            writer.json.push(']');
        }
        if writer.cut > 0 {
            self.left_out.push(format!(
                "the rest of {} long texts, which end in …: ask `sql` for substr(message, …) or a member of context_json",
                writer.cut
            ));
        }
        if let Ok(left_out) = to_raw_value(&self.left_out) {
            writer.push_member("left_out", &left_out);
        }
        format!("{{{}}}", writer.json)
    }
}

/// Writes JSON again, as it was but for texts that are too long.
#[derive(Default)]
struct Writer {
    json: String,
    /// The texts that were cut.
    cut: usize,
}

impl Writer {
    /// Divides what comes next from what stands before it, if anything does.
    fn push_separator(&mut self) {
        if !(self.json.is_empty() || self.json.ends_with(['{', '[', ':'])) {
            self.json.push(',');
        }
    }

    fn push_text(&mut self, text: &str) {
        self.json += &encode(&text).unwrap_or_default();
    }

    fn push_name(&mut self, name: &str) {
        self.push_separator();
        self.push_text(name);
        self.json.push(':');
    }

    fn push_member(&mut self, name: &str, value: &RawValue) {
        self.push_name(name);
        self.push_value(value);
    }

    fn push_value(&mut self, value: &RawValue) {
        if let Some(members) = raw::members(value) {
            self.json.push('{');
            for (name, value) in members {
                self.push_member(&name, value);
            }
            self.json.push('}');
        } else if let Some(elements) = raw::elements(value) {
            self.json.push('[');
            for element in elements {
                self.push_separator();
                self.push_value(element);
            }
            self.json.push(']');
        } else if let Some(text) = raw::text(value) {
            match text.char_indices().nth(TEXT_CHARS) {
                Some((end, _)) => {
                    self.cut += 1;
                    self.push_text(&format!("{}…", text.get(..end).unwrap_or_default()));
                }
                None => self.push_text(&text),
            }
        } else {
            self.json += value.get();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_was_logged_keeps_its_order_and_digits() {
        let logged =
            r#"{"z":12345678901234567890,"a":[1.10,{},[],null,{"b":{}}],"z":"\u009b[1,{\""}"#;
        let answer = Answer {
            logged: Some(vec![RawValue::from_string(logged.to_owned()).unwrap()]),
            ..Answer::default()
        };
        let expected = format!(r#"{{"n":1,"untrusted_log_data":[{logged}],"left_out":[]}}"#);
        assert_eq!(answer.with("n", 1).into_json(), expected);
    }

    #[test]
    fn an_answer_is_bounded_and_says_what_it_left_out() {
        let long = "ä".repeat(5_000);
        let entries = (0..100).map(|n| json!({"n": n, "message": long}));
        let answer = Answer {
            logged: Some(to_json(entries)),
            left_out: vec!["older records".to_owned()],
            ..Answer::default()
        }
        .with("found", 100);
        let json = answer.into_json();
        assert!(json.len() < ANSWER_BYTES + 1_000);
        let json: Value = serde_json::from_str(&json).unwrap();
        let kept = json["untrusted_log_data"].as_array().unwrap();
        assert!(!kept.is_empty() && kept.len() < 100);
        assert_eq!(
            kept[0]["message"].as_str().unwrap().chars().count(),
            TEXT_CHARS + 1
        );
        let left_out = json["left_out"].to_string();
        for expected in ["older records", "of 100 entries", "long texts"] {
            assert!(left_out.contains(expected), "{left_out}");
        }
    }
}
