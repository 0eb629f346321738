//! The crossing from JavaScript; `glue.js` is the other side of it.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// Returns the trace events of a tail call in UTF-8, to be read by `pack_encoded`. Does not throw, whatever the events
    /// are.
    #[wasm_bindgen(js_name = encodeEvents)]
    pub(super) fn encode_events(events: &JsValue) -> Vec<u8>;
}
