//! The operator's tool: search, trace, measure and replay what Tailrace keeps.
//!
//! It reads D1 and brings dead letters back through the Cloudflare REST API, or through the local runtime's explorer,
//! which answers the same shapes. It deploys nothing: that is `cargo xtask deploy`.
//!
//! In reading order:
//! - [`cli`]: commands, options and their help;
//! - [`error`]: what can go wrong, the next step to take, and the exit code;
//! - [`credentials`]: the API token and the account, from the environment or wrangler's login;
//! - [`retry`]: when a call is made again (the one user of `backoff`);
//! - [`client`]: the API: D1, KV and queues;
//! - [`record`]: a stored row as it is read back;
//! - [`sql`]: every query, with bound parameters;
//! - [`time`]: times as people write and read them;
//! - [`output`]: colours, widths and text that is safe to print;
//! - [`histogram`]: exact percentiles from counted values;
//! - [`commands`]: one file per command.

pub mod cli;
pub mod client;
pub mod commands;
pub mod credentials;
pub mod error;
pub mod histogram;
pub mod output;
pub mod record;
pub mod retry;
pub mod sql;
pub mod time;

pub use error::Error;
