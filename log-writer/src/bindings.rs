//! The JavaScript that log-writer talks to, declared as far as it uses it. The `worker` crate's wrappers do not expose
//! `message.attempts`, panic on some failures and turn D1's errors into other texts, all of which matter here; every
//! method below answers with an error instead. (Why that crate is not used at all: `start`.)

use wasm_bindgen::prelude::*;

use crate::classify::MISSING_BINDING;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(done: &js_sys::Function, ms: u32);
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    pub(crate) fn console_log(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    pub(crate) fn console_warn(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn console_error(line: &str);

    /// Copies text into Wasm at once, where `JsValue::as_string` goes over it character by character.
    pub(crate) type TextEncoder;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> TextEncoder;
    #[wasm_bindgen(method)]
    pub(crate) fn encode(this: &TextEncoder, text: &JsValue) -> js_sys::Uint8Array;

    pub(crate) type Batch;
    #[wasm_bindgen(method, catch, getter)]
    pub(crate) fn messages(this: &Batch) -> Result<js_sys::Array, JsValue>;

    pub(crate) type Message;
    #[wasm_bindgen(method, catch, getter)]
    pub(crate) fn id(this: &Message) -> Result<String, JsValue>;
    #[wasm_bindgen(method, catch, getter)]
    pub(crate) fn timestamp(this: &Message) -> Result<js_sys::Date, JsValue>;
    #[wasm_bindgen(method, catch, getter)]
    pub(crate) fn attempts(this: &Message) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, getter)]
    pub(crate) fn body(this: &Message) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn ack(this: &Message) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn retry(this: &Message, options: &JsValue) -> Result<(), JsValue>;

    pub(crate) type Database;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn prepare(this: &Database, sql: &str) -> Result<Prepared, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn batch(
        this: &Database,
        statements: js_sys::Array,
    ) -> Result<JsValue, JsValue>;

    pub(crate) type Prepared;
    #[wasm_bindgen(method, catch, variadic)]
    pub(crate) fn bind(this: &Prepared, values: js_sys::Array) -> Result<JsValue, JsValue>;

    pub(crate) type Queue;
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn send(
        this: &Queue,
        body: &str,
        options: JsValue,
    ) -> Result<JsValue, JsValue>;

    #[derive(Clone)]
    pub(crate) type Namespace;
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn put(
        this: &Namespace,
        key: &str,
        value: &str,
        options: JsValue,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn get(this: &Namespace, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn delete(this: &Namespace, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn list(this: &Namespace, options: JsValue) -> Result<JsValue, JsValue>;
}

/// The binding `name` of the Worker's configuration.
///
/// # Errors
/// The sentence that `classify` knows, where there is none.
pub(crate) fn binding<T: JsCast>(env: &JsValue, name: &str) -> Result<T, String> {
    match property(env, name) {
        Some(value) => Ok(value.unchecked_into()),
        None => Err(format!("{MISSING_BINDING} {name}")),
    }
}

/// A property, unless it is undefined or null.
pub(crate) fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = js_sys::Reflect::get(object, &JsValue::from_str(name)).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// A property that is a number, as a whole one from 0; 0 where it is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is meant"
)]
pub(crate) fn whole_number(object: &JsValue, name: &str) -> u64 {
    property(object, name)
        .and_then(|value| value.as_f64())
        .unwrap_or(0.0) as u64
}

/// An object of `entries`.
pub(crate) fn object(entries: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in entries {
        // A plain object takes every property.
        let _taken = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// What was thrown, in words.
pub(crate) fn words(thrown: &JsValue) -> String {
    property(thrown, "message")
        .unwrap_or_else(|| thrown.clone())
        .as_string()
        .unwrap_or_else(|| "an error without a message".to_owned())
}
