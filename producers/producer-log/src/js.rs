//! The runtime's own console and random UUIDs.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::line::Level;
use crate::logger::Console;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = debug)]
    fn console_debug(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn console_log(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    fn console_warn(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(line: &str);

    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    fn crypto_random_uuid() -> String;
}

/// The Worker's console: each level on its own method.
#[derive(Clone, Copy, Debug)]
pub struct JsConsole;

impl Console for JsConsole {
    fn write(&self, level: Level, line: &str) {
        match level {
            Level::Debug => console_debug(line),
            Level::Info => console_log(line),
            Level::Warn => console_warn(line),
            Level::Error => console_error(line),
        }
    }
}

/// A random UUID (version 4). Only within a handler: the runtime refuses randomness in global scope.
#[must_use]
pub fn random_uuid() -> String {
    crypto_random_uuid()
}
