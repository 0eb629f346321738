//! Looks at what the steps of a deployment would do, and does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use checkout::Workspace;
use pipeline_settings::table;

use super::api::{Api, text};
use super::plan::{Outcome, Plan, Step};
use super::render::{self, Ids, Rendered};
use super::survey::{Survey, require_subdomain};
use super::workers::{self, Running};
use super::wrangler::Wrangler;
use super::{archive, drift, loss, resources};
use crate::environment::Environment;
use crate::settings_file::Chosen;
use crate::step::say;

/// A deployment in the making.
pub(super) struct Deployment<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) environment: &'a Environment,
    pub(super) chosen: &'a Chosen,
    pub(super) wrangler: &'a Wrangler<'a>,
    pub(super) api: &'a Api,
    pub(super) survey: Survey,
    pub(super) ids: Ids,
    /// The migrations that the database lacks.
    pub(super) migrations: Vec<String>,
    /// `--fix`: drift is mended.
    pub(super) fix: bool,
}

impl Deployment<'_> {
    /// Makes sure that the account can run the plan.
    ///
    /// # Errors
    /// Fails if it has no workers.dev subdomain, somebody else consumes one of the queues, or, unless `overwrite`, a Worker of
    /// the same name is somebody else's.
    pub(super) fn prepare(&mut self, plan: &Plan, overwrite: bool) -> Result<()> {
        require_subdomain(self.api)?;
        self.survey.check_consumers(plan)?;
        self.ids.database.clone_from(&self.survey.database);
        self.ids.namespace.clone_from(&self.survey.namespace);
        let folder = self.workspace.root().join("migrations");
        let database = self.ids.database.as_deref();
        self.migrations = resources::find_migrations(self.api, database, &folder)?;
        for (base, name) in worker_steps(plan) {
            if let Some(running) = self.survey.workers.get(base)
                && !overwrite
            {
                workers::check_owner(self.api, name, running)?;
            }
        }
        Ok(())
    }

    /// Returns the plan with what each step would do.
    pub(super) fn describe(&self, plan: &Plan) -> Result<String> {
        let mut text = String::new();
        for (position, step) in plan.steps.iter().enumerate() {
            let status = self.status(step)?;
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {:2}. {step}: {status}", position + 1);
        }
        if self.chosen.has_archive() {
            let _ = writeln!(text, "  The archive: {}.", archive::COST);
        }
        Ok(text)
    }

    fn status(&self, step: &Step) -> Result<String> {
        let is_there = self.survey.has(step);
        Ok(match step {
            Step::Migrations { .. } if self.migrations.is_empty() => "in place".to_owned(),
            Step::Migrations { .. } => format!("apply {}", self.migrations.join(", ")),
            Step::Worker { base, .. } if is_there => self.worker_status(base)?,
            Step::ArchiveRule { .. } if !is_there => match self.survey.archive_days() {
                Some(days) => format!("change from {days} days"),
                None => "set".to_owned(),
            },
            _ if !is_there => "create".to_owned(),
            _ => match drift::describe(&self.survey, step) {
                Some(how) if self.fix => format!("mend: {how}"),
                Some(how) => format!("in place, but {how}: --fix mends it"),
                None if step.is_recorded() && !self.survey.record.holds(&step.to_string()) => {
                    "in place, not created by a deployment: it is used, and `destroy` leaves it"
                        .to_owned()
                }
                None => "in place".to_owned(),
            },
        })
    }

    fn worker_status(&self, base: &str) -> Result<String> {
        let rendered = self.render(base)?;
        let running = self.survey.workers.get(base);
        let is_same = running.and_then(Running::fingerprint) == Some(&rendered.fingerprint);
        let mut status = if is_same { "in place" } else { "update" }.to_owned();
        for (queue, wanted) in consumer_settings(&rendered) {
            let how = drift::describe_consumer(&self.survey, &queue, &rendered.name, &wanted);
            if let Some(how) = how {
                let _ = write!(status, "; its consumer of {queue} is set back: {how}");
            }
        }
        Ok(status)
    }

    /// Returns what the plan would take away; the archive's binding is not a loss where `--no-archive` says so.
    pub(super) fn losses(&self, plan: &Plan, without_archive: bool) -> Result<Vec<String>> {
        let mut losses = Vec::new();
        for step in &plan.steps {
            if let Step::ArchiveRule { bucket, days } = step {
                let before = self.survey.archive_days();
                losses.extend(loss::shorter_archive(bucket, before, *days));
            }
        }
        for (base, name) in worker_steps(plan) {
            let running = self.survey.workers.get(base);
            let Some(version) = running.and_then(Running::version) else {
                continue;
            };
            losses.extend(loss::list(name, version, &self.render(base)?.document));
            if base == "log-writer" {
                let after = self.chosen.number(&table::RETENTION_DAYS);
                losses.extend(loss::shorter_retention(name, version, after));
            }
        }
        losses.retain(|loss| !(without_archive && loss.ends_with("binding ARCHIVE (r2_bucket)")));
        Ok(losses)
    }

    /// Takes all steps; returns what each has come to.
    ///
    /// # Errors
    /// Fails if one fails; the steps that are not done are named.
    pub(super) fn execute(&mut self, plan: &Plan) -> Result<Vec<Outcome>> {
        let mut done = Vec::new();
        let count = plan.steps.len();
        for (position, step) in plan.steps.iter().enumerate() {
            say(format!("[{}/{count}] {step}", position + 1));
            match self.take(step) {
                Ok(outcome) => {
                    say(format!("{step}: {outcome}"));
                    done.push(outcome);
                }
                Err(error) => {
                    let remaining = plan.steps.get(position..).unwrap_or_default();
                    return Err(error.context(stopped(&done, remaining)));
                }
            }
        }
        Ok(done)
    }

    fn take(&mut self, step: &Step) -> Result<Outcome> {
        match step {
            Step::Migrations { .. } if self.migrations.is_empty() => {
                return Ok(Outcome::Unchanged);
            }
            Step::Migrations { database } => {
                let config = self.render("log-writer")?;
                resources::migrate(self.wrangler, &config.path, database)?;
                return Ok(Outcome::Created);
            }
            Step::Worker { base, .. } => {
                let rendered = self.render(base)?;
                self.survey.record.add(self.api, &step.to_string())?;
                let running = self.survey.workers.get(base);
                return workers::deploy(
                    self.wrangler,
                    &rendered,
                    running.unwrap_or(&Running::Nothing),
                );
            }
            Step::ArchiveRule { bucket, days } if !self.survey.has(step) => {
                let rules = self.survey.rules.as_deref().unwrap_or_default();
                archive::set_days(self.api, bucket, rules, *days)?;
                return Ok(match self.survey.archive_days() {
                    Some(_) => Outcome::Mended,
                    None => Outcome::Created,
                });
            }
            _ => {}
        }
        if self.survey.has(step) {
            return match drift::describe(&self.survey, step) {
                None => Ok(Outcome::Unchanged),
                Some(how) if !self.fix => Ok(Outcome::Drifted(how)),
                Some(_) => {
                    drift::mend(&self.survey, self.api, step)?;
                    Ok(Outcome::Mended)
                }
            };
        }
        let name = step.to_string();
        if let Step::Database { name: database } = step {
            let id = resources::create_database(self.api, database)?;
            self.survey.record.begin(&id);
            self.ids.database = Some(id);
            self.survey.record.add(self.api, &name)?;
            return Ok(Outcome::Created);
        }
        self.survey.record.add(self.api, &name)?;
        if let Err(error) = self.create(step) {
            // It is not there, unless the answer was lost on its way; the next run sees which.
            self.survey.record.remove(self.api, &name)?;
            return Err(error);
        }
        Ok(Outcome::Created)
    }

    fn create(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Queue {
                name,
                retention_seconds,
                ..
            } => {
                let queue = resources::create_queue(self.api, name, *retention_seconds)?;
                self.survey.queues.insert(name.clone(), queue);
                Ok(())
            }
            Step::PullConsumer { queue } => {
                let found = self.survey.queues.get(queue);
                let found = found.with_context(|| format!("there is no queue {queue}"))?;
                resources::create_pull_consumer(self.api, text(found, "queue_id"))
            }
            Step::Namespace { title } => {
                let id = resources::create_namespace(self.api, title)?;
                self.ids.namespace = Some(id);
                Ok(())
            }
            Step::Bucket { name } => archive::create_bucket(self.api, name),
            Step::Database { .. }
            | Step::ArchiveRule { .. }
            | Step::Migrations { .. }
            | Step::Worker { .. } => Ok(()),
        }
    }

    fn render(&self, base: &str) -> Result<Rendered> {
        render::render(
            self.workspace,
            self.environment,
            base,
            &self.ids,
            self.chosen,
        )
    }
}

/// Returns the Workers of a plan: the names of their configurations, and their own.
fn worker_steps(plan: &Plan) -> impl Iterator<Item = (&'static str, &str)> {
    plan.steps.iter().filter_map(|step| match step {
        Step::Worker { base, name } => Some((*base, name.as_str())),
        _ => None,
    })
}

/// Returns the queues that a Worker consumes, each with the settings that its configuration has, as the API names them.
fn consumer_settings(worker: &Rendered) -> Vec<(String, BTreeMap<&'static str, i64>)> {
    let consumers = worker
        .document
        .get("queues")
        .and_then(|queues| queues.get("consumers")?.as_array_of_tables());
    let consumers = consumers.into_iter().flatten();
    consumers
        .filter_map(|consumer| {
            let queue = consumer.get("queue")?.as_str()?.to_owned();
            let number = |key: &str| consumer.get(key)?.as_integer();
            let settings = [
                ("batch_size", number("max_batch_size")),
                ("max_retries", number("max_retries")),
                ("max_concurrency", number("max_concurrency")),
                (
                    "max_wait_time_ms",
                    number("max_batch_timeout").map(|seconds| seconds.saturating_mul(1_000)),
                ),
            ];
            let settings = settings
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)));
            Some((queue, settings.collect()))
        })
        .collect()
}

fn stopped(done: &[Outcome], remaining: &[Step]) -> String {
    let mut text = format!(
        "the deployment stopped after {} of {} steps. Not done:",
        done.len(),
        done.len() + remaining.len()
    );
    for step in remaining {
        // Writing to a String does not fail.
        let _ = write!(text, "\n  {step}");
    }
    text + "\nOnce the cause below is removed, run the same command again: it goes on from there.\nCause"
}
