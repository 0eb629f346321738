//! [`DeadLetterQueue`] over the queue binding `DLQ`.

use wasm_bindgen::JsValue;

use crate::bindings::{Queue, binding, object, words};
use crate::ports::{DeadLetterQueue, Refused};

/// The queue, or why there is none.
pub(crate) struct Dlq(Result<Queue, String>);

impl Dlq {
    pub(crate) fn new(env: &JsValue) -> Self {
        Self(binding(env, "DLQ"))
    }
}

impl DeadLetterQueue for Dlq {
    async fn send(&self, text: &str) -> Result<(), Refused> {
        let queue = self
            .0
            .as_ref()
            .map_err(|missing| Refused(missing.clone()))?;
        // Text: readable in the dashboard, and by a pull consumer without decoding.
        let options = object(&[("contentType", JsValue::from_str("text"))]);
        match queue.send(text, options).await {
            Ok(_) => Ok(()),
            Err(thrown) => Err(Refused(words(&thrown))),
        }
    }
}
