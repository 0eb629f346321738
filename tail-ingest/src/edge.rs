//! The Worker: the only code here that touches the runtime. `glue` brings the events across, [`ports`] takes the bodies
//! away. What happens between is in the other modules.
//!
//! It says nothing as long as all is well, since it runs after every request of every Worker. One warning for each
//! malformed setting, once in the life of an isolate; and one line for each call whose records the queue did not take:
//! a warning where KV keeps them, an error with the number not confirmed where it does not (see `report`).

use std::cell::RefCell;

use wasm_bindgen::prelude::*;
use worker::{Context, Env, Method, Request, Response, event};
use worker_runtime::Clock as _;
use worker_runtime::edge::{RuntimeClock, print_line, print_malformed, random_bits, read_var};

use crate::deliver::deliver;
use crate::ids::Random;
use crate::input::pack_encoded;
use crate::report::{delivery_line, unreadable_line, unwritable_line};
use crate::settings::Settings;

mod glue;
mod ports;

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
/// Returns a promise that the runtime waits for and that is always fulfilled.
#[wasm_bindgen]
pub async fn tail(events: JsValue) {
    let started_ms = RuntimeClock.now_ms();
    let env = ENV.with(Env::clone);
    let bodies = ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.get_or_insert_with(|| Isolate::new(&env));
        let seed = isolate.seeds.number();
        let events = glue::encode_events(&events);
        pack_encoded(&events, &isolate.settings, seed, started_ms)
    });
    let bodies = match bodies {
        Ok(normalized) => {
            unwritable_line(&normalized.counts)
                .iter()
                .for_each(print_line);
            normalized.bodies
        }
        Err(error) => {
            print_line(&unreadable_line(&error));
            return;
        }
    };
    // If the isolate dies from here on, the bodies not yet taken are gone; see `deliver`.
    let delivery = deliver(&ports::RuntimePorts::new(env), &bodies, started_ms).await;
    if let Some(line) = delivery_line(&delivery) {
        print_line(&line);
    }
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
