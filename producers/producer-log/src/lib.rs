//! Structured logging with a correlation id, for Workers in Rust: what a producer writes so that Tailrace can file it.
//!
//! A line is one JSON object on the console method of its level:
//! `{"level":"info","message":"…","correlation_id":"…","worker":"…","context":{…}}`. Nothing is sent anywhere from
//! here: the runtime hands the console to `tail-ingest`, which reads these keys.
//!
//! In reading order:
//! - [`correlation`]: the header, and how a request gets its id;
//! - [`mod@line`]: the levels and the JSON of one line;
//! - [`logger`]: [`Logger`], bound to a Worker and a correlation id, and where it writes;
//! - `js`: the runtime's console and UUIDs (in a Worker only).
//!
//! ```
//! use producer_log::{Lines, Logger, correlation};
//!
//! let console = Lines::default(); // in a Worker: `producer_log::JsConsole`
//! let id = correlation::accept_or(Some("order-4711"), || "a new UUID".to_owned());
//! let log = Logger::new(&console, "my-worker", id);
//! log.info("order taken", &serde_json::json!({"items": 3}));
//! assert!(console.take()[0].1.contains(r#""correlation_id":"order-4711""#));
//! ```

pub mod correlation;
#[cfg(target_arch = "wasm32")]
mod js;
pub mod line;
pub mod logger;

#[cfg(target_arch = "wasm32")]
pub use js::{JsConsole, random_uuid};
pub use line::Level;
pub use logger::{Console, Lines, Logger};

/// The snippets of the documentation, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/correlation-ids.md")]
struct CorrelationIds;
