//! The crossing from JavaScript; `glue.js` is the other side of it.

use js_sys::JsString;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// Returns the trace events of a tail call as a text. Does not throw, whatever the events are.
    #[wasm_bindgen(js_name = eventsToText)]
    fn events_to_text(events: &JsValue) -> JsString;

    /// Writes `text` to `bytes` in UTF-8. Returns the number of bytes written, or a negative number where it does not fit.
    #[wasm_bindgen(js_name = encodeInto)]
    fn encode_into(text: &JsString, bytes: &mut [u8]) -> i32;
}

/// Returns the trace events of a tail call in UTF-8, to be read by `pack_encoded`, whatever the events are.
pub(super) fn encode_events(events: &JsValue) -> Vec<u8> {
    let text = events_to_text(events);
    let units = text.length() as usize;
    // Nearly all text is ASCII, where each UTF-16 unit is a byte; the most that one takes is three. Encoding right into
    // this memory spares JavaScript a buffer of its own.
    for bytes_per_unit in [1, 3] {
        let mut bytes = vec![0; units.saturating_mul(bytes_per_unit)];
        if let Ok(written) = usize::try_from(encode_into(&text, &mut bytes)) {
            bytes.truncate(written);
            return bytes;
        }
    }
    Vec::new()
}
