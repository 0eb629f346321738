//! `replay` of the dead-letter queue as a user runs it, against a stand-in whose queues lease, expire, redeliver and fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bodies;
mod broken_pipe;
mod choice;
mod copies;
mod ctrl_c;
mod export;
mod faults;
mod last_delivery;
mod peek;
mod redelivery;
