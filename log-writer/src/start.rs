//! What worker-build's JavaScript asks of a Worker: an object of its own that outlives a panic, and word of one. The next
//! call then gets a new Wasm instance.
//!
//! The `worker` crate would bring this. By hand, because that crate also brings containers, R2 and streams, which are
//! exported whether they are used or not: 11 kB with gzip, a sixth of log-writer, for a timer and `console`.

use wasm_bindgen::handler::{schedule_reinit, set_on_abort};
use wasm_bindgen::prelude::*;

use crate::bindings::console_error;

#[wasm_bindgen(inline_js = "export const state = { criticalError: false, instanceId: 0 };")]
extern "C" {
    type State;
    #[wasm_bindgen(thread_local_v2, js_name = state)]
    static STATE: State;
    #[wasm_bindgen(method, setter, js_name = criticalError)]
    fn set_critical_error(this: &State, is_critical: bool);
}

#[wasm_bindgen(start, private)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        console_error(&format!("Rust panic: {panic}"));
        STATE.with(|state| state.set_critical_error(true));
    }));
    set_on_abort(schedule_reinit);
}

/// The object: called once, when the Worker is loaded.
#[wasm_bindgen(js_name = "__worker_init_state")]
#[must_use]
pub fn state() -> JsValue {
    STATE.with(|state| state.into())
}
