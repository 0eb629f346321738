//! Log lines of a Worker about itself: one JSON object a line, `{"level":…,"event":…,"message":…,…}`. Numbers, codes from
//! closed sets and the platform's own error texts; never a payload.

use log_record::Level;
use serde::Serialize;

/// One line of the Worker's own log. `edge` prints it by the console method of its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The level, which decides the console method.
    pub level: Level,
    /// The line: one JSON object.
    pub json: String,
}

impl LogLine {
    /// Makes a line: `event` is a name from a closed set, `message` a sentence for people, `fields` an object whose members
    /// stand beside them.
    #[must_use]
    pub fn new(level: Level, event: &str, message: &str, fields: &impl Serialize) -> Self {
        #[derive(Serialize)]
        struct Line<'a, T> {
            level: Level,
            event: &'a str,
            message: &'a str,
            #[serde(flatten)]
            fields: &'a T,
        }
        let line = Line {
            level,
            event,
            message,
            fields,
        };
        // Fields that are not an object cannot be flattened: the line then says what it can.
        let json = serde_json::to_string(&line).unwrap_or_else(|error| {
            format!(r#"{{"level":"{level}","event":"log_line","message":"{error}"}}"#)
        });
        Self { level, json }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_flat_json_object() {
        #[derive(Serialize)]
        struct Fields {
            lost: u64,
        }
        let line = LogLine::new(
            Level::Error,
            "delivery",
            "2 \"records\"",
            &Fields { lost: 2 },
        );
        assert_eq!(
            line.json,
            r#"{"level":"error","event":"delivery","message":"2 \"records\"","lost":2}"#
        );
        assert_eq!(line.level, Level::Error);
    }
}
