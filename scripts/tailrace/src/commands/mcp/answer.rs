//! Answers: bounded, with what they left out, and with what Workers logged in one marked member.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;

/// Bytes of one answer: some 15,000 words of what a model reads.
const ANSWER_BYTES: usize = 60_000;

/// Characters of one text in an answer.
const TEXT_CHARS: usize = 1_500;

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What the tool itself has to say, by name.
    pub(super) facts: Vec<(&'static str, Value)>,
    /// What Workers logged, one entry for each record, row or exception; the most wanted ones first.
    pub(super) logged: Option<Vec<Value>>,
    /// What is missing, and how to ask for it.
    pub(super) left_out: Vec<String>,
}

/// Returns the result of a call. What went wrong is a result as well: the assistant may ask otherwise.
pub(super) fn to_result(answer: Result<Answer, Error>) -> CallToolResult {
    match answer {
        Ok(answer) => CallToolResult::structured(answer.into_json()),
        Err(error) => {
            CallToolResult::error(vec![ContentBlock::text(crate::commands::report(&error))])
        }
    }
}

impl Answer {
    /// Adds a fact.
    pub(super) fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.facts.push((name, value));
        self
    }

    /// Puts the answer together: long texts are cut, and entries left out from the end until it is short enough.
    fn into_json(mut self) -> Value {
        let mut cut = 0;
        let mut object = serde_json::Map::new();
        for (name, mut value) in self.facts {
            cut_texts(&mut value, &mut cut);
            object.insert(name.to_owned(), value);
        }
        if let Some(logged) = self.logged {
            let count = logged.len();
            let mut kept = Vec::new();
            let mut bytes = 0;
            for mut entry in logged {
                cut_texts(&mut entry, &mut cut);
                bytes += entry.to_string().len();
                if bytes > ANSWER_BYTES {
                    break;
                }
                kept.push(entry);
            }
            if kept.len() < count {
                self.left_out.push(format!(
                    "{} of {count} entries, as the answer was too long: narrow the question or its window",
                    count - kept.len()
                ));
            }
            object.insert("untrusted_log_data".to_owned(), Value::Array(kept));
        }
        if cut > 0 {
            self.left_out.push(format!(
                "the rest of {cut} long texts, which end in …: ask `sql` for substr(message, …) or a member of context_json"
            ));
        }
        object.insert("left_out".to_owned(), json!(self.left_out));
        Value::Object(object)
    }
}

/// Cuts every text in `value` that is too long, and counts them.
fn cut_texts(value: &mut Value, cut: &mut usize) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS) {
                text.truncate(end);
                text.push('…');
                *cut += 1;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| cut_texts(value, cut)),
        Value::Object(members) => members.values_mut().for_each(|value| cut_texts(value, cut)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_bounded_and_says_what_it_left_out() {
        let long = "ä".repeat(5_000);
        let entries = (0..100).map(|n| json!({"n": n, "message": long}));
        let answer = Answer {
            logged: Some(entries.collect()),
            left_out: vec!["older records".to_owned()],
            ..Answer::default()
        }
        .with("found", 100);
        let json = answer.into_json();
        assert!(json.to_string().len() < ANSWER_BYTES + 1_000);
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
