//! Runs Tailrace's Workers in the real local runtime (`wrangler dev`, workerd) and watches them from outside.
//!
//! `cargo xtask dev` starts the system with it, the tests under `tests/` and the benchmarks drive and read it.
//! But for `node/`, nothing here stands in for a part of the platform: D1, queues, KV and tail events are workerd's own.
//!
//! In reading order:
//! - [`workspace`]: where things are in a checkout, and the pinned tools;
//! - [`process`]: a child process that takes its whole process group with it;
//! - [`config`]: Worker configurations, read from `wrangler/` and varied for a test;
//! - [`dev_server`]: one `wrangler dev` with several Workers;
//! - [`system`]: the five Workers with a temporary state of their own;
//! - [`probes`]: Workers of the tests' own: one that makes load and messages, one that reads dead letters;
//! - [`database`]: the rows of `tail_logs`, read from D1's SQLite file;
//! - [`node`]: tests in JavaScript, for built Workers in Node, where the real runtime cannot show a fault;
//! - [`soak`]: load and faults together, and where every record ended;
//! - [`mod@poll`]: waiting with a deadline.

pub mod config;
pub mod database;
pub mod dev_server;
pub mod node;
pub mod poll;
pub mod probes;
pub mod process;
pub mod soak;
pub mod system;
pub mod workspace;

pub use config::WorkerConfig;
pub use database::{Database, Row};
pub use node::run_node_tests;
pub use poll::{poll, wait_for};
pub use system::{System, SystemBuilder};
pub use workspace::Workspace;
