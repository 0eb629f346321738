//! One message from body to verdict.

use std::future::Future;

use producer_log::{Console, Logger};
use serde_json::json;
use thiserror::Error;

use crate::event::QueuedEvent;

/// The name under which the Worker's lines are filed.
pub const WORKER: &str = "queue-consumer";

/// The delay before it is delivered again.
pub const RETRY_DELAY_SECONDS: u32 = 5;

/// The result for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its Workflow runs: the message is done with.
    Ack,
    /// Deliver it again; after `max_retries` the queue moves it to its dead-letter queue.
    Retry,
}

/// The result of starting a Workflow, short of failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It was started.
    Now,
    /// An earlier delivery of the same message had started it.
    Before,
}

/// The reason why a Workflow was not started.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// The Workflow binding.
pub trait Workflows {
    /// Starts the instance `id`; `options` is JSON text as [`QueuedEvent::workflow_options`] writes it.
    fn start(&self, id: &str, options: &str) -> impl Future<Output = Result<Started, StartError>>;
}

/// Handles one message; `message_id` is the queue's own id for it, `body` its text.
///
/// The instance has the event's id, so handling a message twice starts one Workflow: dying at the await is safe.
pub async fn consume(
    workflows: &impl Workflows,
    console: &dyn Console,
    message_id: &str,
    body: Option<&str>,
) -> Verdict {
    let event = match QueuedEvent::decode(body) {
        Ok(event) => event,
        Err(error) => {
            // No id of its own to be read: the message's id keeps its deliveries together.
            Logger::new(console, WORKER, message_id).error(
                "message is not an event; it will end in the dead-letter queue",
                &json!({"message_id": message_id, "error": error.to_string()}),
            );
            return Verdict::Retry;
        }
    };
    let log = Logger::new(console, WORKER, &event.correlation_id);
    let event_id = &event.event_id;
    log.info(
        "event received",
        &json!({"event_id": event_id, "event_type": event.kind, "message_id": message_id}),
    );
    let started = match event.workflow_options() {
        Ok(options) => workflows.start(event_id, &options).await,
        Err(error) => Err(StartError(error.to_string())),
    };
    match started {
        Ok(Started::Now) => {
            log.info("workflow started", &json!({"event_id": event_id}));
            Verdict::Ack
        }
        Ok(Started::Before) => {
            log.warn(
                "workflow had been started before: a repeated delivery",
                &json!({"event_id": event_id}),
            );
            Verdict::Ack
        }
        Err(error) => {
            log.error(
                "workflow not started; the event will be delivered again",
                &json!({"event_id": event_id, "error": error.to_string()}),
            );
            Verdict::Retry
        }
    }
}
