//! The settings that `cargo xtask deploy` makes: the consumers of both queues, as `wrangler/log-writer.toml` has them, and the Workers'
//! settings, as `tailrace.toml` has them.

use std::collections::BTreeMap;

use log_record::limits::QUEUE_RETENTION_SECONDS_MAX;
use pipeline_settings::table::{self, PIPELINE_WORKERS, RETENTION_DAYS};
use serde::Deserialize;

use super::report::DifferingSetting;
use crate::checkout;
use crate::client::queue_state::Consumer;
use crate::client::workers::Deployment;
use crate::place::Place;

/// The file as it was when this tool was compiled, for where there is no checkout.
const COMPILED: &str = include_str!("../../../../../wrangler/log-writer.toml");

/// Retries of a message of the dead-letter queue: the platform's maximum, since each pull counts as one.
const PULL_RETRIES: u64 = 100;

/// The consumers as they should be. A member that is `None` is not compared.
pub(super) struct Expected {
    /// Of the queue of log records.
    pub(super) writer: Consumer,
    /// Of the dead-letter queue.
    pub(super) pull: Consumer,
    /// The time for which the dead-letter queue keeps a message.
    pub(super) dead_letter_seconds: u64,
    /// Settings that are not as by default; `None` where nobody says.
    pub(super) settings: Option<BTreeMap<&'static str, String>>,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    queues: Queues,
}

#[derive(Default, Deserialize)]
struct Queues {
    #[serde(default)]
    consumers: Vec<Configured>,
}

#[derive(Default, Deserialize)]
struct Configured {
    #[serde(rename = "max_batch_size")]
    batch_size: Option<u64>,
    #[serde(rename = "max_batch_timeout")]
    batch_timeout: Option<u64>,
    #[serde(rename = "max_retries")]
    retries: Option<u64>,
    #[serde(rename = "max_concurrency")]
    concurrency: Option<u64>,
}

impl Expected {
    /// Returns what an installation should have.
    pub(super) fn of(place: &Place) -> Self {
        let file = checkout::find().map(|root| root.join("wrangler/log-writer.toml"));
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        let configured = text
            .as_deref()
            .and_then(read_consumer)
            .or_else(|| read_consumer(COMPILED))
            .unwrap_or_default();
        Self {
            writer: Consumer {
                kind: "worker".to_owned(),
                script: Some(worker_name(place, "log-writer")),
                batch_size: configured.batch_size,
                max_wait_time_ms: configured.batch_timeout.map(|seconds| seconds * 1000),
                max_retries: configured.retries,
                max_concurrency: configured.concurrency,
                dead_letter_queue: Some(place.dead_letter_queue()),
            },
            pull: Consumer {
                kind: "http_pull".to_owned(),
                max_retries: Some(PULL_RETRIES),
                ..Consumer::default()
            },
            dead_letter_seconds: QUEUE_RETENTION_SECONDS_MAX,
            settings: place.settings.clone(),
        }
    }

    /// Returns the settings of deployed Workers that are otherwise than configured. Not those that `cargo xtask deploy`
    /// makes by itself.
    pub(super) fn differing(
        &self,
        deployments: &BTreeMap<String, Option<Deployment>>,
        settings: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Vec<DifferingSetting> {
        let Some(configured) = &self.settings else {
            return Vec::new();
        };
        let mut differing = Vec::new();
        for setting in table::SETTINGS {
            let base = setting.worker.name();
            let is_own = |worker: &&String| {
                let rest = worker.strip_prefix(base);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            };
            let Some(worker) = deployments.keys().find(is_own) else {
                continue;
            };
            let is_deployed = deployments.get(worker).is_some_and(Option::is_some);
            let found = settings.get(worker).and_then(|own| own.get(setting.name));
            let deployed = found.map_or(setting.default, |text| text.trim());
            let configured = configured
                .get(setting.name)
                .map_or(setting.default, String::as_str);
            if is_deployed && setting != &PIPELINE_WORKERS && deployed != configured {
                differing.push(DifferingSetting {
                    worker: worker.clone(),
                    name: setting.name,
                    deployed: deployed.to_owned(),
                    configured: configured.to_owned(),
                });
            }
        }
        differing
    }
}

/// Returns the name of a Worker of the pipeline in the installation.
pub(super) fn worker_name(place: &Place, base: &str) -> String {
    match &place.env {
        Some(env) => format!("{base}-{env}"),
        None => base.to_owned(),
    }
}

/// Reads a value of log-writer's setting of the retention.
pub(super) fn retention_seconds(days: &str) -> Option<i64> {
    let days = RETENTION_DAYS.values.read_number(days.trim())?;
    Some(i64::from(days) * 86_400)
}

fn read_consumer(text: &str) -> Option<Configured> {
    let config: Config = toml_edit::de::from_str(text).ok()?;
    config.queues.consumers.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_configuration_says_what_is_expected() {
        let configured = read_consumer(COMPILED).unwrap();
        assert!(configured.batch_size.is_some());
        assert!(configured.batch_timeout.is_some());
        assert!(configured.retries.is_some());
        assert!(configured.concurrency.is_some());
    }
}
