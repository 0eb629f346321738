//! The Worker: the only code here that touches the runtime. `glue` brings the events across and, with `group.js`, takes
//! most bodies away; `outlets` takes those that the ladder has. What happens between is in the other modules.
//!
//! It says nothing as long as all is well, since it runs after every request of every Worker. One warning for each
//! malformed setting, once in the life of an isolate; and one line for each call that met a refusal: a warning where
//! every record found a place, an error with the number lost where one did not (see `report`).

use std::cell::RefCell;

use log_record::envelope;
use log_record::limits::MESSAGE_BODY_BYTES;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::ids::Random;
use crate::input::{Frames, Normalized};
use crate::pack::Body;
use crate::report;
use crate::send::{self, Refused};
use crate::settings::Settings;

mod glue;
mod outlets;

/// What lives as long as the isolate.
struct Isolate {
    settings: Settings,
    /// Seeds for the calls; itself seeded in the first one, since there is no randomness outside of handlers.
    seeds: Random,
    /// The queue, looked up once; none if the binding is missing.
    queue: Option<JsValue>,
    /// Takes over a body that the queue refused.
    on_refused: JsValue,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

impl Isolate {
    fn new() -> Self {
        let (settings, malformed) = Settings::read(glue::variable);
        for each in &malformed {
            glue::warn(&report::malformed(each));
        }
        let keep_days = settings.keep_days();
        glue::envelope(envelope::HEAD, envelope::TAIL, MESSAGE_BODY_BYTES);
        let on_refused = Closure::<dyn Fn(String, usize, String) -> JsValue>::new(
            move |text: String, records, error| {
                let body = Body {
                    bytes: text.into_bytes(),
                    records,
                };
                deliver(vec![body], Some(Refused::Transient(error)), keep_days)
            },
        );
        Self {
            settings,
            seeds: Random::new(glue::random()),
            queue: glue::binding(outlets::QUEUE),
            on_refused: on_refused.into_js_value(),
        }
    }
}

/// The tail handler: called by the runtime with the trace events of Workers that name this one in `tail_consumers`.
/// Returns a promise that the runtime waits for and that is always fulfilled, or nothing.
#[wasm_bindgen]
#[must_use]
pub fn tail(events: &JsValue) -> JsValue {
    ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.get_or_insert_with(Isolate::new);
        let seed = isolate.seeds.number();
        let now_ms = glue::now_ms();
        let normalize = |strict| normalize(events, strict, &isolate.settings, seed, now_ms);
        let normalized = normalize(false)
            .or_else(|| normalize(true))
            .unwrap_or_default();
        match (normalized.bodies.as_slice(), &isolate.queue) {
            ([], _) => JsValue::UNDEFINED,
            // Nearly every call: one body, which shares a message with what else comes at the moment.
            ([body], Some(queue)) => {
                glue::send_encoded(queue, &body.bytes, body.records, &isolate.on_refused)
            }
            _ => deliver(normalized.bodies, None, isolate.settings.keep_days()),
        }
    })
}

/// The records of the events; none where the events would have to be read strictly.
fn normalize(
    events: &JsValue,
    strict: bool,
    settings: &Settings,
    seed: u64,
    now_ms: u64,
) -> Option<Normalized> {
    let mut frames = Frames::new(settings, seed, now_ms);
    let mut from = 0;
    loop {
        let frame = glue::with_events(events, from, strict, |text| frames.read(text));
        if !frame.whole && !strict {
            return None;
        }
        match frame.next {
            Some(next) if next > from => from = next,
            _ => return Some(frames.finish()),
        }
    }
}

/// Sends bodies down the ladder; the promise is fulfilled when each has found its place or is counted as lost.
fn deliver(bodies: Vec<Body>, refused: Option<Refused>, keep_days: u32) -> JsValue {
    let promise = future_to_promise(async move {
        let outlets = outlets::Runtime { keep_days };
        let delivery = send::deliver(&outlets, &bodies, refused).await;
        match report::delivery(&delivery) {
            Some(report::Line::Warn(line)) => glue::warn(&line),
            Some(report::Line::Error(line)) => glue::error(&line),
            None => {}
        }
        Ok(JsValue::UNDEFINED)
    });
    promise.unchecked_into()
}

/// Answers `OK` to a GET: the Worker is up, and nothing else is to be had from it. Not an event of `worker`, whose
/// requests and responses would be a fifth of the whole Worker.
#[wasm_bindgen]
#[must_use]
pub fn fetch(request: &JsValue, _env: &JsValue, _context: &JsValue) -> JsValue {
    glue::answer(request)
}
