//! The boundary to JavaScript; `glue.js` is the other side of it.

use std::cell::RefCell;

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    fn collect(
        events: &JsValue,
        from: usize,
        strict: bool,
        memory: &JsValue,
        start: *mut u8,
        length: usize,
    ) -> f64;
    fn again(memory: &JsValue, start: *mut u8, length: usize) -> f64;
}

/// The buffer that events cross in, in bytes: enough for what the glue sends at once of several events, and for an
/// event with a hundred lines.
const BUFFER_BYTES: usize = 128 * 1024;

/// A buffer that grew beyond this is let go after the call.
const BUFFER_KEPT_BYTES: usize = 2 * 1024 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Brings events across, those from the index `from` on, and gives their text (see `frame`) to `run`. `strict` carries
/// any text across, NULs included.
pub(super) fn with_events<T>(
    events: &JsValue,
    from: usize,
    strict: bool,
    run: impl FnOnce(&str) -> T,
) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        let memory = wasm_bindgen::memory();
        if buffer.is_empty() {
            buffer.resize(BUFFER_BYTES, 0);
        }
        let mut written = collect(
            events,
            from,
            strict,
            &memory,
            buffer.as_mut_ptr(),
            buffer.len(),
        );
        if written < 0.0 {
            buffer.resize(whole(-written), 0);
            written = again(&memory, buffer.as_mut_ptr(), buffer.len());
        }
        let bytes = buffer.get(..whole(written)).unwrap_or_default();
        // The encoder writes UTF-8 and nothing else, so the copy is never made.
        let result = match str::from_utf8(bytes) {
            Ok(text) => run(text),
            Err(_) => run(&String::from_utf8_lossy(bytes)),
        };
        if buffer.len() > BUFFER_KEPT_BYTES {
            *buffer = Vec::new();
        }
        result
    })
}

/// A whole number that JavaScript gave: a length, or a time.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is neither negative nor near 2^53
fn whole(number: f64) -> usize {
    number as usize
}
