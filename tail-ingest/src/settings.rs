//! Settings of an operator: wrangler `vars`, each with a safe default. A malformed one keeps its default and gives one
//! warning; none stops the Worker.

use log_record::Level;
use pipeline_settings::list::{read_tokens, read_worker_patterns};
use pipeline_settings::table;
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

/// The request headers that are stored.
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
            names => read_tokens(names).map(Self::Only),
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

impl Settings {
    /// Reads the settings through `find`, which returns the text of a var, or `None` where it is not set. Blank is not
    /// set. Returns the malformed ones as well.
    pub fn read(find: impl Fn(&str) -> Option<String>) -> (Self, Vec<Malformed>) {
        let default = Self::default();
        let mut reader = SettingsReader::new(find);
        let min_level = reader.read(&table::MIN_LEVEL, default.min_level, Level::from_alias);
        let sample_rate = reader.read(&table::SAMPLE_RATE, default.sample_rate, |text| {
            table::SAMPLE_RATE.values.read_share(text)
        });
        let excluded_workers = reader.read(
            &table::EXCLUDED_WORKERS,
            default.excluded_workers,
            read_worker_patterns,
        );
        let pipeline_workers = reader.read(
            &table::PIPELINE_WORKERS,
            default.pipeline_workers,
            read_worker_patterns,
        );
        let keep_headers = reader.read(&table::KEEP_HEADERS, default.keep_headers, Headers::parse);
        let correlation_headers = reader.read(
            &table::CORRELATION_HEADERS,
            default.correlation_headers,
            |text| read_tokens(&text.to_ascii_lowercase()),
        );
        let redactor = Redactor::new(RedactorOptions {
            added_names: reader.read(
                &table::REDACT,
                RedactorOptions::default().added_names,
                read_tokens,
            ),
            redact_fields: reader.read_switch(&table::REDACT_FIELDS),
            redact_shapes: reader.read_switch(&table::REDACT_SHAPES),
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

    fn names() -> Vec<&'static str> {
        let settings = table::of_worker(pipeline_settings::Worker::TailIngest);
        settings.map(|setting| setting.name).collect()
    }

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(read(&[]), (Settings::default(), vec![]));
        let blank: Vec<_> = names().into_iter().map(|name| (name, " ")).collect();
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
            names()
        );
        assert_eq!(
            malformed[1].to_string(),
            "setting SAMPLE_RATE is not a number from 0 to 1: 1 is used instead"
        );
    }
}
