//! What an operator can set: wrangler `vars`, each with a safe default. A malformed one keeps its default and gives one
//! warning; none stops the Worker.

use log_record::Level;
use worker_runtime::{Malformed, SettingsReader};

use crate::redaction::{Redactor, RedactorOptions};

/// Every setting, as the Worker uses it. [`Settings::default`] stores everything, secrets redacted.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `MIN_LEVEL`: records below are not stored, invocation records included. Default `debug`: all are.
    pub min_level: Level,
    /// `SAMPLE_RATE`: the share of correlation ids whose records are stored, 0 to 1. One id's records are kept or
    /// dropped whole, across Workers; errors and exceptions are always kept. Default 1.
    pub sample_rate: f64,
    /// `EXCLUDED_WORKERS`: Workers that nothing is stored of; names divided by commas or spaces, each of which may end
    /// in `*`. Default none.
    pub excluded_workers: Vec<String>,
    /// `PIPELINE_WORKERS`: the names of this pipeline's own Workers, which are never recorded, since recording one makes
    /// it run again. Written like `EXCLUDED_WORKERS`. Default `tail-ingest log-writer`.
    pub pipeline_workers: Vec<String>,
    /// `KEEP_HEADERS`: the request headers that are stored: `all`, `none`, or their names. Default `all`; secrets are
    /// redacted in any case.
    pub keep_headers: Headers,
    /// `CORRELATION_HEADERS`: the request headers that may hold a correlation id, the best first, in lower case. Default
    /// [`CORRELATION_HEADERS`].
    pub correlation_headers: Vec<String>,
    /// The judge of secrets: `REDACT` adds parts of names that mark one, in headers, query parameters and logged data
    /// (default none); `REDACT_FIELDS` says whether logged data is judged by name, `REDACT_SHAPES` whether text is
    /// searched for tokens of well-known shapes (both default on).
    pub redactor: Redactor,
}

/// The request headers that may hold a correlation id unless `CORRELATION_HEADERS` says otherwise, the best first.
pub const CORRELATION_HEADERS: [&str; 10] = [
    "x-correlation-id",
    "traceparent",
    "b3",
    "x-b3-traceid",
    "sentry-trace",
    "x-datadog-trace-id",
    "x-cloud-trace-context",
    "x-amzn-trace-id",
    "x-trace-id",
    "x-request-id",
];

/// Which request headers are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Headers {
    /// Every one.
    All,
    /// These, in lower case; none if it is empty.
    Only(Vec<String>),
}

impl Headers {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "all" | "*" => Some(Self::All),
            "none" => Some(Self::Only(Vec::new())),
            names => split_list(names, is_token).map(Self::Only),
        }
    }

    /// Returns whether the header `name` is stored.
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
            correlation_headers: CORRELATION_HEADERS.map(str::to_owned).to_vec(),
            redactor: Redactor::default(),
        }
    }
}

/// The names of all settings.
pub const NAMES: [&str; 9] = [
    "MIN_LEVEL",
    "SAMPLE_RATE",
    "EXCLUDED_WORKERS",
    "PIPELINE_WORKERS",
    "KEEP_HEADERS",
    "CORRELATION_HEADERS",
    "REDACT",
    "REDACT_FIELDS",
    "REDACT_SHAPES",
];

impl Settings {
    /// Reads the settings through `find`, which returns the text of a var, or `None` where it is not set. Blank is not
    /// set. Returns the malformed ones as well.
    pub fn read(find: impl Fn(&str) -> Option<String>) -> (Self, Vec<Malformed>) {
        let default = Self::default();
        let mut reader = SettingsReader::new(find);
        let min_level = reader.read(
            "MIN_LEVEL",
            default.min_level,
            ("debug, info, warn or error", "debug"),
            Level::from_alias,
        );
        let sample_rate = reader.read(
            "SAMPLE_RATE",
            default.sample_rate,
            ("a number from 0 to 1", "1"),
            |text| text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)),
        );
        let workers = "a list of Worker names";
        let excluded_workers = reader.read(
            "EXCLUDED_WORKERS",
            default.excluded_workers,
            (workers, "none"),
            |text| split_list(text, is_worker_pattern),
        );
        let pipeline_workers = reader.read(
            "PIPELINE_WORKERS",
            default.pipeline_workers,
            (workers, "tail-ingest log-writer"),
            |text| split_list(text, is_worker_pattern),
        );
        let keep_headers = reader.read(
            "KEEP_HEADERS",
            default.keep_headers,
            ("all, none or a list of header names", "all"),
            Headers::parse,
        );
        let correlation_headers = reader.read(
            "CORRELATION_HEADERS",
            default.correlation_headers,
            ("a list of header names", "the built-in list"),
            |text| split_list(&text.to_ascii_lowercase(), is_token),
        );
        let redaction = RedactorOptions::default();
        let redactor = Redactor::new(RedactorOptions {
            added_names: reader.read(
                "REDACT",
                redaction.added_names,
                ("a list of names", "the built-in list"),
                |text| split_list(text, is_token),
            ),
            redact_fields: reader.read_switch("REDACT_FIELDS", redaction.redact_fields),
            redact_shapes: reader.read_switch("REDACT_SHAPES", redaction.redact_shapes),
        });
        let settings = Self {
            min_level,
            sample_rate,
            excluded_workers,
            pipeline_workers,
            keep_headers,
            correlation_headers,
            redactor,
        };
        (settings, reader.finish())
    }

    /// Returns whether `worker` is one of the pipeline's own, or excluded.
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

/// Returns the parts of `text`, divided by commas or white space, if each is `valid` and there is one.
fn split_list(text: &str, valid: fn(&str) -> bool) -> Option<Vec<String>> {
    let parts: Vec<_> = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    (!parts.is_empty() && parts.iter().all(|part| valid(part))).then_some(parts)
}

/// Returns whether `text` is a Worker's name, or the beginning of one and `*`. A lone `*` would store nothing at all: no
/// one means that.
fn is_worker_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Returns whether `text` can name a header or a parameter: a token of HTTP.
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
            ("CORRELATION_HEADERS", "X-Trace-Id, x-request-id"),
            ("REDACT", "iban"),
            ("REDACT_FIELDS", "off"),
            ("REDACT_SHAPES", "off"),
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
        assert_eq!(settings.correlation_headers, ["x-trace-id", "x-request-id"]);
        let options = RedactorOptions {
            added_names: vec!["iban".to_owned()],
            redact_fields: false,
            redact_shapes: false,
        };
        assert_eq!(settings.redactor, Redactor::new(options));
    }

    #[test]
    fn each_malformed_setting_keeps_its_default_and_says_so_once() {
        let (settings, malformed) = read(&[
            ("MIN_LEVEL", "loud"),
            ("SAMPLE_RATE", "150%"),
            ("EXCLUDED_WORKERS", "*"),
            ("PIPELINE_WORKERS", ","),
            ("KEEP_HEADERS", "a:b"),
            ("CORRELATION_HEADERS", "x y:z"),
            ("REDACT", "\"x\""),
            ("REDACT_FIELDS", "perhaps"),
            ("REDACT_SHAPES", "JWT"),
        ]);
        assert_eq!(settings, Settings::default());
        assert_eq!(
            malformed
                .iter()
                .map(|each| each.setting)
                .collect::<Vec<_>>(),
            NAMES
        );
        assert_eq!(
            malformed[1].to_string(),
            "setting SAMPLE_RATE is not a number from 0 to 1: 1 is used instead"
        );
    }
}
