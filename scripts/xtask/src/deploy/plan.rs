//! The steps of a deployment, in an order in which each finds what it needs.

use std::fmt;

use super::environment::Environment;

/// The time that the dead-letter queues keep a message: 14 days, the longest there is, since a person has to act on them.
const DEAD_LETTER_RETENTION_SECONDS: u32 = 14 * 24 * 60 * 60;

/// One thing to be in place. A step that finds it in place changes nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A queue; `None` leaves how long it keeps messages to the platform.
    Queue {
        name: String,
        retention_seconds: Option<u32>,
    },
    /// The queue can be read over HTTP, by `tailrace replay`.
    PullConsumer { queue: String },
    /// A D1 database.
    Database { name: String },
    /// A KV namespace.
    Namespace { title: String },
    /// The database has the tables.
    Migrations { database: String },
    /// A Worker runs; `base` names its configuration in `wrangler/`.
    Worker { base: &'static str, name: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue { name, .. } => write!(f, "queue {name}"),
            Self::PullConsumer { queue } => write!(f, "HTTP pull consumer of {queue}"),
            Self::Database { name } => write!(f, "D1 database {name}"),
            Self::Namespace { title } => write!(f, "KV namespace {title}"),
            Self::Migrations { database } => write!(f, "migrations of {database}"),
            Self::Worker { name, .. } => write!(f, "Worker {name}"),
        }
    }
}

/// What a step has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was in place.
    Unchanged,
    /// It is there now.
    Created,
    /// It is up to date now; with the address it answers at, if it has one.
    Updated(Option<String>),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("in place"),
            Self::Created => f.write_str("created"),
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
    /// Everything, or without the sample producers.
    pub(crate) fn new(environment: &Environment, pipeline_only: bool) -> Self {
        let name = |base: &str| environment.name(base);
        let queue = |base, retention_seconds| Step::Queue {
            name: name(base),
            retention_seconds,
        };
        let worker = |base| Step::Worker {
            base,
            name: name(base),
        };
        let samples = !pipeline_only;
        // Before any Worker: wrangler deploys none that names a queue that is not there.
        let mut steps = vec![
            queue("tail-logs", None),
            queue("tail-logs-dlq", Some(DEAD_LETTER_RETENTION_SECONDS)),
        ];
        if samples {
            steps.push(queue("events", None));
            steps.push(queue("events-dlq", Some(DEAD_LETTER_RETENTION_SECONDS)));
        }
        steps.extend([
            Step::PullConsumer {
                queue: name("tail-logs-dlq"),
            },
            Step::Database {
                name: name("tailrace"),
            },
            Step::Namespace {
                title: name("tailrace-fallback"),
            },
            Step::Migrations {
                database: name("tailrace"),
            },
            worker("log-writer"),
            // Before those that name it in tail_consumers.
            worker("tail-ingest"),
        ]);
        if samples {
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
        let plan = Plan::new(&Environment::default(), true);
        let names: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "queue tail-logs",
                "queue tail-logs-dlq",
                "HTTP pull consumer of tail-logs-dlq",
                "D1 database tailrace",
                "KV namespace tailrace-fallback",
                "migrations of tailrace",
                "Worker log-writer",
                "Worker tail-ingest",
            ]
        );
    }

    #[test]
    fn every_worker_comes_after_those_it_names() {
        let plan = Plan::new(&"staging".parse().unwrap(), false);
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
            assert!(step.to_string().ends_with("-staging"), "{step}");
        }
    }
}
