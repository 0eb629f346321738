//! The result of taking messages away.

use serde::Deserialize;
use serde_json::Value;

use crate::client::{null_is_default, whole};

/// The answer to acks and to a purge. Nothing in here is promised to be there.
#[derive(Default, Deserialize)]
pub(super) struct Removed {
    #[serde(default, rename = "ackCount")]
    acked: Option<f64>,
    #[serde(default)]
    warnings: Value,
    #[serde(default, deserialize_with = "null_is_default")]
    errors: Vec<Value>,
}

impl Removed {
    /// Returns those of `handles` whose message is known to be gone.
    pub(super) fn confirmed(&self, handles: &[&str]) -> Vec<String> {
        let is_named = |handle: &str| match &self.warnings {
            Value::Object(map) => map.contains_key(handle),
            // Older types have a list of texts.
            Value::Array(texts) => texts
                .iter()
                .any(|text| text.as_str().is_some_and(|text| text.contains(handle))),
            _ => false,
        };
        let unnamed: Vec<_> = handles.iter().filter(|handle| !is_named(handle)).collect();
        // The number is not promised. Where it is too low and does not say for which queues, any of them may be there.
        let is_short = |acked| whole(acked) < unnamed.len() as u64;
        if self.acked.is_some_and(is_short) || !self.errors.is_empty() {
            return Vec::new();
        }
        unnamed
            .into_iter()
            .map(|handle| (*handle).to_owned())
            .collect()
    }
}
