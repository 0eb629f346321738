//! What fell into KV comes back: into D1, or onto the dead-letter queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::*;
use log_record::fallback::{DEAD_LETTERS, ENVELOPES};
use log_record::{DeadLetter, Reason};
use log_writer::consume::consume;
use log_writer::drain::{Drained, drain};
use log_writer::settings::{Route, Settings};

fn drained(world: &World, settings: &Settings) -> Drained {
    run(drain(world, settings)).expect("the process died")
}

fn put(world: &World, number: usize, body: String) {
    let key = format!("{ENVELOPES}2026-11-23T17:00:00.{number:03}Z-uuid{number}");
    world.kv.values.borrow_mut().insert(key, body);
}

#[test]
fn envelopes_go_to_d1_and_their_keys_with_them() {
    let world = world();
    for n in 0..50_usize {
        put(&world, n, good(n as u64 * 10..n as u64 * 10 + 10));
    }
    let drained = drained(&world, &Settings::default());
    assert_eq!((rows(&world), kept(&world, "").len()), (500, 0));
    assert_eq!((drained.envelopes, drained.more), (50, false));
    assert!(
        drained
            .line()
            .starts_with(r#"{"event":"drain","messages":50,"records":500,"#)
    );
}

#[test]
fn an_empty_fallback_costs_no_call_to_d1() {
    let world = world();
    let drained = drained(&world, &Settings::default());
    assert_eq!(drained, Drained::default());
    assert_eq!(world.store.calls.borrow().len(), 0);
}

#[test]
fn a_run_is_bounded_and_the_next_one_goes_on() {
    let world = world();
    for n in 0..450_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
    }
    let settings = Settings::default();
    let left: Vec<(usize, bool)> = (0..3)
        .map(|_| {
            let more = drained(&world, &settings).more;
            (kept(&world, "").len(), more)
        })
        .collect();
    assert_eq!(left, [(250, true), (50, true), (0, false)]);
    assert_eq!(rows(&world), 450);
}

#[test]
fn while_d1_is_ill_every_key_stays() {
    let world = world();
    put(&world, 1, good(0..10));
    world.store.faults.always(LOCKED);
    let ill = drained(&world, &Settings::default());
    assert_eq!(
        (kept(&world, "").len(), ill.envelopes, ill.more),
        (1, 0, true)
    );
    world.store.faults.heal();
    drained(&world, &Settings::default());
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 0));
}

#[test]
fn a_key_goes_only_after_its_records_are_in() {
    let world = world();
    put(&world, 1, good(0..10));
    world.store.faults.set([Fault::DieAfter]);
    assert_eq!(run(drain(&world, &Settings::default())), None);
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 1));
    let again = drained(&world, &Settings::default());
    assert_eq!((again.tally.rows_inserted, again.tally.duplicates), (0, 10));
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 0));
}

#[test]
fn two_drains_of_the_same_keys_do_no_harm() {
    let world = world();
    put(&world, 1, good(0..10));
    // The first one has written and is about to delete; the second one does all of it.
    world
        .kv
        .faults
        .set([Fault::None, Fault::None, Fault::DieBefore]);
    assert_eq!(run(drain(&world, &Settings::default())), None);
    drained(&world, &Settings::default());
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 0));
    // And a key that is gone by the time it is read is no trouble.
    put(&world, 2, good(10..20));
    let key = kept(&world, "")[0].0.clone();
    world.kv.faults.set([Fault::None, Fault::DieBefore]);
    assert_eq!(run(drain(&world, &Settings::default())), None);
    world.kv.values.borrow_mut().remove(&key);
    assert!(!drained(&world, &Settings::default()).tally.is_trouble());
}

#[test]
fn what_cannot_be_stored_is_a_dead_letter_and_leaves_kv() {
    let world = world();
    put(&world, 1, "no JSON".to_owned());
    put(&world, 2, envelope(&[row(1, "info"), bad_row(2)]));
    drained(&world, &Settings::default());
    assert_eq!((rows(&world), kept(&world, "").len()), (1, 0));
    let reasons: Vec<Reason> = letters(&world).iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, [Reason::Undecodable, Reason::Rejected]);
}

#[test]
fn a_record_that_fails_in_an_unknown_way_delays_no_other_and_is_a_dead_letter_after_a_day() {
    let world = world();
    world.store.execute(
        "CREATE TRIGGER odd BEFORE INSERT ON tail_logs WHEN NEW.message = 'line 3' \
         BEGIN SELECT RAISE(ABORT, 'very odd'); END",
    );
    for n in 0..50_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
    }
    let settings = Settings::default();
    let first = drained(&world, &settings);
    assert_eq!(
        (rows(&world), kept(&world, "").len(), first.more),
        (49, 1, true)
    );
    world.clock.now_ms.set(NOW_MS + 22 * 60 * 60 * 1000);
    drained(&world, &settings);
    assert_eq!((kept(&world, "").len(), letters(&world).len()), (1, 0));
    world.clock.now_ms.set(NOW_MS + 24 * 60 * 60 * 1000);
    drained(&world, &settings);
    assert_eq!((rows(&world), kept(&world, "").len()), (49, 0));
    let letters = letters(&world);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, Reason::RetriesExhausted);
    assert_eq!(ids_of_letter(&world, &letters[0]), [id(3)]);
}

#[test]
fn a_letter_that_the_queue_refuses_holds_up_no_other() {
    let world = world();
    world.queue.faults.always("queue is down");
    let settings = Settings::default();
    let batch: Vec<_> = (0..6).map(|n| message(n, 1, format!("body {n}"))).collect();
    run(consume(&world, &settings, &batch)).unwrap();
    world.queue.faults.set([Fault::Before("not this one")]);
    assert_eq!(drained(&world, &settings).letters_moved, 5);
    assert_eq!((letters(&world).len(), kept(&world, "").len()), (5, 1));
}

#[test]
fn parked_dead_letters_move_to_their_queue_when_it_takes_them_again() {
    let world = world();
    let settings = Settings::default();
    world.queue.faults.always("queue is down");
    run(consume(
        &world,
        &settings,
        &[message(1, 1, "no JSON"), message(2, 1, "nor this")],
    ))
    .unwrap();
    let before = kept(&world, DEAD_LETTERS);
    assert_eq!(before.len(), 2);
    let ill = drained(&world, &settings);
    assert_eq!(
        (
            kept(&world, DEAD_LETTERS).len(),
            ill.letters_moved,
            ill.more
        ),
        (2, 0, true)
    );
    world.queue.faults.heal();
    assert_eq!(drained(&world, &settings).letters_moved, 2);
    assert_eq!(kept(&world, "").len(), 0);
    let moved: Vec<String> = before.into_iter().map(|(_, text)| text).collect();
    assert_eq!(*world.queue.sent.borrow(), moved);
    assert!(DeadLetter::decode(&moved[0]).is_ok());
}

#[test]
fn in_local_development_parked_dead_letters_stay_in_kv() {
    let world = world();
    let settings = Settings {
        dead_letters: Route::Kv,
        ..Settings::default()
    };
    run(consume(&world, &settings, &[message(1, 1, "no JSON")])).unwrap();
    drained(&world, &settings);
    assert_eq!(
        (kept(&world, DEAD_LETTERS).len(), letters(&world).len()),
        (1, 0)
    );
}

#[test]
fn when_kv_does_not_answer_the_run_says_so() {
    let world = world();
    put(&world, 1, good(0..10));
    world.kv.faults.set([Fault::Before("KV is down")]);
    let drained = drained(&world, &Settings::default());
    assert!(drained.more && drained.tally.is_trouble());
    assert_eq!(kept(&world, "").len(), 1);
}
