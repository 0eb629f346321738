//! The runtime's side: the exported handler, and the Workflow binding, which the SDK does not have.

use producer_log::{JsConsole, Logger, random_uuid};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Context, Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, event};

use crate::consume::{
    RETRY_DELAY_SECONDS, StartError, Started, Verdict, WORKER, Workflows, consume,
};

#[wasm_bindgen]
extern "C" {
    /// <https://developers.cloudflare.com/workflows/build/workers-api/#workflow>
    type Workflow;

    #[wasm_bindgen(method, catch)]
    async fn create(this: &Workflow, options: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn get(this: &Workflow, id: &str) -> Result<JsValue, JsValue>;
}

/// The `queue` handler: each message is settled on its own verdict. Never an error: that would panic, and the panic would
/// reset the instance.
#[event(queue)]
async fn queue(batch: MessageBatch<JsValue>, env: Env, _context: Context) -> worker::Result<()> {
    let binding = EventWorkflow::of(&env);
    if let Err(error) = &binding {
        Logger::new(&JsConsole, WORKER, random_uuid()).error(
            "no Workflow is bound as EVENT_WORKFLOW; add it to the Worker's configuration",
            &json!({"error": error}),
        );
    }
    let retry = QueueRetryOptionsBuilder::new()
        .with_delay_seconds(RETRY_DELAY_SECONDS)
        .build();
    for message in batch.raw_iter() {
        let verdict = match &binding {
            Ok(workflow) => {
                let body = message.body().as_string();
                consume(workflow, &JsConsole, &message.id(), body.as_deref()).await
            }
            Err(_) => Verdict::Retry,
        };
        match verdict {
            Verdict::Ack => message.ack(),
            Verdict::Retry => message.retry_with_options(&retry),
        }
    }
    Ok(())
}

struct EventWorkflow(Workflow);

impl EventWorkflow {
    fn of(env: &Env) -> Result<Self, String> {
        let value = js_sys::Reflect::get(env, &JsValue::from_str("EVENT_WORKFLOW"))
            .map_err(|error| describe(&error))?;
        if value.is_object() {
            Ok(Self(value.unchecked_into()))
        } else {
            Err("the binding is undefined".to_owned())
        }
    }
}

impl Workflows for EventWorkflow {
    async fn start(&self, id: &str, options: &str) -> Result<Started, StartError> {
        let options = js_sys::JSON::parse(options).map_err(|error| StartError(describe(&error)))?;
        match self.0.create(&options).await {
            Ok(_) => Ok(Started::Now),
            // An id in use is an error with a text that is not a contract: ask whether the instance is there instead.
            Err(error) => match self.0.get(id).await {
                Ok(_) => Ok(Started::Before),
                Err(_) => Err(StartError(describe(&error))),
            },
        }
    }
}

/// The text of a thrown value.
fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.to_string().into(),
        None => "a value that is not an Error was thrown".to_owned(),
    }
}
