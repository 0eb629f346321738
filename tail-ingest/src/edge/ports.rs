//! [`Ports`] on the Workers runtime: the queue `TAIL_LOGS`, the KV namespace `FALLBACK` and the runtime's clock.

use js_sys::{JsString, Promise};
use log_record::fallback;
use log_record::limits::FALLBACK_DAYS;
use wasm_bindgen::prelude::*;
use worker::Env;
use worker::kv::KvStore;
use worker_runtime::edge::{RuntimeClock, random_bits, refused};
use worker_runtime::timestamp::format_ms;
use worker_runtime::{CallError, Clock};

use crate::pack::Body;
use crate::ports::Ports;

const QUEUE: &str = "TAIL_LOGS";
const FALLBACK: &str = "FALLBACK";

const FALLBACK_SECONDS: u64 = FALLBACK_DAYS as u64 * 24 * 60 * 60;

#[wasm_bindgen(module = "/src/edge/send.js")]
extern "C" {
    /// The answer to a send: a promise that is always fulfilled, with what [`read_answer`] reads.
    pub(super) type Answer;

    /// Calls `go_on` with the answer. Returns a promise of what that returns.
    #[wasm_bindgen(method)]
    pub(super) fn then(this: &Answer, go_on: JsValue) -> Promise;

    /// Sends `bodies` to `queue` and waits `limit_ms` for its answer.
    #[wasm_bindgen(js_name = sendBodies)]
    fn send_bodies(queue: &JsValue, bodies: Vec<JsString>, limit_ms: u32) -> Answer;

    /// The bindings, by their names.
    type Bindings;

    #[wasm_bindgen(method, getter, js_name = TAIL_LOGS)]
    fn queue(this: &Bindings) -> JsValue;
}

/// The bindings in `env`.
pub(super) struct RuntimePorts {
    env: Env,
}

impl RuntimePorts {
    pub(super) fn new(env: Env) -> Self {
        Self { env }
    }

    /// Begins to send `bodies`, as [`Ports::send_batch`] does. (`worker::Queue` makes its options anew for each send, and
    /// knows no deadline; `worker::Env::queue` panics where a binding is null.)
    pub(super) fn begin_send(&self, bodies: &[Body], limit_ms: u64) -> Result<Answer, CallError> {
        let queue = self.env.unchecked_ref::<Bindings>().queue();
        if !queue.is_object() {
            return Err(CallError::MissingBinding(QUEUE));
        }
        let bodies = bodies
            .iter()
            .map(|body| JsString::from(body.text.as_str()))
            .collect();
        let limit_ms = u32::try_from(limit_ms).unwrap_or(u32::MAX);
        Ok(send_bodies(&queue, bodies, limit_ms))
    }
}

/// Returns the result that an [`Answer`] is fulfilled with.
pub(super) fn read_answer(answer: &JsValue, limit_ms: u64) -> Result<(), CallError> {
    if answer.is_undefined() {
        Ok(())
    } else if answer.is_null() {
        Err(CallError::TimedOut { limit_ms })
    } else {
        Err(refused(answer))
    }
}

impl Ports for RuntimePorts {
    fn clock(&self) -> &impl Clock {
        &RuntimeClock
    }

    async fn send_batch(&self, bodies: &[Body], limit_ms: u64) -> Result<(), CallError> {
        let answer = self.begin_send(bodies, limit_ms)?;
        let answer = Promise::unchecked_from_js(answer.into()).await;
        read_answer(&answer.unwrap_or_else(|error| error), limit_ms)
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
