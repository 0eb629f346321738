//! The Worker's entry points: adapters from `env`, one call, one log line. They never fail: a queue handler that throws
//! has its messages retried without a say in it, and in the local runtime those that were acked as well.

use std::pin::Pin;

use js_sys::Promise;
use wasm_bindgen::prelude::*;

use crate::bindings::{
    Batch, Message, TextEncoder, console_log, console_warn, object, property, words,
};
use crate::clock::RuntimeClock;
use crate::consume::{Verdict, consume};
use crate::d1::D1;
use crate::dlq::Dlq;
use crate::drain::drain;
use crate::kv::Kv;
use crate::ports::{Adapters, Clock};
use crate::rotate::{continued_cutoff_ms, daily_cutoff_ms, rotate};
use crate::settings::Settings;
use crate::settle::{Body, Inbound};

/// The queue's entry point: `queue(batch, env, ctx)`.
#[wasm_bindgen]
pub fn queue(batch: JsValue, env: JsValue, _context: JsValue) -> Promise {
    promise(consume_batch(batch, env))
}

/// The crons' entry point: `scheduled(controller, env, ctx)`.
#[wasm_bindgen]
pub fn scheduled(controller: JsValue, env: JsValue, _context: JsValue) -> Promise {
    promise(run_cron(controller, env))
}

/// Starts `run`. Boxed, so that the machinery behind a promise is there once and not for each entry point.
fn promise(run: impl Future<Output = ()> + 'static) -> Promise {
    let run: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> = Box::pin(async {
        run.await;
        Ok(JsValue::UNDEFINED)
    });
    wasm_bindgen_futures::future_to_promise(run)
}

async fn consume_batch(batch: JsValue, env: JsValue) {
    let batch: Batch = batch.unchecked_into();
    let messages: Vec<Message> = match batch.messages() {
        Ok(messages) => messages.iter().map(JsCast::unchecked_into).collect(),
        Err(thrown) => {
            console_warn(&format!("the batch could not be read: {}", words(&thrown)));
            return;
        }
    };
    let encoder = TextEncoder::new();
    let inbounds: Vec<Inbound> = messages
        .iter()
        .map(|message| inbound(message, &encoder))
        .collect();
    let (verdicts, tally) = consume(&adapters(&env), &settings(&env), &inbounds).await;
    for (message, verdict) in messages.iter().zip(verdicts) {
        let told = match verdict {
            Verdict::Ack => message.ack(),
            Verdict::Retry { delay_seconds } => {
                message.retry(&object(&[("delaySeconds", JsValue::from(delay_seconds))]))
            }
        };
        if let Err(thrown) = told {
            console_warn(&format!("a verdict was not taken: {}", words(&thrown)));
        }
    }
    let line = tally.line("batch");
    if tally.is_trouble() {
        console_warn(&line);
    } else {
        console_log(&line);
    }
}

/// The cron, as in `wrangler/log-writer.toml`, that starts the daily rotation. Every other one drains.
const ROTATION_CRON: &str = "0 3 * * *";

async fn run_cron(controller: JsValue, env: JsValue) {
    let adapters = adapters(&env);
    let settings = settings(&env);
    let now_ms = adapters.clock.now_ms();
    let cron = property(&controller, "cron").and_then(|cron| cron.as_string());
    if cron.as_deref() == Some(ROTATION_CRON) {
        let rotated = rotate(&adapters, daily_cutoff_ms(now_ms, settings.retention_days)).await;
        console_log(&rotated.line());
        return;
    }
    let drained = drain(&adapters, &settings).await;
    if drained.tally.is_trouble() {
        console_warn(&drained.line());
    } else {
        console_log(&drained.line());
    }
    let rotated = rotate(
        &adapters,
        continued_cutoff_ms(now_ms, settings.retention_days),
    )
    .await;
    if rotated.rows_deleted > 0 || !rotated.finished {
        console_log(&rotated.line());
    }
}

fn adapters(env: &JsValue) -> Adapters<D1, Dlq, Kv, RuntimeClock> {
    Adapters {
        store: D1::new(env),
        queue: Dlq::new(env),
        kv: Kv::new(env),
        clock: RuntimeClock,
    }
}

fn settings(env: &JsValue) -> Settings {
    // A number may stand without quotes.
    let text = |var: JsValue| var.as_string().unwrap_or_else(|| json(&var));
    let (settings, bad) = Settings::read(|name| property(env, name).map(text));
    for name in bad {
        console_warn(&format!(r#"{{"event":"bad_setting","name":"{name}"}}"#));
    }
    settings
}

/// What the queue delivered. A property that is missing or odd gets a harmless value: the body is what counts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is meant"
)]
fn inbound(message: &Message, encoder: &TextEncoder) -> Inbound {
    let attempts = message.attempts().ok().and_then(|n| n.as_f64());
    Inbound {
        id: message.id().unwrap_or_default(),
        timestamp: message
            .timestamp()
            .map(|date| String::from(date.to_iso_string()))
            .unwrap_or_default(),
        attempts: attempts.unwrap_or(1.0) as u32,
        body: body(&message.body().unwrap_or(JsValue::UNDEFINED), encoder),
    }
}

fn body(value: &JsValue, encoder: &TextEncoder) -> Body {
    if value.is_string() {
        // An encoder gives UTF-8 and nothing else, so this is always the fast way.
        let text = String::from_utf8(encoder.encode(value).to_vec()).ok();
        return Body::Text(text.or_else(|| value.as_string()).unwrap_or_default());
    }
    if value.is_instance_of::<js_sys::ArrayBuffer>() {
        // Sent as bytes. JSON knows none: text where they are text, numbers otherwise.
        let bytes = js_sys::Uint8Array::new(value);
        return match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Body::Text(text),
            Err(_) => Body::Other(json(&js_sys::Array::from(&bytes))),
        };
    }
    Body::Other(json(value))
}

fn json(value: &JsValue) -> String {
    let json = js_sys::JSON::stringify(value).ok();
    json.and_then(|json| json.as_string())
        .unwrap_or_else(|| format!("{value:?}"))
}
