//! A logger bound to one Worker and one correlation id, and the places it can write to. `line` makes the text.

use std::cell::RefCell;

use serde::Serialize;

use crate::line::{self, Level};

/// The destination of lines.
pub trait Console {
    /// Writes one line of `level`.
    fn write(&self, level: Level, line: &str);
}

/// A console that keeps its lines, for tests.
#[derive(Debug, Default)]
pub struct Lines(RefCell<Vec<(Level, String)>>);

impl Lines {
    /// The lines written since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<(Level, String)> {
        self.0.take()
    }
}

impl Console for Lines {
    fn write(&self, level: Level, line: &str) {
        self.0.borrow_mut().push((level, line.to_owned()));
    }
}

/// Writes structured lines under one correlation id.
pub struct Logger<'a> {
    console: &'a dyn Console,
    worker: &'a str,
    correlation_id: String,
}

impl<'a> Logger<'a> {
    /// A logger of `worker`, the Worker's name as its lines give it. (The local runtime does not tell a tail Worker
    /// whose lines it sees.)
    #[must_use]
    pub fn new(
        console: &'a dyn Console,
        worker: &'a str,
        correlation_id: impl Into<String>,
    ) -> Self {
        Self {
            console,
            worker,
            correlation_id: correlation_id.into(),
        }
    }

    /// The correlation id, to be passed on to whatever the request causes.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// A line for whoever debugs the Worker.
    pub fn debug(&self, message: &str, context: &impl Serialize) {
        self.log(Level::Debug, message, context);
    }

    /// A line about what happened.
    pub fn info(&self, message: &str, context: &impl Serialize) {
        self.log(Level::Info, message, context);
    }

    /// A line about something odd that was coped with.
    pub fn warn(&self, message: &str, context: &impl Serialize) {
        self.log(Level::Warn, message, context);
    }

    /// A line about something that failed.
    pub fn error(&self, message: &str, context: &impl Serialize) {
        self.log(Level::Error, message, context);
    }

    /// A line of `level`; `context` should serialize to an object.
    pub fn log(&self, level: Level, message: &str, context: &impl Serialize) {
        let line = line::format(level, self.worker, &self.correlation_id, message, context);
        self.console.write(level, &line);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_level_goes_to_its_own_console_method_with_the_same_id() {
        let console = Lines::default();
        let log = Logger::new(&console, "w", "c-1");
        log.debug("d", &json!({}));
        log.info("i", &json!({}));
        log.warn("w", &json!({}));
        log.error("e", &json!({}));
        let lines = console.take();
        let levels: Vec<Level> = lines.iter().map(|(level, _)| *level).collect();
        assert_eq!(
            levels,
            [Level::Debug, Level::Info, Level::Warn, Level::Error]
        );
        for (level, line) in lines {
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["correlation_id"], "c-1");
            assert_eq!(value["level"], serde_json::to_value(level).unwrap());
        }
    }
}
