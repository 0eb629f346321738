//! The operator's tool: search, trace, measure and replay what Tailrace keeps.
//!
//! It reads D1 and brings dead letters back through the Cloudflare REST API, or through the local runtime's explorer,
//! which answers the same shapes. It deploys nothing: that is `cargo xtask deploy`.
//!
//! In reading order:
//! - [`cli`]: commands, options and their help;
//! - [`error`]: what can go wrong, the next step to take, and the exit code;
//! - [`checkout`], [`config`], [`place`]: the installation that is meant;
//! - [`credentials`]: the credential, from the environment or wrangler's login;
//! - [`cache`]: ids that were looked up before;
//! - [`retry`]: when a call is made again (the one user of `backoff`);
//! - [`client`]: the API: D1, KV and queues;
//! - [`record`]: a stored row as it is read back; [`raw`]: JSON as it was logged; [`letter`]: a dead letter;
//! - [`query`]: the query language: which records are meant;
//! - [`sql`]: every query, with bound parameters;
//! - [`slices`]: a long window of time in parts;
//! - [`search`]: the rows that match a filter;
//! - [`archive`]: the records that D1 does not hold;
//! - [`merge`]: both as one;
//! - [`ids`]: ids as people have them;
//! - [`time`]: times as people write and read them;
//! - [`output`]: colours, widths and text that is safe to print; [`counter`]: progress; [`interrupts`]: Ctrl-C;
//! - [`histogram`]: exact percentiles from counted values;
//! - [`commands`]: one file per command.

pub mod archive;
pub mod cache;
pub mod checkout;
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod counter;
pub mod credentials;
pub mod error;
pub mod histogram;
pub mod ids;
pub mod interrupts;
pub mod letter;
pub mod merge;
pub mod output;
pub mod place;
pub mod query;
pub mod raw;
pub mod record;
pub mod retry;
pub mod search;
pub mod slices;
pub mod sql;
pub mod time;

pub use error::Error;
