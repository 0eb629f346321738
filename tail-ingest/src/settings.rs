//! What an operator can set: wrangler `vars`, each with a safe default. A malformed one keeps its default and gives one
//! warning; none stops the Worker.

use log_record::Level;
use log_record::limits::{RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX};
use thiserror::Error;

use crate::redact::Names;

/// Every setting, as the Worker uses it. [`Settings::default`] stores everything, secrets redacted.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `MIN_LEVEL`: records below are not stored, invocation records included. Default `debug`: all are.
    pub min_level: Level,
    /// `SAMPLE_RATE`: the share of correlation ids whose records are stored, 0 to 1. One id's records are kept or
    /// dropped whole, across Workers; errors and exceptions are always kept. Default 1.
    pub sample_rate: f64,
    /// `EXCLUDED_WORKERS`: Workers of which nothing is stored; names divided by commas or spaces, each of which may end
    /// in `*`. Default none.
    pub excluded_workers: Vec<String>,
    /// `PIPELINE_WORKERS`: the names of this pipeline's own Workers, which are never recorded, since recording one makes
    /// it run again. Written like `EXCLUDED_WORKERS`. Default `tail-ingest log-writer`.
    pub pipeline_workers: Vec<String>,
    /// `KEEP_HEADERS`: the request headers that are stored: `all`, `none`, or their names. Default `all`; secrets are
    /// redacted in any case.
    pub keep_headers: Headers,
    /// `REDACT`: further parts of names that mark a secret, in headers, query parameters and logged data. And
    /// `REDACT_FIELDS`: whether logged data is searched for secrets by name at all, `on` (default) or `off`.
    pub names: Names,
    /// `RETENTION_DAYS`: how long logs are kept, in days; what waits in the KV fallback expires a day later. Default 7.
    pub retention_days: u32,
}

/// Which request headers are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Headers {
    /// Every one.
    All,
    /// These, in lower case; none if it is empty.
    Only(Vec<String>),
}

impl Headers {
    /// Whether the header `name` is stored.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|known| known.eq_ignore_ascii_case(name)),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_level: Level::Debug,
            sample_rate: 1.0,
            excluded_workers: Vec::new(),
            pipeline_workers: vec!["tail-ingest".to_owned(), "log-writer".to_owned()],
            keep_headers: Headers::All,
            names: Names::default(),
            retention_days: RETENTION_DAYS_DEFAULT,
        }
    }
}

/// A setting that was not understood. What is used instead stands in `used`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("setting {name} is malformed ({problem}): {used} is used instead")]
pub struct Malformed {
    /// The setting's name.
    pub name: &'static str,
    /// What was expected.
    pub problem: &'static str,
    /// What is used instead.
    pub used: &'static str,
}

/// The names of all settings.
pub const NAMES: [&str; 8] = [
    "MIN_LEVEL",
    "SAMPLE_RATE",
    "EXCLUDED_WORKERS",
    "PIPELINE_WORKERS",
    "KEEP_HEADERS",
    "REDACT",
    "REDACT_FIELDS",
    "RETENTION_DAYS",
];

impl Settings {
    /// Reads the settings through `get`, which gives the text of a variable, or `None` where it is not set. Blank is not
    /// set.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> (Self, Vec<Malformed>) {
        let mut settings = Self::default();
        let mut malformed = Vec::new();
        let get = |name: &str| {
            get(name)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let mut complain = |name, problem, used| {
            malformed.push(Malformed {
                name,
                problem,
                used,
            });
        };

        if let Some(text) = get("MIN_LEVEL") {
            match Level::from_alias(&text) {
                Some(level) => settings.min_level = level,
                None => complain("MIN_LEVEL", "not debug, info, warn or error", "debug"),
            }
        }
        if let Some(text) = get("SAMPLE_RATE") {
            match text.parse() {
                Ok(rate) if (0.0..=1.0).contains(&rate) => settings.sample_rate = rate,
                _ => complain("SAMPLE_RATE", "not a number from 0 to 1", "1"),
            }
        }
        if let Some(text) = get("EXCLUDED_WORKERS") {
            match list(&text, is_worker_pattern) {
                Some(workers) => settings.excluded_workers = workers,
                None => complain("EXCLUDED_WORKERS", "not a list of Worker names", "none"),
            }
        }
        if let Some(text) = get("PIPELINE_WORKERS") {
            match list(&text, is_worker_pattern) {
                Some(workers) => settings.pipeline_workers = workers,
                None => complain(
                    "PIPELINE_WORKERS",
                    "not a list of Worker names",
                    "tail-ingest log-writer",
                ),
            }
        }
        if let Some(text) = get("KEEP_HEADERS") {
            match text.to_ascii_lowercase().as_str() {
                "all" | "*" => settings.keep_headers = Headers::All,
                "none" => settings.keep_headers = Headers::Only(Vec::new()),
                text => match list(text, is_token) {
                    Some(names) => settings.keep_headers = Headers::Only(names),
                    None => complain(
                        "KEEP_HEADERS",
                        "not all, none or a list of header names",
                        "all",
                    ),
                },
            }
        }
        let added = get("REDACT").and_then(|text| {
            let names = list(&text, is_token);
            if names.is_none() {
                complain("REDACT", "not a list of names", "the built-in names");
            }
            names
        });
        let fields = match get("REDACT_FIELDS").map(|text| text.to_ascii_lowercase()) {
            None => true,
            Some(text) => match text.as_str() {
                "on" | "true" | "yes" | "1" => true,
                "off" | "false" | "no" | "0" => false,
                _ => {
                    complain("REDACT_FIELDS", "not on or off", "on");
                    true
                }
            },
        };
        settings.names = Names::new(added.unwrap_or_default(), fields);
        if let Some(text) = get("RETENTION_DAYS") {
            match text.parse() {
                Ok(days) if (1..=RETENTION_DAYS_MAX).contains(&days) => {
                    settings.retention_days = days;
                }
                _ => complain("RETENTION_DAYS", "not a whole number from 1 to 365", "7"),
            }
        }
        (settings, malformed)
    }

    /// How long KV keeps what the queue refused, in days: a day longer than logs are kept, so that nothing expires that
    /// could still be brought back in time.
    #[must_use]
    pub fn keep_days(&self) -> u32 {
        self.retention_days + 1
    }

    /// Whether `worker` is one of the pipeline's own, or excluded.
    #[must_use]
    pub fn excludes(&self, worker: &str) -> bool {
        self.pipeline_workers
            .iter()
            .chain(&self.excluded_workers)
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => worker.starts_with(start),
                None => worker == pattern,
            })
    }
}

/// The parts of `text`, divided by commas or white space, if each is `valid` and there is one.
fn list(text: &str, valid: fn(&str) -> bool) -> Option<Vec<String>> {
    let parts: Vec<_> = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    (!parts.is_empty() && parts.iter().all(|part| valid(part))).then_some(parts)
}

/// A Worker's name, or the beginning of one and `*`. A lone `*` would store nothing at all: no one means that.
fn is_worker_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A header's or parameter's name: a token of HTTP.
fn is_token(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> (Settings, Vec<Malformed>) {
        Settings::read(|name| {
            vars.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(read(&[]), (Settings::default(), vec![]));
        let blank: Vec<_> = NAMES.iter().map(|name| (*name, " ")).collect();
        assert_eq!(read(&blank), (Settings::default(), vec![]));
    }

    #[test]
    fn every_setting_is_read() {
        let (settings, malformed) = read(&[
            ("MIN_LEVEL", "WARNING"),
            ("SAMPLE_RATE", "0.25"),
            ("EXCLUDED_WORKERS", "noisy, test-*"),
            ("PIPELINE_WORKERS", "my-ingest my-writer"),
            ("KEEP_HEADERS", "User-Agent, accept"),
            ("REDACT", "iban"),
            ("REDACT_FIELDS", "off"),
            ("RETENTION_DAYS", "30"),
        ]);
        assert_eq!(malformed, []);
        assert_eq!(settings.min_level, Level::Warn);
        assert!((settings.sample_rate - 0.25).abs() < f64::EPSILON);
        for (worker, excluded) in [
            ("noisy", true),
            ("noisy2", false),
            ("test-a", true),
            ("my-ingest", true),
            ("tail-ingest", false),
        ] {
            assert_eq!(settings.excludes(worker), excluded, "{worker}");
        }
        assert!(settings.keep_headers.keeps("user-agent"));
        assert!(!settings.keep_headers.keeps("host"));
        assert!(settings.names.marks("x-iban"));
        assert!(!settings.names.marks_field("password"));
        assert_eq!(settings.retention_days, 30);
    }

    #[test]
    fn each_malformed_setting_keeps_its_default_and_says_so_once() {
        let (settings, malformed) = read(&[
            ("MIN_LEVEL", "loud"),
            ("SAMPLE_RATE", "150%"),
            ("EXCLUDED_WORKERS", "*"),
            ("PIPELINE_WORKERS", ","),
            ("KEEP_HEADERS", "a:b"),
            ("REDACT", "\"x\""),
            ("REDACT_FIELDS", "perhaps"),
            ("RETENTION_DAYS", "0"),
        ]);
        assert_eq!(settings, Settings::default());
        assert_eq!(
            malformed.iter().map(|each| each.name).collect::<Vec<_>>(),
            NAMES
        );
        assert_eq!(
            malformed[1].to_string(),
            "setting SAMPLE_RATE is malformed (not a number from 0 to 1): 1 is used instead"
        );
    }
}
