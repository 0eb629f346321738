//! [`DeadLetterQueue`] over the queue binding `DLQ`.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Queue, QueueContentType, RawMessageBuilder};
use worker_runtime::CallError;

use crate::ports::DeadLetterQueue;

/// The queue, or the reason why there is none.
pub(crate) struct Dlq(Result<Queue, CallError>);

impl Dlq {
    /// Returns the queue. (`worker::Env::queue` panics where a binding is null.)
    pub(crate) fn new(env: &Env) -> Self {
        let binding = Reflect::get(env, &JsValue::from_str("DLQ")).ok();
        let queue = binding.filter(JsValue::is_object);
        Self(
            queue
                .map(JsCast::unchecked_into)
                .ok_or(CallError::MissingBinding("DLQ")),
        )
    }
}

impl DeadLetterQueue for Dlq {
    async fn send(&self, text: &str) -> Result<(), CallError> {
        let queue = self.0.as_ref().map_err(CallError::clone)?;
        // Text: readable in the dashboard, and by a pull consumer without decoding.
        let message =
            RawMessageBuilder::new(text.into()).build_with_content_type(QueueContentType::Text);
        let sent = queue.send_raw(message).await;
        sent.map_err(|error| CallError::Refused(error.to_string()))
    }
}
