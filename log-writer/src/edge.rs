//! The Workers runtime: the handlers, written by hand. `worker`'s own macros hide a message's `attempts` and panic on an
//! error, which resets the whole Wasm instance; its wrappers of messages, of D1 and of R2 panic on some failures or copy what
//! they need not. So these are `worker::worker_sys`'s, whose methods all answer with an error, and the rest is `worker`'s.

mod d1;
mod dead_letter_queue;
mod kv;
mod message;
mod r2;

use std::cell::Cell;

use wasm_bindgen::prelude::*;
use worker::Env;
use worker::worker_sys::MessageBatch;
use worker_runtime::edge::{RuntimeClock, print_line, print_malformed, read_var};

use self::d1::D1;
use self::dead_letter_queue::Dlq;
use self::kv::Kv;
use self::message::Messages;
use self::r2::R2;
use crate::batch::process_batch;
use crate::cron::run_cron;
use crate::ports::{Bucket as _, Platform};
use crate::settings::Settings;

/// The queue's handler: `queue(batch, env, ctx)`.
///
/// # Errors
/// The batch cannot be read, or a verdict is not taken: what is not retried counts as acked where the handler resolves, so
/// it rejects, and the queue delivers again whatever is not acked by then. (The local runtime delivers all of it again.)
#[wasm_bindgen]
pub async fn queue(batch: MessageBatch, env: Env, _context: JsValue) -> Result<(), JsValue> {
    let messages = Messages::new(&batch)?;
    let platform = platform(&env);
    let settings = settings(&env, &platform.bucket);
    let (verdicts, stats) = process_batch(&platform, &settings, &messages).await;
    print_line(&stats.to_line());
    messages.give_verdicts(&verdicts)
}

/// The cron's handler: `scheduled(controller, env, ctx)`.
#[wasm_bindgen]
pub async fn scheduled(_controller: JsValue, env: Env, _context: JsValue) {
    let platform = platform(&env);
    let stats = run_cron(&platform, &settings(&env, &platform.bucket)).await;
    stats.to_lines().iter().for_each(print_line);
}

fn platform(env: &Env) -> Platform<D1, Dlq, Kv, R2, RuntimeClock> {
    Platform {
        store: D1::new(env),
        queue: Dlq::new(env),
        kv: Kv::new(env),
        bucket: R2::new(env),
        clock: RuntimeClock,
    }
}

thread_local! {
    /// This isolate has said which settings are malformed. They do not change while it lives.
    static HAS_WARNED: Cell<bool> = const { Cell::new(false) };
}

fn settings(env: &Env, bucket: &R2) -> Settings {
    let (mut settings, malformed) = Settings::read(|name| read_var(env, name));
    let missing = if bucket.is_bound() {
        None
    } else {
        settings.without_archive()
    };
    if !HAS_WARNED.replace(true) {
        print_malformed(&malformed);
        missing.iter().for_each(print_line);
    }
    settings
}
