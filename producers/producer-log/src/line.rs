//! One line of a structured log: its levels and its JSON. `logger` decides where it goes.

use serde::Serialize;

/// The importance of a line; each has its own console method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `console.debug`
    Debug,
    /// `console.log`
    Info,
    /// `console.warn`
    Warn,
    /// `console.error`
    Error,
}

#[derive(Serialize)]
struct Line<'a, C> {
    level: Level,
    message: &'a str,
    correlation_id: &'a str,
    worker: &'a str,
    context: C,
}

/// The JSON text of one line. `context` should serialize to an object. Where it cannot be serialized at all the line is
/// still written, and says so in its context.
#[must_use]
pub fn format(
    level: Level,
    worker: &str,
    correlation_id: &str,
    message: &str,
    context: &impl Serialize,
) -> String {
    let line = Line {
        level,
        message,
        correlation_id,
        worker,
        context,
    };
    serde_json::to_string(&line).unwrap_or_else(|error| {
        let context = serde_json::json!({ "context_lost": error.to_string() });
        serde_json::json!({
            "level": level, "message": message, "correlation_id": correlation_id, "worker": worker, "context": context,
        })
        .to_string()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_line_is_exactly_this() {
        assert_eq!(
            format(Level::Warn, "w", "c-1", "say \"hi\"\n", &json!({"n": 1})),
            r#"{"level":"warn","message":"say \"hi\"\n","correlation_id":"c-1","worker":"w","context":{"n":1}}"#
        );
    }

    #[test]
    fn a_context_that_cannot_be_serialized_does_not_lose_the_line() {
        let keyed_by_tuple = std::collections::HashMap::from([((1, 2), 3)]);
        let line = format(Level::Error, "w", "c-1", "lost?", &keyed_by_tuple);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "lost?");
        assert_eq!(value["correlation_id"], "c-1");
        assert!(value["context"]["context_lost"].is_string());
    }
}
