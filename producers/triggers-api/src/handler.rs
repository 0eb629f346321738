//! One request from beginning to end, over a [`Host`] that the runtime (`edge`) or a test provides.

use std::future::Future;

use producer_log::Logger;
use serde_json::json;
use thiserror::Error;

use crate::answer::Answer;
use crate::auth;
use crate::event::{Event, MAX_BODY_BYTES, QueuedEvent};
use crate::route::{self, NoRoute, Route};

/// The reason why a body could not be read.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is longer than the limit; no more than that was read.
    #[error("the body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The connection broke.
    #[error("the body could not be read to its end: {0}")]
    Broken(String),
}

/// The reason why a message could not be queued.
#[derive(Debug, Error)]
pub enum QueueError {
    /// The Worker is deployed without the queue.
    #[error("no queue is bound as EVENTS; add it to the Worker's configuration: {0}")]
    NotBound(String),
    /// The queue did not take the message.
    #[error("the queue refused the event: {0}")]
    Refused(String),
}

/// The surroundings that a request needs.
pub trait Host {
    /// The secret `API_TOKEN`, where it is set and not empty.
    fn api_token(&self) -> Option<String>;
    /// Returns the request's body, if it is no longer than `limit` bytes, whatever its `Content-Length` claims.
    fn body(&self, limit: usize) -> impl Future<Output = Result<Vec<u8>, BodyError>>;
    /// Sends `text` to the queue `EVENTS`.
    fn enqueue(&self, text: &str) -> impl Future<Output = Result<(), QueueError>>;
    /// A new UUID.
    fn uuid(&self) -> String;
    /// Writes plain lines on `console.log`, `warn`, `error` and `debug`.
    fn plain_lines(&self);
}

/// The parts of a request that decide on its answer.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The HTTP method, in upper case.
    pub method: &'a str,
    /// The URL's path.
    pub path: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
}

/// The end of a request.
#[derive(Debug, PartialEq)]
pub enum End {
    /// In an answer.
    Answer(Answer),
    /// In an uncaught exception, as the caller asked for.
    Throw,
}

/// Handles one request, logging under the correlation id of `log`.
pub async fn run(host: &impl Host, log: &Logger<'_>, request: Incoming<'_>) -> End {
    let id = log.correlation_id();
    let facts = json!({"method": request.method, "path": request.path});
    let route = match route::find(request.method, request.path) {
        Ok(route) => route,
        Err(NoRoute::NotFound) => {
            log.warn("no such path", &facts);
            return End::Answer(Answer::error(404, "not_found", "no such path", id));
        }
        Err(NoRoute::MethodNotAllowed { allow }) => {
            log.warn("method not allowed", &facts);
            let message = format!("this path takes {allow} only");
            return End::Answer(
                Answer::error(405, "method_not_allowed", &message, id).with_header("allow", allow),
            );
        }
    };
    let Some(token) = host.api_token() else {
        log.error(
            "the secret API_TOKEN is not set: run `wrangler secret put API_TOKEN` for this Worker",
            &facts,
        );
        return End::Answer(Answer::error(
            500,
            "misconfigured",
            "the service is not configured",
            id,
        ));
    };
    if !auth::is_authorized(request.authorization, &token) {
        log.warn("missing or wrong bearer token", &facts);
        return End::Answer(
            Answer::error(
                401,
                "unauthorized",
                "a bearer token is needed: `Authorization: Bearer TOKEN`",
                id,
            )
            .with_header("www-authenticate", "Bearer"),
        );
    }
    match route {
        Route::PostEvents => End::Answer(post_event(host, log).await),
        Route::DebugThrow => {
            log.warn("about to throw, as asked", &facts);
            End::Throw
        }
        Route::DebugPlain => {
            log.info("plain console lines follow", &facts);
            host.plain_lines();
            End::Answer(Answer::ok(200, json!({"correlation_id": id})))
        }
    }
}

async fn post_event(host: &impl Host, log: &Logger<'_>) -> Answer {
    let id = log.correlation_id();
    let body = match host.body(MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(error @ BodyError::TooLarge) => {
            log.warn(
                "event refused: body too large",
                &json!({"limit_bytes": MAX_BODY_BYTES}),
            );
            return Answer::error(413, "too_large", &error.to_string(), id);
        }
        Err(error @ BodyError::Broken(_)) => {
            log.warn(
                "event refused: body broke off",
                &json!({"error": error.to_string()}),
            );
            return Answer::error(
                400,
                "broken_body",
                "the body could not be read to its end",
                id,
            );
        }
    };
    let event = match Event::parse(&body) {
        Ok(event) => event,
        Err(error) => {
            let message = error.to_string();
            log.warn("event refused: not valid", &json!({"error": message}));
            return Answer::error(400, "invalid_event", &message, id);
        }
    };
    let event_id = host.uuid();
    log.info(
        "event accepted",
        &json!({"event_id": event_id, "event_type": event.kind, "body_bytes": body.len()}),
    );
    let message = QueuedEvent {
        event_id: &event_id,
        correlation_id: id,
        kind: &event.kind,
        payload: event.payload.as_deref(),
    };
    let queued = match serde_json::to_string(&message) {
        Ok(text) => host.enqueue(&text).await,
        Err(error) => Err(QueueError::Refused(error.to_string())),
    };
    match queued {
        Ok(()) => {
            log.info("event queued", &json!({"event_id": event_id}));
            Answer::ok(202, json!({"event_id": event_id, "correlation_id": id}))
        }
        Err(error) => {
            log.error(
                "event not queued",
                &json!({"event_id": event_id, "error": error.to_string()}),
            );
            match error {
                QueueError::NotBound(_) => {
                    Answer::error(500, "misconfigured", "the service is not configured", id)
                }
                QueueError::Refused(_) => Answer::error(
                    503,
                    "unavailable",
                    "the event was not taken; send it again later",
                    id,
                )
                .with_header("retry-after", "5"),
            }
        }
    }
}
