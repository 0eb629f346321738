//! A short soak; `cargo xtask soak` runs the long one.
#![allow(clippy::unwrap_used)]

use e2e::soak::{Options, run};

#[test]
fn every_record_is_in_exactly_one_place_after_faults() {
    let ledger = run(&Options {
        lines: 10_000,
        lines_per_request: 50,
        concurrency: 8,
        seed: 7,
    })
    .unwrap();
    assert!(ledger.adds_up(), "\n{ledger}");
    assert!(ledger.locks > 0, "no fault was in its way\n{ledger}");
}
