//! The runtime's queue, KV and timer.

use std::time::Duration;

use js_sys::{Array, Object, Promise, Reflect};
use log_record::fallback;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::glue;
use crate::pack::Body;
use crate::send::{Outlets, Refused};

#[wasm_bindgen]
extern "C" {
    type Queue;
    #[wasm_bindgen(method, catch, js_name = sendBatch)]
    fn send_batch(this: &Queue, messages: &Array) -> Result<Promise, JsValue>;
    type Kv;
    #[wasm_bindgen(method, catch)]
    fn put(this: &Kv, key: &str, value: &str, options: &Object) -> Result<Promise, JsValue>;
}

pub(super) struct Runtime {}

impl Runtime {
    pub(super) fn new() -> Self {
        Self {}
    }
}

fn binding(name: &str) -> Result<JsValue, Refused> {
    glue::ENV
        .with(|env| Reflect::get(env, &JsValue::from_str(name)))
        .ok()
        .filter(JsValue::is_object)
        .ok_or_else(|| Refused::Permanent(format!("binding {name} is missing")))
}

fn refused(error: &JsValue) -> Refused {
    let text = error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()));
    Refused::Transient(text)
}

impl Outlets for Runtime {
    async fn queue(&self, bodies: &[Body]) -> Result<(), Refused> {
        let queue: Queue = binding("TAIL_LOGS")?.unchecked_into();
        let messages = Array::new();
        for body in bodies {
            let message = Object::new();
            let _ = Reflect::set(&message, &"body".into(), &body.text.as_str().into());
            let _ = Reflect::set(&message, &"contentType".into(), &"text".into());
            messages.push(&message);
        }
        let promise = queue.send_batch(&messages).map_err(|error| refused(&error))?;
        JsFuture::from(promise).await.map_err(|error| refused(&error))?;
        Ok(())
    }

    async fn keep(&self, body: &Body) -> Result<(), Refused> {
        let kv: Kv = binding("FALLBACK")?.unchecked_into();
        let key = fallback::key(fallback::ENVELOPES, "x", "y");
        let promise = kv
            .put(&key, &body.text, &Object::new())
            .map_err(|error| refused(&error))?;
        JsFuture::from(promise).await.map_err(|error| refused(&error))?;
        Ok(())
    }

    async fn sleep(&self, delay: Duration) {
        worker::Delay::from(delay).await;
    }
}
