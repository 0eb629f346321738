//! The runtime's side: the exported handlers, and a [`Host`] over the Worker's bindings.

use futures_util::StreamExt;
use producer_log::{JsConsole, Logger, correlation, random_uuid};
use serde_json::json;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    ByteStream, Env, Headers, QueueContentType, RawMessageBuilder, Request, Response,
    ScheduleContext, ScheduledEvent, console_debug, console_error, console_log, console_warn,
    event, web_sys,
};

use crate::answer::Answer;
use crate::handler::{self, BodyError, End, Host, Incoming, QueueError};

/// The name under which the Worker's lines are filed.
const WORKER: &str = "triggers-api";

/// The `fetch` handler. Exported by hand and not by `#[event(fetch)]`: that macro turns an `Err` into a plain 500 answer,
/// while `GET /debug/throw` is to end in an exception that the runtime sees. A rejected promise is just that; a panic
/// would not do, as it resets the instance.
///
/// # Errors
/// The exception that `GET /debug/throw` asks for; and the runtime's own, should it refuse the answer's headers.
#[wasm_bindgen]
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    _context: JsValue,
) -> Result<web_sys::Response, JsValue> {
    let request = Request::from(request);
    let header = |name: &str| request.headers().get(name).ok().flatten();
    let id = correlation::accept_or(header(correlation::HEADER).as_deref(), random_uuid);
    let log = Logger::new(&JsConsole, WORKER, id);
    // The SDK's own `method()` takes what it does not know for GET.
    let method = request.inner().method();
    let path = request.path();
    let authorization = header("authorization");
    let incoming = Incoming {
        method: &method,
        path: &path,
        authorization: authorization.as_deref(),
    };
    let host = Edge {
        env: &env,
        request: request.inner(),
    };
    match handler::run(&host, &log, incoming).await {
        End::Answer(answer) => Ok(respond(&answer, log.correlation_id())?.into()),
        End::Throw => Err(js_sys::Error::new("thrown by GET /debug/throw, as asked").into()),
    }
}

/// The `scheduled` handler: a heartbeat, so that there is a scheduled run to be seen.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, _env: Env, _context: ScheduleContext) {
    let log = Logger::new(&JsConsole, WORKER, random_uuid());
    log.info("heartbeat", &json!({"cron": event.cron()}));
}

fn respond(answer: &Answer, correlation_id: &str) -> worker::Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    headers.set(correlation::HEADER, correlation_id)?;
    if let Some((name, value)) = answer.header {
        headers.set(name, value)?;
    }
    let body = answer.body.to_string().into_bytes();
    Ok(Response::from_bytes(body)?
        .with_status(answer.status)
        .with_headers(headers))
}

struct Edge<'a> {
    env: &'a Env,
    request: &'a web_sys::Request,
}

impl Host for Edge<'_> {
    fn api_token(&self) -> Option<String> {
        let token = self.env.secret("API_TOKEN").ok()?.to_string();
        (!token.is_empty()).then_some(token)
    }

    async fn body(&self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let Some(stream) = self.request.body() else {
            return Ok(Vec::new());
        };
        let mut stream = ByteStream::from(stream);
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| BodyError::Broken(error.to_string()))?;
            if body.len() + chunk.len() > limit {
                return Err(BodyError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn enqueue(&self, text: &str) -> Result<(), QueueError> {
        let queue = self
            .env
            .queue("EVENTS")
            .map_err(|error| QueueError::NotBound(error.to_string()))?;
        // As text: an object sent through the SDK arrives empty (workers-rs #1013).
        let message = RawMessageBuilder::new(JsValue::from_str(text))
            .build_with_content_type(QueueContentType::Text);
        queue
            .send_raw(message)
            .await
            .map_err(|error| QueueError::Refused(error.to_string()))
    }

    fn uuid(&self) -> String {
        random_uuid()
    }

    fn plain_lines(&self) {
        console_log!("a plain line on console.log");
        console_warn!("a plain line on console.warn");
        console_error!("a plain line on console.error");
        console_debug!("a plain line on console.debug");
    }
}
