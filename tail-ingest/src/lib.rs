//! The tail Worker: trace events in, queue messages out. It normalizes and publishes; storing is log-writer's work.
//!
//! Nothing here loses an event: what cannot be read is kept as it came, what the queue does not take goes down the ladder
//! to KV, and what KV does not confirm is counted.
//!
//! In reading order, from the handler inwards:
//! - `edge`: the Worker itself, on Wasm only: the handler, the crossing from JavaScript, the bindings;
//! - [`settings`]: what an operator can set;
//! - [`input`]: trace events as JSON text, to records or message bodies;
//! - [`normalize`]: records out of trace events, with their correlation ids, levels and order;
//! - `trace_item`: a trace event, read leniently;
//! - `event`: what happened, one function for each shape of event;
//! - `console`: what a console line says: level, message, data;
//! - `correlation`: the id that ties a record to others;
//! - [`redaction`]: the judge of names and text that must not be stored;
//! - `json`, `json_writer`: the one JSON layer: values walked in place; objects written, secrets redacted;
//! - `ids`: the ids of records;
//! - `pack`, `cut`: records into message bodies, and records that are too large for one;
//! - [`mod@deliver`]: bodies to the queue, else to KV, else counted;
//! - [`ports`]: the queue, KV and the clock, as `deliver` needs them;
//! - [`report`]: the line about a delivery that went wrong.

mod console;
mod correlation;
mod cut;
pub mod deliver;
#[cfg(target_arch = "wasm32")]
pub mod edge;
mod event;
mod ids;
pub mod input;
mod json;
mod json_writer;
pub mod normalize;
mod pack;
pub mod ports;
pub mod redaction;
pub mod report;
pub mod settings;
mod trace_item;

pub use input::{InputError, Normalized, normalize_and_pack, normalize_json, pack_encoded};
pub use normalize::Counts;
pub use pack::Body;
pub use settings::Settings;
