//! [`Ports`] on the Workers runtime: the queue `TAIL_LOGS`, the KV namespace `FALLBACK` and the runtime's clock.

use js_sys::Reflect;
use log_record::fallback;
use log_record::limits::FALLBACK_DAYS;
use wasm_bindgen::{JsCast, JsValue};
use worker::kv::KvStore;
use worker::{BatchMessageBuilder, Env, Queue, QueueContentType, RawMessageBuilder};
use worker_runtime::edge::{RuntimeClock, random_bits, refused};
use worker_runtime::timestamp::format_ms;
use worker_runtime::{CallError, Clock};

use crate::pack::Body;
use crate::ports::Ports;

const QUEUE: &str = "TAIL_LOGS";
const FALLBACK: &str = "FALLBACK";

const FALLBACK_SECONDS: u64 = FALLBACK_DAYS as u64 * 24 * 60 * 60;

/// The bindings in `env`.
pub(super) struct RuntimePorts {
    env: Env,
}

impl RuntimePorts {
    pub(super) fn new(env: Env) -> Self {
        Self { env }
    }

    /// Returns the queue. (`worker::Env::queue` panics where a binding is null.)
    fn queue(&self) -> Result<Queue, CallError> {
        Reflect::get(&self.env, &JsValue::from_str(QUEUE))
            .ok()
            .filter(JsValue::is_object)
            .map(JsCast::unchecked_into)
            .ok_or(CallError::MissingBinding(QUEUE))
    }
}

impl Ports for RuntimePorts {
    fn clock(&self) -> &impl Clock {
        &RuntimeClock
    }

    async fn send_batch(&self, bodies: &[Body]) -> Result<(), CallError> {
        let queue = self.queue()?;
        let message = |body: &Body| {
            RawMessageBuilder::new(JsValue::from_str(&body.text))
                .build_with_content_type(QueueContentType::Text)
        };
        // The runtime copies a batch into a JSON text of its own; a single message goes as it is.
        let sent = match bodies {
            [body] => queue.send_raw(message(body)).await,
            bodies => {
                let batch = BatchMessageBuilder::new().messages(bodies.iter().map(message));
                queue.send_raw_batch(batch.build()).await
            }
        };
        sent.map_err(|error| refused(&error.into()))
    }

    async fn put_fallback(&self, body: &Body) -> Result<(), CallError> {
        let store = KvStore::from_this(&self.env, FALLBACK)
            .map_err(|_| CallError::MissingBinding(FALLBACK))?;
        let bits = (u128::from(random_bits()) << 64) | u128::from(random_bits());
        let id = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
        let key = fallback::key(
            fallback::ENVELOPES,
            &format_ms(RuntimeClock.now_ms()),
            &id.to_string(),
        );
        let put = store.put(&key, body.text.as_str());
        let put = put.map_err(|error| refused(&error.into()))?;
        let done = put.expiration_ttl(FALLBACK_SECONDS).execute().await;
        done.map_err(|error| refused(&error.into()))
    }
}
