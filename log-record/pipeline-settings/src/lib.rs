//! The one table of the pipeline's settings. Both Workers read their `vars` by it, `cargo xtask deploy` and `dev` check
//! `tailrace.toml` against it, and `docs/configuration.md` shows it.
//!
//! - [`table`]: the settings, each with its Worker, default and meaning;
//! - [`values`]: the values that a setting takes;
//! - [`list`]: settings that are lists of names.

pub mod list;
pub mod table;
pub mod values;

pub use table::{SETTINGS, Setting, Worker};
pub use values::Values;
