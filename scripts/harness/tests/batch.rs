//! The largest batches, and batches that cannot be read: what the real runtime cannot be made to show, around the built
//! log-writer in Node.
#![allow(clippy::unwrap_used)]

use checkout::Workspace;
use harness::run_node_tests;

#[test]
fn full_batches_fit_and_unreadable_ones_are_not_acked() {
    run_node_tests(&Workspace::find().unwrap(), "log_writer_batch.mjs").unwrap();
}
