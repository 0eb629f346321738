//! The boundary to JavaScript; `glue.js` and `group.js` are the other side of it.

use std::cell::RefCell;

use js_sys::{Array, Promise};
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
    #[wasm_bindgen(catch, js_name = sendBatch)]
    pub(super) fn send_batch(queue: &JsValue, bodies: &Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn put(
        kv: &JsValue,
        key: &str,
        value: &JsValue,
        expiration_ttl_s: f64,
    ) -> Result<Promise, JsValue>;
    /// The text of UTF-8.
    pub(super) fn decode(text: &[u8]) -> JsValue;
    /// The response to a request.
    pub(super) fn answer(request: &JsValue) -> JsValue;
    /// What an error says, cut to a sensible length.
    pub(super) fn describe(error: &JsValue) -> String;
    #[wasm_bindgen(js_name = variable)]
    fn js_variable(env: &JsValue, name: &str) -> Option<String>;
    #[wasm_bindgen(js_name = binding)]
    fn js_binding(env: &JsValue, name: &str) -> Option<JsValue>;
    #[wasm_bindgen(js_name = random)]
    fn js_random() -> f64;
}

#[wasm_bindgen(module = "/src/edge/group.js")]
extern "C" {
    /// What an envelope begins and ends with, and how many bytes it may have.
    pub(super) fn envelope(head: &str, tail: &str, bytes: usize);
    /// Sends one body, of so many records; `refused(body, records, error)` takes over from a refusal.
    #[wasm_bindgen(js_name = sendEncoded)]
    pub(super) fn send_encoded(
        queue: &JsValue,
        body: &[u8],
        records: usize,
        refused: &JsValue,
    ) -> JsValue;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn error(line: &str);
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn warn(line: &str);
}

#[wasm_bindgen(module = "cloudflare:workers")]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = env)]
    static ENV: JsValue;
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

/// 53 random bits. Not to be called in global scope.
pub(super) fn random() -> u64 {
    js_random().to_bits()
}

/// Milliseconds since 1970.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // good for 280,000 years
pub(super) fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// The text of a variable.
pub(super) fn variable(name: &str) -> Option<String> {
    ENV.with(|env| js_variable(env, name))
}

/// A binding, if there is one of that name.
pub(super) fn binding(name: &str) -> Option<JsValue> {
    ENV.with(|env| js_binding(env, name))
}
