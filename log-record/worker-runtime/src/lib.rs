//! The parts that both Workers need, once: `tail-ingest` and `log-writer` are built on it alike.
//!
//! In reading order:
//! - [`settings`]: reads a Worker's `vars`; a malformed one keeps its default and is named;
//! - [`clock`]: the time and a timer, as a value that tests replace;
//! - [`deadline`]: bounds an outside call, since silence is an answer;
//! - [`call_error`]: why an outside call did not do its work;
//! - [`retry`]: the delays between tries;
//! - [`timestamp`]: milliseconds since 1970 as ISO-8601 text, and back;
//! - [`log_line`]: the one shape of what the Workers say about themselves;
//! - `edge`: the runtime itself, on Wasm only: console, vars, timer, randomness, error texts;
//! - `testing`: a clock over tokio's paused time, for native tests (feature `testing`).

pub mod call_error;
pub mod clock;
pub mod deadline;
#[cfg(target_arch = "wasm32")]
pub mod edge;
pub mod log_line;
pub mod retry;
pub mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timestamp;

pub use call_error::CallError;
pub use clock::Clock;
pub use deadline::within;
pub use log_line::LogLine;
pub use settings::{Malformed, SettingsReader};
