//! The Workers runtime: the handlers, written by hand. `worker`'s own macros hide a message's `attempts` and panic on an
//! error, which resets the whole Wasm instance; its wrappers of messages and of D1 panic on some failures. So messages and
//! D1 are `worker::worker_sys`'s, whose methods all answer with an error, and the rest is `worker`'s.

mod d1;
mod dead_letter_queue;
mod kv;
mod message;

use std::cell::Cell;

use wasm_bindgen::prelude::*;
use worker::Env;
use worker::worker_sys::MessageBatch;
use worker_runtime::edge::{RuntimeClock, print_line, print_malformed, read_var};

use self::d1::D1;
use self::dead_letter_queue::Dlq;
use self::kv::Kv;
use self::message::Messages;
use crate::batch::process_batch;
use crate::cron::run_cron;
use crate::ports::Platform;
use crate::settings::Settings;

/// The queue's handler: `queue(batch, env, ctx)`.
///
/// # Errors
/// The batch cannot be read, or a verdict is not taken: what is not retried counts as acked where the handler resolves, so
/// it rejects, and the queue delivers again whatever is not acked by then. (The local runtime delivers all of it again.)
#[wasm_bindgen]
pub async fn queue(batch: MessageBatch, env: Env, _context: JsValue) -> Result<(), JsValue> {
    let messages = Messages::new(&batch)?;
    let (verdicts, stats) = process_batch(&platform(&env), &settings(&env), &messages).await;
    print_line(&stats.to_line());
    messages.give_verdicts(&verdicts)
}

/// The cron's handler: `scheduled(controller, env, ctx)`.
#[wasm_bindgen]
pub async fn scheduled(_controller: JsValue, env: Env, _context: JsValue) {
    let stats = run_cron(&platform(&env), &settings(&env)).await;
    stats.to_lines().iter().for_each(print_line);
}

fn platform(env: &Env) -> Platform<D1, Dlq, Kv, RuntimeClock> {
    Platform {
        store: D1::new(env),
        queue: Dlq::new(env),
        kv: Kv::new(env),
        clock: RuntimeClock,
    }
}

thread_local! {
    /// This isolate has said which settings are malformed. They do not change while it lives.
    static HAS_WARNED: Cell<bool> = const { Cell::new(false) };
}

fn settings(env: &Env) -> Settings {
    let (settings, malformed) = Settings::read(|name| read_var(env, name));
    if !HAS_WARNED.replace(true) {
        print_malformed(&malformed);
    }
    settings
}
