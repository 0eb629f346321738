//! Short soaks; `cargo xtask soak` runs the long ones.
#![allow(clippy::unwrap_used)]

use harness::soak::{Options, run};
use log_record::archive::Rows;

fn soak(archive: Option<Rows>) {
    let ledger = run(&Options {
        lines: 10_000,
        lines_per_request: 50,
        concurrency: 8,
        seed: 7,
        archive,
    })
    .unwrap();
    assert!(ledger.adds_up(), "\n{ledger}");
    assert!(ledger.locks > 0, "no fault was in its way\n{ledger}");
    assert_eq!(ledger.objects > 0, archive.is_some(), "\n{ledger}");
    println!("{ledger}");
}

#[test]
fn every_record_is_in_exactly_one_place_after_faults() {
    soak(None);
}

#[test]
fn with_every_record_a_row_the_archive_misses_none() {
    soak(Some(Rows::All));
}

#[test]
fn with_an_index_every_record_is_a_row_or_in_the_archive() {
    soak(Some(Rows::Index));
}
