//! JavaScript's side: reading the trace events and the environment.

use std::cell::RefCell;

use js_sys::JsString;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
const encoder = new TextEncoder();
const json = (value) => {
  try { return JSON.stringify(value) ?? "null"; } catch { return "null"; }
};
export function collect(events) {
  return json(events);
}
export function encode(text, memory, start, length) {
  return encoder.encodeInto(text, new Uint8Array(memory.buffer, start, length)).written;
}
export function seed() {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return words[0] * 2097152 + (words[1] >>> 11);
}
export function variable(env, name) {
  try {
    const value = env[name];
    return value === undefined || value === null ? undefined : String(value);
  } catch { return undefined; }
}
"#)]
extern "C" {
    #[wasm_bindgen(js_name = collect)]
    fn js_collect(events: &JsValue) -> JsString;
    #[wasm_bindgen(js_name = encode)]
    fn js_encode(text: &JsString, memory: &JsValue, start: *mut u8, length: usize) -> usize;
    #[wasm_bindgen(js_name = seed)]
    fn js_seed() -> f64;
    #[wasm_bindgen(js_name = variable)]
    fn js_variable(env: &JsValue, name: &str) -> Option<String>;
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
    pub(super) static ENV: JsValue;
}

pub(super) fn collect(events: &JsValue) -> Vec<u8> {
    let text = js_collect(events);
    let mut buffer = vec![0_u8; text.length() as usize * 3];
    let written = js_encode(&text, &wasm_bindgen::memory(), buffer.as_mut_ptr(), buffer.len());
    buffer.truncate(written);
    buffer
}

pub(super) fn seed() -> u64 {
    js_seed().to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(super) fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

pub(super) fn variable(name: &str) -> Option<String> {
    ENV.with(|env| js_variable(env, name))
}
