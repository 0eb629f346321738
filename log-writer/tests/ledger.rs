//! The ledger adds up: whatever fails, before or after it has done its work, and wherever the process dies, every
//! record is in D1, in a dead letter, in KV or still on the queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use common::*;
use log_record::DeadLetter;
use log_record::fallback::{BODIES, DEAD_LETTERS, ENVELOPES};
use log_writer::consume::{Verdict, consume};
use log_writer::drain::drain;
use log_writer::ports::Clock as _;
use log_writer::settings::Settings;
use log_writer::settle::{Body, Inbound};
use proptest::collection::vec;
use proptest::prelude::*;

fn fault() -> impl Strategy<Value = Fault> {
    let text = prop_oneof![
        4 => Just(LOCKED),
        1 => Just(OVERLOADED),
        1 => Just(TOO_MUCH),
        2 => Just(NEW),
        1 => Just("D1_ERROR: no such table: tail_logs: SQLITE_ERROR"),
        1 => Just("D1_ERROR: Exceeded maximum DB size of an empty database"),
    ];
    prop_oneof![
        4 => Just(Fault::None),
        4 => text.clone().prop_map(Fault::Before),
        2 => text.prop_map(Fault::After),
        1 => Just(Fault::DieBefore),
        1 => Just(Fault::DieAfter),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Good,
    Rejected,
    Undecodable,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![6 => Just(Kind::Good), 2 => Just(Kind::Rejected), 1 => Just(Kind::Undecodable)]
}

/// Message `number`, of four records or of one undecodable body.
fn body(number: usize, kind: Kind) -> String {
    let first = number as u64 * 4;
    match kind {
        Kind::Good => good(first..first + 4),
        Kind::Rejected => envelope(&[
            row(first, "info"),
            bad_row(first + 1),
            row(first + 2, "info"),
            bad_row(first + 3),
        ]),
        Kind::Undecodable => format!("body {number}"),
    }
}

/// Every id (or undecodable body) that is somewhere.
fn everywhere(world: &World, queued: &[Inbound]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = world.store.ids().into_iter().collect();
    for letter in letters(world) {
        found.extend(ids_of_letter(world, &letter));
    }
    for (_, text) in kept(world, DEAD_LETTERS) {
        found.extend(ids_of_letter(world, &DeadLetter::decode(&text).unwrap()));
    }
    for (_, text) in kept(world, ENVELOPES)
        .into_iter()
        .chain(kept(world, BODIES))
    {
        found.extend(ids_of_body(&text));
    }
    for inbound in queued {
        let (Body::Text(body) | Body::Other(body)) = &inbound.body;
        found.extend(ids_of_body(body));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_faults_loses_a_record(
        kinds in vec(kind(), 1..8),
        fallen in vec(kind(), 0..4),
        store in vec(fault(), 0..40),
        queue in vec(fault(), 0..12),
        kv in vec(fault(), 0..20),
        batch_size in 1_usize..8,
        max_attempts in 2_u32..6,
    ) {
        let settings = Settings { max_attempts, ..Settings::default() };
        let world = world();
        let mut queued: Vec<Inbound> = kinds
            .iter()
            .enumerate()
            .map(|(number, kind)| message(number, 0, body(number, *kind)))
            .collect();
        for (n, kind) in fallen.iter().enumerate() {
            let key = format!("{ENVELOPES}2026-11-23T17:00:00.000Z-fallen{n}");
            world.kv.values.borrow_mut().insert(key, body(100 + n, *kind));
        }
        let all = everywhere(&world, &queued);
        world.store.faults.set(store);
        world.queue.faults.set(queue);
        world.kv.faults.set(kv);

        let mut healthy_rounds = 0;
        while healthy_rounds < 3 {
            let faults = [&world.store.faults, &world.queue.faults, &world.kv.faults];
            if faults.iter().all(|faults| faults.left() == 0) {
                healthy_rounds += 1;
            } else if queued.is_empty() && kept(&world, "").is_empty() {
                break; // nothing is left that could fail
            }
            // A delivery; when the process dies, no verdict reaches the queue.
            let size = batch_size.min(queued.len());
            let mut batch: Vec<Inbound> = queued.drain(..size).collect();
            for inbound in &mut batch {
                inbound.attempts += 1;
            }
            match run(consume(&world, &settings, &batch)) {
                None => queued.extend(batch),
                Some((verdicts, _)) => {
                    prop_assert_eq!(verdicts.len(), batch.len());
                    for (inbound, verdict) in batch.into_iter().zip(verdicts) {
                        if verdict != Verdict::Ack {
                            queued.push(inbound);
                        }
                    }
                }
            }
            let found = everywhere(&world, &queued);
            prop_assert!(all.is_subset(&found), "lost: {:?}", all.difference(&found));
            // A drain in between.
            let _ends_or_dies = run(drain(&world, &settings));
            let found = everywhere(&world, &queued);
            prop_assert!(all.is_subset(&found), "lost: {:?}", all.difference(&found));
            world.clock.now_ms.set(world.clock.now_ms() + 1000);
        }

        for faults in [&world.store.faults, &world.queue.faults, &world.kv.faults] {
            faults.heal();
        }
        // Healthy again, everything has come to rest: in D1, or on the dead-letter queue.
        while !queued.is_empty() {
            let (verdicts, _) = consumed(&world, &settings, &queued);
            let mut verdicts = verdicts.into_iter();
            queued.retain(|_| verdicts.next().unwrap() != Verdict::Ack);
        }
        run(drain(&world, &settings)).unwrap();
        prop_assert_eq!(kept(&world, ENVELOPES).len() + kept(&world, DEAD_LETTERS).len(), 0);
        let found = everywhere(&world, &[]);
        prop_assert_eq!(&all, &found);
        // Good records are dead letters only when their attempts were used up.
        let stored: BTreeSet<String> = world.store.ids().into_iter().collect();
        let buried: BTreeSet<String> = letters(&world)
            .iter()
            .filter(|letter| letter.reason == log_record::Reason::RetriesExhausted)
            .flat_map(|letter| ids_of_letter(&world, letter))
            .collect();
        for (number, kind) in kinds.iter().enumerate() {
            for n in 0..4 {
                let id = id(number as u64 * 4 + n);
                if matches!(kind, Kind::Good) || (matches!(kind, Kind::Rejected) && n % 2 == 0) {
                    prop_assert!(stored.contains(&id) || buried.contains(&id), "{}", id);
                }
            }
        }
    }
}
