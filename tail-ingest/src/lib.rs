//! The tail Worker: trace events in, queue messages out. It normalizes and publishes; storing is log-writer's work.
//!
//! Nothing here loses an event: what cannot be read is kept as it came, what the queue does not take goes down the ladder
//! to KV, and what KV does not confirm is counted.
//!
//! In reading order:
//! - `frame`: trace events as the Worker's glue hands them over;
//! - [`input`]: trace events as JSON text, for `tailrace normalize` and tests;
//! - `trace`: a trace event, read leniently;
//! - `event`: what happened, one function for each shape of event;
//! - `console`: what a console line says;
//! - [`normalize`]: records out of these, with their correlation ids, levels and order;
//! - `ids`, `timestamp`: what a record is called and when it was;
//! - [`redact`], `clean`: what must not be stored, and JSON without it;
//! - [`redaction`]: the judge of names and text that takes the place of these two;
//! - `cut`: records too large for a message;
//! - `pack`: records into message bodies;
//! - [`mod@deliver`]: bodies to the queue, else to KV, else counted;
//! - [`ports`]: the queue, KV and the clock, as `deliver` needs them;
//! - [`report`]: the line about a delivery that went wrong;
//! - [`settings`]: what an operator can set;
//! - `json`: tokens of JSON text; `scan`: the usual text in one pass;
//! - `edge`: the Worker itself, on Wasm only.

mod clean;
mod console;
mod cut;
pub mod deliver;
#[cfg(target_arch = "wasm32")]
pub mod edge;
mod event;
mod frame;
mod ids;
pub mod input;
mod json;
pub mod normalize;
mod pack;
pub mod ports;
pub mod redact;
pub mod redaction;
pub mod report;
mod scan;
pub mod settings;
mod timestamp;
mod trace;

pub use frame::Frame;
pub use input::{Frames, InputError, Normalized, normalize_and_pack, normalize_json};
pub use normalize::Counts;
pub use pack::Body;
pub use settings::Settings;
