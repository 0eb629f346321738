//! The ledger adds up: whatever fails, before or after it has done its work, and wherever the process dies, every
//! record is in D1, in the archive, in a dead letter, in KV or still on the queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use common::*;
use log_record::DeadLetter;
use log_record::archive::Rows;
use log_record::fallback::{BODIES, DEAD_LETTERS, ENVELOPES};
use log_writer::batch::{Verdict, process_batch};
use log_writer::cron::run_cron;
use log_writer::message::Message;
use log_writer::settings::Settings;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

fn fault() -> impl Strategy<Value = Fault> {
    let text = prop_oneof![
        4 => Just(LOCKED),
        1 => Just(OVERLOADED),
        1 => Just(TOO_MUCH),
        2 => Just(NEW),
        1 => Just(NO_TABLE),
        1 => Just("D1_ERROR: Exceeded maximum DB size of an empty database"),
    ];
    prop_oneof![
        4 => Just(Fault::None),
        4 => text.clone().prop_map(Fault::Before),
        2 => text.prop_map(Fault::After),
        1 => (1_u64..60_000).prop_map(Fault::Slow),
        1 => Just(Fault::Silent),
        1 => Just(Fault::SilentAfter),
        1 => Just(Fault::DieBefore),
        1 => Just(Fault::DieAfter),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Good,
    Rejected,
    Odd,
    Undecodable,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Kind::Good),
        2 => Just(Kind::Rejected),
        1 => Just(Kind::Odd),
        1 => Just(Kind::Undecodable),
    ]
}

/// Records from this number on fail in a way that nobody knows.
const ODD: u64 = 100_000;

/// Message `number`, of four records or of one undecodable body.
fn body(number: usize, kind: Kind) -> String {
    let first = number as u64 * 4;
    match kind {
        Kind::Good => good(first..first + 4),
        // D1 does not take the second one (see `ODD`), in a way that nobody knows.
        Kind::Odd => {
            let rows: Vec<String> = (0..4)
                .map(|n| row(first + n + ODD * u64::from(n == 1), "info"))
                .collect();
            envelope(&rows)
        }
        Kind::Rejected => envelope(&[
            row(first, "info"),
            bad_row(first + 1),
            row(first + 2, "info"),
            bad_row(first + 3),
        ]),
        Kind::Undecodable => format!("body {number}"),
    }
}

/// Every id in D1, or in an object that the catalog names.
fn stored_ids(world: &World) -> BTreeSet<String> {
    let rows = world.store.ids().into_iter();
    rows.chain(archived(world)).collect()
}

/// Every id (or undecodable body) that is somewhere.
fn everywhere(world: &World, queued: &[Message]) -> BTreeSet<String> {
    let mut found = stored_ids(world);
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
    for message in queued {
        found.extend(ids_of_body(message.body.as_str()));
    }
    found
}

fn paused_runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Everything that a run of the ledger is made of.
#[derive(Clone, Debug)]
struct Case {
    kinds: Vec<Kind>,
    fallen: Vec<Kind>,
    store: Vec<Fault>,
    queue: Vec<Fault>,
    kv: Vec<Fault>,
    bucket: Vec<Fault>,
    /// The rows beside the archive, where there is one: by turns, as while a setting changes.
    archive: Option<[Rows; 2]>,
    batch_size: usize,
    max_attempts: u32,
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
        bucket in vec(fault(), 0..20),
        archive in prop_oneof![
            Just(None),
            Just(Some([Rows::All; 2])),
            Just(Some([Rows::Index; 2])),
            Just(Some([Rows::All, Rows::Index])),
        ],
        batch_size in 1_usize..8,
        max_attempts in 2_u32..6,
    ) {
        let case = Case { kinds, fallen, store, queue, kv, bucket, archive, batch_size, max_attempts };
        paused_runtime().block_on(balance(case))?;
    }
}

fn faults(world: &World) -> impl Iterator<Item = &Faults> {
    let ports = &world.ports;
    let faults = [
        &ports.store.faults,
        &ports.queue.faults,
        &ports.kv.faults,
        &ports.bucket.faults,
    ];
    faults.into_iter()
}

/// Delivers and drains until everything has come to rest, and looks for every record after each step.
async fn balance(case: Case) -> Result<(), TestCaseError> {
    let Case {
        kinds,
        fallen,
        store,
        queue,
        kv,
        bucket,
        archive,
        batch_size,
        max_attempts,
    } = case;
    let [first, second] = archive.unwrap_or_default().map(|rows| Settings {
        max_attempts,
        rows,
        ..Settings::default()
    });
    let mut turns = [&first, &second].into_iter().cycle();
    let world = world();
    world.bucket.is_bound.set(archive.is_some());
    world.store.execute(&format!(
        "CREATE TRIGGER odd BEFORE INSERT ON tail_logs \
         WHEN CAST(substr(NEW.message, 6) AS INTEGER) >= {ODD} BEGIN SELECT RAISE(ABORT, 'very odd'); END"
    ));
    let mut queued: Vec<Message> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| message(number, 0, body(number, *kind)))
        .collect();
    for (n, kind) in fallen.iter().enumerate() {
        let key = format!("{ENVELOPES}2026-11-23T17:00:00.000Z-fallen{n}");
        world
            .kv
            .values
            .borrow_mut()
            .insert(key, body(100 + n, *kind));
    }
    let all = everywhere(&world, &queued);
    world.store.faults.set(store);
    world.queue.faults.set(queue);
    world.kv.faults.set(kv);
    world.bucket.faults.set(bucket);

    let mut healthy_rounds = 0;
    while healthy_rounds < 3 {
        let settings = turns.next().unwrap();
        if faults(&world).all(|faults| faults.left() == 0) {
            healthy_rounds += 1;
        } else if queued.is_empty() && kept(&world, "").is_empty() {
            break; // nothing is left that could fail
        }
        // A delivery; when the process dies, no verdict reaches the queue.
        let size = batch_size.min(queued.len());
        let mut batch: Vec<Message> = queued.drain(..size).collect();
        for message in &mut batch {
            message.attempts += 1;
        }
        match world
            .run(process_batch(&world.ports, settings, batch.as_slice()))
            .await
        {
            None => queued.extend(batch),
            Some((verdicts, _)) => {
                prop_assert_eq!(verdicts.len(), batch.len());
                for (message, verdict) in batch.into_iter().zip(verdicts) {
                    if verdict != Verdict::Ack {
                        queued.push(message);
                    }
                }
            }
        }
        let found = everywhere(&world, &queued);
        prop_assert!(all.is_subset(&found), "lost: {:?}", all.difference(&found));
        // A drain in between.
        let _ends_or_dies = world.run(run_cron(&world.ports, settings)).await;
        let found = everywhere(&world, &queued);
        prop_assert!(all.is_subset(&found), "lost: {:?}", all.difference(&found));
        pass_ms(60 * 60 * 1000).await; // patience with what is odd in KV ends after a day
    }

    faults(&world).for_each(Faults::heal);
    come_to_rest(&world, &second, queued, &all, &kinds).await
}

/// Healthy again, everything comes to rest: in D1, or on the dead-letter queue.
async fn come_to_rest(
    world: &World,
    settings: &Settings,
    mut queued: Vec<Message>,
    all: &BTreeSet<String>,
    kinds: &[Kind],
) -> Result<(), TestCaseError> {
    while !queued.is_empty() {
        for message in &mut queued {
            message.attempts += 1;
        }
        let (verdicts, _) = world.process(settings, &queued).await;
        let mut verdicts = verdicts.into_iter();
        queued.retain(|_| verdicts.next().unwrap() != Verdict::Ack);
    }
    pass_ms(2 * 24 * 60 * 60 * 1000).await; // patience with what is odd is at its end
    world.run(run_cron(&world.ports, settings)).await.unwrap();
    prop_assert_eq!(
        kept(world, ENVELOPES).len() + kept(world, DEAD_LETTERS).len(),
        0
    );
    let found = everywhere(world, &[]);
    prop_assert_eq!(all, &found);
    // Good records are dead letters only when their attempts were used up.
    let (rows, archived) = (world.store.ids(), archived(world));
    let stored = stored_ids(world);
    let dead: BTreeSet<String> = letters(world)
        .iter()
        .filter(|letter| letter.reason == log_record::Reason::RetriesExhausted)
        .flat_map(|letter| ids_of_letter(world, letter))
        .collect();
    for (number, kind) in kinds.iter().enumerate() {
        for n in 0..4 {
            let id = id(number as u64 * 4 + n);
            // With every record a row, the archive is a second place.
            if settings.rows == Rows::All && archived.contains(&id) {
                prop_assert!(rows.contains(&id), "{}", id);
            }
            if matches!(kind, Kind::Good) || (matches!(kind, Kind::Rejected) && n % 2 == 0) {
                prop_assert!(stored.contains(&id) || dead.contains(&id), "{}", id);
            }
        }
    }
    Ok(())
}
