//! Runs Tailrace's Workers in the real local runtime (`wrangler dev`, workerd) and watches them from outside.
//!
//! The tests under `tests/` and the benchmarks drive and read the system with it. But for `node/`, nothing here stands in
//! for a part of the platform: D1, queues, KV and tail events are workerd's own.
//!
//! In reading order:
//! - [`system`]: the five Workers with a temporary state of their own;
//! - [`probes`]: Workers of the tests' own: one that makes load and messages, one that reads dead letters;
//! - [`archive`]: the objects in R2 and their catalog;
//! - [`database`]: the rows of `tail_logs`, read from D1's SQLite file;
//! - [`node`]: tests in JavaScript, for built Workers in Node, where the real runtime cannot show a fault;
//! - [`soak`]: load and faults together, and where every record ended;
//! - [`tool`]: the operator's tool and its page.
//!
//! The crate `checkout` has what these start: the pinned wrangler, processes and folders that leave nothing behind.

pub mod archive;
pub mod database;
pub mod node;
pub mod probes;
pub mod soak;
pub mod system;
pub mod tool;

pub use database::{Database, Row};
pub use node::run_node_tests;
pub use system::{System, SystemBuilder};
pub use tool::{Page, build_tool};
