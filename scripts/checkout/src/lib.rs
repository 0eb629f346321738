//! A checkout of the project and what runs in it. `cargo xtask` is built on it, and so are the harness of the
//! end-to-end tests and the bench; it needs no database library, so that set-up begins soon.
//!
//! In reading order:
//! - [`workspace`]: where things are in a checkout, and the pinned tools;
//! - [`fingerprint`]: what something was made from;
//! - [`config`]: Worker configurations, read from `wrangler/`, varied and rendered;
//! - [`dev_server`]: one `wrangler dev` with several Workers;
//! - [`npm`]: packages that a lockfile pins;
//! - [`process`]: child processes that take their whole process group with them;
//! - [`scratch`]: temporary folders that are removed in any case;
//! - [`lock`]: a file that says who uses something;
//! - [`interrupt`]: what happens on SIGINT, SIGTERM and SIGHUP;
//! - [`group`]: who is in a process group; `registry`: what this process has to clean up;
//! - [`mod@poll`]: waiting with a deadline.

pub mod config;
pub mod dev_server;
pub mod fingerprint;
pub mod group;
pub mod interrupt;
pub mod lock;
pub mod npm;
pub mod poll;
pub mod process;
mod registry;
pub mod scratch;
pub mod workspace;

pub use config::WorkerConfig;
pub use fingerprint::Fingerprint;
pub use poll::{poll, wait_for};
pub use scratch::Scratch;
pub use workspace::Workspace;
