//! The steps of a deployment, in an order in which each finds what it needs.

use std::fmt;

use crate::environment::Environment;

/// The time that the dead-letter queues keep a message: 14 days, the longest there is, since a person has to act on them.
const DEAD_LETTER_RETENTION_SECONDS: u32 = 14 * 24 * 60 * 60;

/// The consumer of a queue that `tailrace replay` reads.
const PULL: &str = "http_pull";

/// The archive's bucket, in the main deployment.
pub(crate) const BUCKET: &str = "tailrace-archive";

/// One thing to be in place. A step that finds it in place changes nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A D1 database.
    Database { name: String },
    /// A queue; without `retention_seconds` the platform decides how long it keeps messages. `consumer` is the Worker
    /// that consumes it, or `http_pull`.
    Queue {
        name: String,
        retention_seconds: Option<u32>,
        consumer: String,
    },
    /// The queue can be read over HTTP, by `tailrace replay`.
    PullConsumer { queue: String },
    /// A KV namespace.
    Namespace { title: String },
    /// The archive's R2 bucket.
    Bucket { name: String },
    /// The lifecycle rule by which its objects expire.
    ArchiveRule { bucket: String, days: u32 },
    /// The database has the tables.
    Migrations { database: String },
    /// A Worker runs; `base` names its configuration in `wrangler/`.
    Worker { base: &'static str, name: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database { name } => write!(f, "D1 database {name}"),
            Self::Queue { name, .. } => write!(f, "queue {name}"),
            Self::PullConsumer { queue } => write!(f, "HTTP pull consumer of {queue}"),
            Self::Namespace { title } => write!(f, "KV namespace {title}"),
            Self::Bucket { name } => write!(f, "R2 bucket {name}"),
            Self::ArchiveRule { bucket, days } => {
                write!(f, "lifecycle rule of {bucket}: {days} days")
            }
            Self::Migrations { database } => write!(f, "migrations of {database}"),
            Self::Worker { name, .. } => write!(f, "Worker {name}"),
        }
    }
}

impl Step {
    /// Returns whether the step creates something that could be somebody else's. A Worker carries a mark of its own.
    pub(crate) fn is_recorded(&self) -> bool {
        !matches!(self, Self::ArchiveRule { .. } | Self::Migrations { .. })
    }
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was in place.
    Unchanged,
    /// It is there now.
    Created,
    /// It is there, but not as it should be: how it differs.
    Drifted(String),
    /// It was not as it should be, and is now.
    Mended,
    /// It is up to date now; with the address it answers at, if it has one.
    Updated(Option<String>),
}

impl Outcome {
    /// Returns whether the step changed something.
    pub(crate) fn is_change(&self) -> bool {
        !matches!(self, Self::Unchanged | Self::Drifted(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("in place"),
            Self::Created => f.write_str("created"),
            Self::Drifted(how) => write!(f, "in place, but {how}"),
            Self::Mended => f.write_str("mended"),
            Self::Updated(None) => f.write_str("deployed"),
            Self::Updated(Some(address)) => write!(f, "deployed, at {address}"),
        }
    }
}

/// A deployment's steps.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// Returns the steps for everything, or without the sample producers; with an archive whose objects expire after
    /// `archive_days`, or without one.
    pub(crate) fn new(
        environment: &Environment,
        pipeline_only: bool,
        archive_days: Option<u32>,
    ) -> Self {
        let name = |base: &str| environment.name(base);
        let queue = |base, retention_seconds, consumer: &str| Step::Queue {
            name: name(base),
            retention_seconds,
            consumer: match consumer {
                PULL => PULL.to_owned(),
                worker => name(worker),
            },
        };
        let worker = |base| Step::Worker {
            base,
            name: name(base),
        };
        let kept = Some(DEAD_LETTER_RETENTION_SECONDS);
        let mut steps = vec![
            // The first, since it holds the record of what is created.
            Step::Database {
                name: name("tailrace"),
            },
            // Before any Worker: wrangler deploys none that names a queue that is not there.
            queue("tail-logs", None, "log-writer"),
            queue("tail-logs-dlq", kept, PULL),
        ];
        if !pipeline_only {
            steps.push(queue("events", None, "queue-consumer"));
            steps.push(queue("events-dlq", kept, PULL));
        }
        steps.extend([
            Step::PullConsumer {
                queue: name("tail-logs-dlq"),
            },
            Step::Namespace {
                title: name("tailrace-fallback"),
            },
        ]);
        if let Some(days) = archive_days {
            let bucket = name(BUCKET);
            let name = bucket.clone();
            steps.extend([Step::Bucket { name }, Step::ArchiveRule { bucket, days }]);
        }
        steps.extend([
            Step::Migrations {
                database: name("tailrace"),
            },
            worker("log-writer"),
            // Before those that name it in tail_consumers.
            worker("tail-ingest"),
        ]);
        if !pipeline_only {
            // The Workflow before the Worker that starts it.
            steps.extend(["event-workflow", "queue-consumer", "triggers-api"].map(worker));
        }
        Self { steps }
    }

    /// Returns whether the Worker `base` is deployed.
    pub(crate) fn has_worker(&self, wanted: &str) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Worker { base, .. } if *base == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipeline_only_leaves_the_samples_and_their_queues_out() {
        let plan = Plan::new(&Environment::default(), true, None);
        let names: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "D1 database tailrace",
                "queue tail-logs",
                "queue tail-logs-dlq",
                "HTTP pull consumer of tail-logs-dlq",
                "KV namespace tailrace-fallback",
                "migrations of tailrace",
                "Worker log-writer",
                "Worker tail-ingest",
            ]
        );
    }

    #[test]
    fn every_worker_comes_after_those_it_names() {
        let plan = Plan::new(&"staging".parse().unwrap(), false, Some(30));
        let position = |wanted: &str| {
            plan.steps
                .iter()
                .position(|step| matches!(step, Step::Worker { base, .. } if *base == wanted))
                .unwrap()
        };
        assert!(position("log-writer") < position("tail-ingest"));
        assert!(position("tail-ingest") < position("event-workflow"));
        assert!(position("event-workflow") < position("queue-consumer"));
        assert!(position("queue-consumer") < position("triggers-api"));
        for step in &plan.steps {
            assert!(step.to_string().contains("-staging"), "{step}");
        }
    }
}
