//! The runtime's queue, KV and timer, as `send` wants them.

use std::time::Duration;

use js_sys::{Array, Promise};
use log_record::fallback;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::glue;
use crate::pack::Body;
use crate::send::{Outlets, Refused};
use crate::{ids, timestamp};

/// The queue's binding.
pub(super) const QUEUE: &str = "TAIL_LOGS";
/// The KV fallback's binding.
const FALLBACK: &str = "FALLBACK";

const DAY_S: f64 = 86_400.0;

/// The bindings of this Worker.
pub(super) struct Runtime {
    /// How long KV keeps what the queue refused, in days.
    pub(super) keep_days: u32,
}

fn missing(name: &str) -> Refused {
    Refused::Permanent(format!("binding {name} is missing"))
}

fn refused(error: &JsValue) -> Refused {
    Refused::Transient(glue::describe(error))
}

async fn settled(promise: Result<Promise, JsValue>) -> Result<(), Refused> {
    let promise = promise.map_err(|error| refused(&error))?;
    JsFuture::from(promise)
        .await
        .map(|_| ())
        .map_err(|error| refused(&error))
}

impl Outlets for Runtime {
    async fn queue(&self, bodies: &[Body]) -> Result<(), Refused> {
        let queue = glue::binding(QUEUE).ok_or_else(|| missing(QUEUE))?;
        let texts: Array = bodies
            .iter()
            .map(|body| glue::decode(&body.bytes))
            .collect();
        settled(glue::send_batch(&queue, &texts)).await
    }

    async fn keep(&self, body: &Body) -> Result<(), Refused> {
        let kv = glue::binding(FALLBACK).ok_or_else(|| missing(FALLBACK))?;
        let now_ms = glue::now_ms();
        let key = fallback::key(
            fallback::ENVELOPES,
            &timestamp::text(now_ms),
            &ids::Random::new(glue::random()).uuid(now_ms).to_string(),
        );
        let seconds = f64::from(self.keep_days) * DAY_S;
        settled(glue::put(&kv, &key, &glue::decode(&body.bytes), seconds)).await
    }

    async fn sleep(&self, delay: Duration) {
        worker::Delay::from(delay).await;
    }
}
