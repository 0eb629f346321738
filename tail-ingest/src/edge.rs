//! The Worker: the only code here that touches the runtime. `glue` brings the events across, `outlets` takes the bodies
//! away; what happens between is in the other modules.

use std::cell::RefCell;

use js_sys::{Array, Promise};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::{Context, Env, Request, Response, event};

use crate::input;
use crate::pack::Body;
use crate::send::{self, Delivery};
use crate::settings::Settings;

mod glue;
mod outlets;

thread_local! {
    /// Read once in the life of the isolate: variables do not change in it.
    static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
}

/// The tail handler: called by the runtime with the trace events of Workers that name this one in `tail_consumers`.
/// Returns a promise that the runtime waits for, and that is always fulfilled.
#[wasm_bindgen]
pub fn tail(events: &JsValue) -> JsValue {
    let settings = settings();
    let text = glue::collect(events);
    let result = input::normalize_and_pack(&text, &settings, glue::seed(), glue::now_ms());
    match result {
        Ok(normalized) => {
            let bodies = normalized.bodies;
            future_to_promise(async move {
                report(&send::deliver(&outlets::Runtime::new(), &bodies).await);
                Ok(JsValue::UNDEFINED)
            })
            .into()
        }
        Err(error) => {
            glue::error(&format!("{{\"level\":\"error\",\"message\":\"{error}\"}}"));
            JsValue::UNDEFINED
        }
    }
}

/// Answers that the Worker is up; nothing else is to be had from it.
#[event(fetch)]
async fn fetch(_request: Request, _env: Env, _context: Context) -> worker::Result<Response> {
    Response::ok("OK")
}

fn settings() -> Settings {
    SETTINGS.with_borrow_mut(|settings| {
        settings
            .get_or_insert_with(|| {
                let (settings, malformed) = Settings::read(glue::variable);
                for each in malformed {
                    glue::warn(&format!("{{\"level\":\"warn\",\"message\":\"{each}\"}}"));
                }
                settings
            })
            .clone()
    })
}

fn report(delivery: &Delivery) {
    if delivery.queue_error.is_some() {
        glue::error(&format!("{delivery:?}"));
    }
}
