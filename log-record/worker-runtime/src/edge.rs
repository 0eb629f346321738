//! The Workers runtime, as both Workers need it. What `worker` wraps well is used as it is; here stands what it refuses
//! or panics on.

use std::time::Duration;

use js_sys::{Array, JSON, Reflect};
use log_record::Level;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{Delay, console_error, console_log, console_warn};

use crate::{CallError, Clock, LogLine, Malformed};

/// The longest error text that is kept, in bytes.
const ERROR_TEXT_BYTES: usize = 500;

/// The runtime's time and timers.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeClock;

impl Clock for RuntimeClock {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970"
    )]
    fn now_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    async fn sleep_ms(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }
}

/// Prints `line` by the console method of its level.
pub fn print_line(line: &LogLine) {
    match line.level {
        Level::Debug | Level::Info => console_log!("{}", line.json),
        Level::Warn => console_warn!("{}", line.json),
        Level::Error => console_error!("{}", line.json),
    }
}

/// Prints a warning for each malformed setting.
pub fn print_malformed(malformed: &[Malformed]) {
    for each in malformed {
        print_line(&each.to_line());
    }
}

/// Returns the text of the var `name` in `env`: numbers and booleans as they are written, lists with commas between
/// their elements, objects as JSON. (`worker::Env::var` takes text alone.)
#[must_use]
pub fn read_var(env: &JsValue, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_null() || value.is_undefined() {
        return None;
    }
    if let Some(list) = value.dyn_ref::<Array>() {
        return Some(
            list.iter()
                .map(|each| plain_text(&each))
                .collect::<Vec<_>>()
                .join(","),
        );
    }
    Some(plain_text(&value))
}

fn plain_text(value: &JsValue) -> String {
    value
        .as_string()
        .or_else(|| JSON::stringify(value).ok()?.as_string())
        .unwrap_or_default()
}

/// Returns the words of a thrown value, cut to 500 bytes.
#[must_use]
pub fn error_text(thrown: &JsValue) -> String {
    let message = Reflect::get(thrown, &JsValue::from_str("message"))
        .ok()
        .and_then(|message| message.as_string());
    let mut text = message
        .or_else(|| thrown.as_string())
        .unwrap_or_else(|| format!("{thrown:?}"));
    text.truncate(text.floor_char_boundary(ERROR_TEXT_BYTES));
    text
}

/// Returns the refusal that a thrown value is.
#[must_use]
pub fn refused(thrown: &JsValue) -> CallError {
    CallError::Refused(error_text(thrown))
}

/// Returns 64 random bits. Not to be called in global scope, where the runtime has none.
#[must_use]
pub fn random_bits() -> u64 {
    let mut bytes = [0; 8];
    // The runtime's source does not fail in a handler; were it to, the time still tells most calls apart.
    match getrandom::getrandom(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => RuntimeClock.now_ms(),
    }
}
