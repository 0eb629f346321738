//! The Worker: the only code here that touches the runtime. `glue` brings the events across, [`ports`] takes the bodies
//! away. What happens between is in the other modules.
//!
//! It says nothing as long as all is well, since it runs after every request of every Worker. One warning for each
//! malformed setting, once in the life of an isolate; and one line for each call whose records the queue did not take:
//! a warning where KV keeps them, an error with the number not confirmed where it does not (see `report`).

use std::cell::RefCell;

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::{Context, Env, Method, Request, Response, event};
use worker_runtime::Clock as _;
use worker_runtime::edge::{RuntimeClock, print_line, print_malformed, random_bits, read_var};

use crate::deliver::{SEND_MS, deliver, send_groups};
use crate::ids::Random;
use crate::input::pack_encoded;
use crate::pack::Body;
use crate::report::{delivery_line, unreadable_line, unwritable_line};
use crate::settings::Settings;

mod glue;
mod ports;

use ports::{RuntimePorts, read_answer};

#[wasm_bindgen(module = "cloudflare:workers")]
extern "C" {
    // A tail handler is called with the events alone.
    #[wasm_bindgen(thread_local_v2, js_name = env)]
    static ENV: Env;
}

/// State that lives as long as the isolate. Nothing in here belongs to a call.
struct Isolate {
    settings: Settings,
    /// Seeds for the calls; itself seeded in the first one, since there is no randomness outside of handlers.
    seeds: Random,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

impl Isolate {
    fn new(env: &Env) -> Self {
        let (settings, malformed) = Settings::read(|name| read_var(env, name));
        print_malformed(&malformed);
        Self {
            settings,
            seeds: Random::new(random_bits()),
        }
    }
}

/// The tail handler: called by the runtime with the trace events of Workers that name this one in `tail_consumers`.
/// Returns a promise that the runtime waits for and that is always fulfilled; nothing where there is nothing to send.
///
/// All but the wait for the queue's answer is done before it returns: an `async fn` would begin in a later turn.
#[wasm_bindgen]
#[must_use]
pub fn tail(events: &JsValue) -> Option<Promise> {
    let started_ms = RuntimeClock.now_ms();
    let env = ENV.with(Env::clone);
    let normalized = ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.get_or_insert_with(|| Isolate::new(&env));
        let seed = isolate.seeds.number();
        let events = glue::encode_events(events);
        pack_encoded(&events, &isolate.settings, seed, started_ms)
    });
    match normalized {
        Ok(normalized) => {
            unwritable_line(&normalized.counts)
                .iter()
                .for_each(print_line);
            send(RuntimePorts::new(env), normalized.bodies, started_ms)
        }
        Err(error) => {
            print_line(&unreadable_line(&error));
            None
        }
    }
}

/// Sends `bodies` down the ladder. Returns a promise of the end of it, which is always fulfilled.
///
/// The first send begins here, and nearly every delivery is over with its answer: one function that JavaScript calls with
/// it is all that is left to do. Any other goes on as a future.
fn send(ports: RuntimePorts, bodies: Vec<Body>, started_ms: u64) -> Option<Promise> {
    let first = send_groups(&bodies).next()?;
    let is_all = first.len() == bodies.len();
    // If the isolate dies from here on, the bodies not yet taken are gone; see `deliver`.
    let sent = ports.begin_send(first, SEND_MS);
    let go_on = move |answer| {
        future_to_promise(async move {
            let delivery = deliver(&ports, &bodies, started_ms, Some(answer)).await;
            if let Some(line) = delivery_line(&delivery) {
                print_line(&line);
            }
            Ok(JsValue::UNDEFINED)
        })
    };
    Some(match sent {
        Ok(sent) => sent.then(Closure::once_into_js(move |answer: JsValue| {
            let answer = read_answer(&answer, SEND_MS);
            (answer.is_err() || !is_all).then(|| go_on(answer))
        })),
        Err(error) => go_on(Err(error)),
    })
}

/// Answers `OK` to a GET: the Worker is up, and nothing else is to be had from it.
#[event(fetch)]
async fn fetch(request: Request, _env: Env, _context: Context) -> worker::Result<Response> {
    match request.method() {
        Method::Get | Method::Head => Response::ok("OK"),
        _ => {
            let response = Response::error("GET only", 405)?;
            response.headers().set("allow", "GET, HEAD")?;
            Ok(response)
        }
    }
}
