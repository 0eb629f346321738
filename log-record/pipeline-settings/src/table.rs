//! The settings.

use std::fmt::Write as _;

use crate::values::Values;

/// A Worker of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// The tail Worker.
    TailIngest,
    /// The queue consumer.
    LogWriter,
}

impl Worker {
    /// Returns the Worker's name in the main deployment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TailIngest => "tail-ingest",
            Self::LogWriter => "log-writer",
        }
    }
}

/// A setting: a wrangler `var` of a Worker.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name of the `var`. In `tailrace.toml` it is in lower case.
    pub name: &'static str,
    /// The Worker that reads it.
    pub worker: Worker,
    /// The value that holds where it is not set; empty for an empty list.
    pub default: &'static str,
    /// The values it takes.
    pub values: Values,
    /// Its meaning, in Markdown.
    pub meaning: &'static str,
}

/// `MIN_LEVEL`
pub static MIN_LEVEL: Setting = Setting {
    name: "MIN_LEVEL",
    worker: Worker::TailIngest,
    default: "debug",
    values: Values::Word(&["debug", "info", "warn", "error"]),
    meaning: "records below are not stored, invocation records included",
};

/// `SAMPLE_RATE`
pub static SAMPLE_RATE: Setting = Setting {
    name: "SAMPLE_RATE",
    worker: Worker::TailIngest,
    default: "1",
    values: Values::Share,
    meaning: "the share of correlation ids whose records are stored. One id's records are kept or dropped whole, across \
              Workers; errors and exceptions are always kept",
};

/// `EXCLUDED_WORKERS`
pub static EXCLUDED_WORKERS: Setting = Setting {
    name: "EXCLUDED_WORKERS",
    worker: Worker::TailIngest,
    default: "",
    values: Values::WorkerNames,
    meaning: "nothing of these is stored",
};

/// `PIPELINE_WORKERS`
pub static PIPELINE_WORKERS: Setting = Setting {
    name: "PIPELINE_WORKERS",
    worker: Worker::TailIngest,
    default: "tail-ingest log-writer",
    values: Values::WorkerNames,
    meaning: "the pipeline's own Workers, which are never recorded. `cargo xtask deploy` always adds the names that these \
              two have there",
};

/// `KEEP_HEADERS`
pub static KEEP_HEADERS: Setting = Setting {
    name: "KEEP_HEADERS",
    worker: Worker::TailIngest,
    default: "all",
    values: Values::AllNoneOrHeaderNames,
    meaning: "which request headers are stored; secrets are redacted in any case",
};

/// `CORRELATION_HEADERS`
pub static CORRELATION_HEADERS: Setting = Setting {
    name: "CORRELATION_HEADERS",
    worker: Worker::TailIngest,
    default: "x-correlation-id traceparent b3 x-b3-traceid sentry-trace x-datadog-trace-id x-cloud-trace-context \
              x-amzn-trace-id x-trace-id x-request-id",
    values: Values::HeaderNames,
    meaning: "the request headers that may hold a correlation id, the best first; this list replaces the default one",
};

/// `REDACT`
pub static REDACT: Setting = Setting {
    name: "REDACT",
    worker: Worker::TailIngest,
    default: "",
    values: Values::NameParts,
    meaning: "names of headers, query parameters and logged data that mark a secret, besides [the built-in \
              ones](#what-is-redacted)",
};

/// `REDACT_FIELDS`
pub static REDACT_FIELDS: Setting = Setting {
    name: "REDACT_FIELDS",
    worker: Worker::TailIngest,
    default: "on",
    values: Values::Switch,
    meaning: "whether logged data is searched for secrets by name at all",
};

/// `REDACT_SHAPES`
pub static REDACT_SHAPES: Setting = Setting {
    name: "REDACT_SHAPES",
    worker: Worker::TailIngest,
    default: "on",
    values: Values::Switch,
    meaning: "whether text is searched for tokens [of these shapes](#what-is-redacted)",
};

/// `RETENTION_DAYS`
pub static RETENTION_DAYS: Setting = Setting {
    name: "RETENTION_DAYS",
    worker: Worker::LogWriter,
    default: "7",
    values: Values::Number(1, 365),
    meaning: "how long logs are kept in D1",
};

/// `ROWS`
pub static ROWS: Setting = Setting {
    name: "ROWS",
    worker: Worker::LogWriter,
    default: "all",
    values: Values::Word(&["all", "index"]),
    meaning: "the records that become rows: all, or those that one searches by, while the others are in the archive alone. \
              `index` needs the archive",
};

/// `ARCHIVE_DAYS`
pub static ARCHIVE_DAYS: Setting = Setting {
    name: "ARCHIVE_DAYS",
    worker: Worker::LogWriter,
    default: "30",
    values: Values::Number(1, 365),
    meaning: "how long the objects of the archive are kept, where there is one; at least `RETENTION_DAYS`",
};

/// `DEAD_LETTERS`
pub static DEAD_LETTERS: Setting = Setting {
    name: "DEAD_LETTERS",
    worker: Worker::LogWriter,
    default: "queue",
    values: Values::Word(&["queue", "kv"]),
    meaning: "where dead letters go first. `kv` is for local development: there, a queue without a consumer drops what is \
              sent to it",
};

/// `MAX_ATTEMPTS`
pub static MAX_ATTEMPTS: Setting = Setting {
    name: "MAX_ATTEMPTS",
    worker: Worker::LogWriter,
    default: "16",
    values: Values::Number(1, 100),
    meaning: "deliveries of a message until its records may become dead letters: those that D1 still does not take where the \
              message is written apart from all others. What no record can cause (a missing table, an overloaded D1, a \
              limit of the account) never makes a dead letter",
};

/// `RETRY_BASE_SECONDS`
pub static RETRY_BASE_SECONDS: Setting = Setting {
    name: "RETRY_BASE_SECONDS",
    worker: Worker::LogWriter,
    default: "10",
    values: Values::Number(1, 3_600),
    meaning: "the delay before the second delivery, doubled before each further one",
};

/// `RETRY_MAX_SECONDS`
pub static RETRY_MAX_SECONDS: Setting = Setting {
    name: "RETRY_MAX_SECONDS",
    worker: Worker::LogWriter,
    default: "600",
    values: Values::Number(1, 86_400),
    meaning: "the longest such delay. With these defaults, 16 attempts ride out 1 h 40 min",
};

/// Every setting of the pipeline, in the order of `docs/configuration.md`.
pub static SETTINGS: [&Setting; 16] = [
    &MIN_LEVEL,
    &SAMPLE_RATE,
    &EXCLUDED_WORKERS,
    &PIPELINE_WORKERS,
    &KEEP_HEADERS,
    &CORRELATION_HEADERS,
    &REDACT,
    &REDACT_FIELDS,
    &REDACT_SHAPES,
    &RETENTION_DAYS,
    &ROWS,
    &ARCHIVE_DAYS,
    &DEAD_LETTERS,
    &MAX_ATTEMPTS,
    &RETRY_BASE_SECONDS,
    &RETRY_MAX_SECONDS,
];

/// Returns the settings of `worker`.
pub fn of_worker(worker: Worker) -> impl Iterator<Item = &'static Setting> {
    SETTINGS
        .into_iter()
        .filter(move |setting| setting.worker == worker)
}

/// Returns the setting with the name `name`, in either case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS
        .into_iter()
        .find(|setting| setting.name.eq_ignore_ascii_case(name))
}

/// Returns the settings of `worker` as a table in Markdown.
#[must_use]
pub fn to_markdown(worker: Worker) -> String {
    let mut text =
        "| setting | default | bounds | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for setting in of_worker(worker) {
        let default = match setting.default {
            "" => "none".to_owned(),
            default => format!("`{default}`"),
        };
        let (name, values, meaning) = (setting.name, setting.values.to_markdown(), setting.meaning);
        // Writing to a String does not fail.
        let _ = writeln!(text, "| `{name}` | {default} | {values} | {meaning} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value() {
        for setting in SETTINGS {
            let is_empty = setting.default.is_empty();
            assert!(
                is_empty || setting.values.contains(setting.default),
                "{setting:?}"
            );
        }
    }

    #[test]
    fn every_name_is_there_once() {
        for setting in SETTINGS {
            let found = find(&setting.name.to_lowercase());
            assert!(
                found.is_some_and(|it| std::ptr::eq(it, setting)),
                "{setting:?}"
            );
        }
    }
}
