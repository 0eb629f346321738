//! Finds what an account holds of a deployment, before anything is changed.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::Value;

use super::api::{Api, entries, text};
use super::client::code_of;
use super::plan::{Plan, Step};
use super::record::Record;
use super::workers::{self, Running};
use super::{archive, resources};

/// The API's code for an account without a workers.dev subdomain.
const NO_SUBDOMAIN: u64 = 10_007;

/// The parts of a deployment that the account holds.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// As the API shows them, by name.
    pub(crate) queues: BTreeMap<String, Value>,
    /// The database's id.
    pub(crate) database: Option<String>,
    /// The KV namespace's id.
    pub(crate) namespace: Option<String>,
    /// The rules of the archive's bucket, if there is one.
    pub(crate) rules: Option<Vec<Value>>,
    /// The Workers that run, by the name of the Worker's configuration.
    pub(crate) workers: BTreeMap<&'static str, Running>,
    /// The record of what deployments have created.
    pub(crate) record: Record,
}

impl Survey {
    /// Looks for everything that `plan` names.
    ///
    /// # Errors
    /// Fails if the API does not answer, or has no R2 for this account although the plan needs it.
    pub(crate) fn take(api: &Api, plan: &Plan) -> Result<Self> {
        let mut survey = Self::default();
        for step in &plan.steps {
            match step {
                Step::Queue { name, .. } => {
                    if let Some(queue) = resources::find_queue(api, name)? {
                        survey.queues.insert(name.clone(), queue);
                    }
                }
                Step::Database { name } => {
                    survey.database = resources::find_database(api, name)?;
                    survey.record = Record::read(api, survey.database.as_deref())?;
                }
                Step::Namespace { title } => {
                    survey.namespace = resources::find_namespace(api, title)?;
                }
                Step::Bucket { name } => survey.rules = archive::find_rules(api, name)?,
                Step::Worker { base, name } => {
                    survey.workers.insert(base, workers::find(api, name)?);
                }
                Step::PullConsumer { .. } | Step::ArchiveRule { .. } | Step::Migrations { .. } => {}
            }
        }
        Ok(survey)
    }

    /// Makes sure that nobody but ours consumes the queues of `plan`.
    ///
    /// # Errors
    /// Fails if one of them has another consumer.
    pub(crate) fn check_consumers(&self, plan: &Plan) -> Result<()> {
        for step in &plan.steps {
            if let Step::Queue { name, consumer, .. } = step
                && let Some(queue) = self.queues.get(name)
            {
                check_consumers(name, queue, consumer)?;
            }
        }
        Ok(())
    }

    /// Returns whether what `step` creates is there.
    pub(crate) fn has(&self, step: &Step) -> bool {
        match step {
            Step::Queue { name, .. } => self.queues.contains_key(name),
            Step::PullConsumer { queue } => self.pull_consumer(queue).is_some(),
            Step::Database { .. } => self.database.is_some(),
            Step::Namespace { .. } => self.namespace.is_some(),
            Step::Bucket { .. } => self.rules.is_some(),
            Step::ArchiveRule { days, .. } => self.archive_days() == Some(u64::from(*days)),
            Step::Worker { base, .. } => {
                !matches!(self.workers.get(base), None | Some(Running::Nothing))
            }
            Step::Migrations { .. } => false,
        }
    }

    /// Returns the HTTP pull consumer of a queue.
    pub(crate) fn pull_consumer(&self, queue: &str) -> Option<&Value> {
        let queue = self.queues.get(queue)?;
        entries(queue, "consumers").find(|consumer| text(consumer, "type") == "http_pull")
    }

    /// Returns the days after which the archive's objects expire now.
    pub(crate) fn archive_days(&self) -> Option<u64> {
        archive::days(self.rules.as_deref().unwrap_or_default())
    }
}

/// Makes sure that nobody but `wanted` consumes a queue: a Worker's name, or `http_pull`.
fn check_consumers(name: &str, queue: &Value, wanted: &str) -> Result<()> {
    for consumer in entries(queue, "consumers") {
        let kind = text(consumer, "type");
        let script = ["script", "script_name", "service"]
            .map(|key| text(consumer, key))
            .into_iter()
            .find(|script| !script.is_empty())
            .unwrap_or_default();
        if kind != wanted && (script != wanted || kind == "http_pull") {
            bail!(
                "queue {name} has a consumer of type {kind} that no deployment has set: {script}\n\
                 hint: a queue has one consumer. Remove this one with `wrangler queues consumer remove`, or choose other \
                 names with --env NAME"
            );
        }
    }
    Ok(())
}

/// Makes sure that the account has a workers.dev subdomain: crons and Workflows need one, also those of Workers that have
/// no address there.
///
/// # Errors
/// Fails if it has none, or the API does not say.
pub(crate) fn require_subdomain(api: &Api) -> Result<()> {
    let subdomain = match api.get("workers/subdomain") {
        Ok(answer) => text(&answer, "subdomain").to_owned(),
        Err(error) if code_of(&error) == Some(NO_SUBDOMAIN) => String::new(),
        Err(error) => return Err(error),
    };
    if subdomain.is_empty() {
        bail!(
            "the account has no workers.dev subdomain, which crons and Workflows need: nothing was changed\n\
             hint: open https://dash.cloudflare.com/{}/workers once, which makes it, and run the same command again",
            api.account().id()
        );
    }
    Ok(())
}
