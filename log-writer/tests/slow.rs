//! A backlog, and parts that are slow or silent: memory, time and other messages stay within their bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use common::*;
use log_record::Reason;
use log_record::fallback::DEAD_LETTERS;
use log_writer::batch::Verdict::{self, Ack, Retry};
use log_writer::d1_error::ErrorKind;
use log_writer::message::Message;
use log_writer::settings::Settings;

/// Messages of 120 kB, each of one record.
fn large(count: usize) -> Vec<Message> {
    let body = |n: u64| envelope(&[row(n, "info").replace("line", &"x".repeat(120_000))]);
    (0..count).map(|n| message(n, 1, body(n as u64))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_is_written_in_slices_of_2_mb() {
    let world = world();
    let (verdicts, stats) = world.process(&Settings::default(), &large(100)).await;
    assert_eq!(verdicts, [Ack; 100]);
    assert_eq!((rows(&world), stats.slices), (100, 6));
    let bytes = world.store.largest_call_bytes.get();
    assert!(bytes < 2_200_000, "{bytes} bytes in one call");
}

#[tokio::test(start_paused = true)]
async fn no_slice_starts_after_five_minutes() {
    let world = world();
    world.store.faults.always_has(Fault::Slow(39_000));
    let (verdicts, _) = world.process(&Settings::default(), &large(200)).await;
    let done = verdicts.iter().filter(|verdict| **verdict == Ack).count();
    assert_eq!(rows(&world), done as u64);
    assert!((100..200).contains(&done), "{done} done");
    let again = Retry { delay_seconds: 0 };
    assert!(verdicts.iter().all(|it| [Ack, again].contains(it)));
    let elapsed_ms = world.clock.elapsed_ms();
    assert!(elapsed_ms <= 340_000, "{elapsed_ms} ms");
}

#[tokio::test(start_paused = true)]
async fn a_silent_database_is_a_passing_fault() {
    let world = world();
    world.store.faults.always_has(Fault::Silent);
    let (verdicts, _) = world.process(&Settings::default(), &tens(10, 1)).await;
    assert_eq!(verdicts, [Retry { delay_seconds: 10 }; 10]);
    assert!(world.clock.elapsed_ms() < 165_000);
    world.store.faults.set([Fault::SilentAfter]);
    let (verdicts, stats) = world.process(&Settings::default(), &tens(10, 2)).await;
    assert_eq!((verdicts, rows(&world)), (vec![Ack; 10], 100));
    assert_eq!(stats.duplicates, 100);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_dead_letter_queue_costs_its_neighbours_nothing() {
    let world = world();
    world.queue.faults.always_has(Fault::Silent);
    let mut batch: Vec<Message> = (0..50)
        .map(|n| message(n, 1, format!("body {n}")))
        .collect();
    batch.extend(tens(50, 1));
    let (verdicts, _) = world.process(&Settings::default(), &batch).await;
    assert_eq!(verdicts, [Ack; 100]);
    assert_eq!((rows(&world), kept(&world, DEAD_LETTERS).len()), (500, 50));
    // Asked four times at once, and no more after two silences.
    assert!(world.queue.calls.get() <= 8, "{:?}", world.queue.calls);
    assert!(world.clock.elapsed_ms() <= 15_000);
}

#[tokio::test(start_paused = true)]
async fn slow_parts_have_a_minute_each_and_the_rest_is_retried() {
    let world = world();
    world.queue.faults.always_has(Fault::Slow(4_900));
    let batch: Vec<Message> = (0..100)
        .map(|n| message(n, 1, format!("body {n}")))
        .collect();
    let (verdicts, _) = world.process(&Settings::default(), &batch).await;
    assert_eq!(verdicts, [Ack; 100]);
    assert!(letters(&world).len() >= 40 && kept(&world, DEAD_LETTERS).len() >= 40);
    assert!(world.clock.elapsed_ms() <= 125_000);

    let world = common::world();
    world.queue.faults.always("queue is down");
    world.kv.faults.always_has(Fault::Silent);
    let mut batch = batch;
    batch.extend(tens(5, 1));
    let (verdicts, stats) = world.process(&Settings::default(), &batch).await;
    let stay = Retry { delay_seconds: 80 };
    assert_eq!(
        (&verdicts[..100], &verdicts[100..]),
        (&[stay; 100][..], &[Ack; 5][..])
    );
    assert_eq!(stats.retried_messages, 100);
    assert!(world.clock.elapsed_ms() <= 15_000);
}

/// Delivers 100 messages of ten records until all are gone; `odd` records fail in a way that nobody knows.
async fn tell_apart(odd: u64, is_shuffled: bool) {
    let world = world();
    let odd: Vec<u64> = (0..odd).map(|k| k * 10 + 3).collect();
    world.store.make_odd(odd.iter().copied());
    let mut queued = tens(100, 0);
    let mut seed = 12_345_u64;
    let mut deliveries = 0;
    while !queued.is_empty() {
        deliveries += 1;
        assert!(deliveries <= 100, "{} messages are left", queued.len());
        for message in &mut queued {
            message.attempts += 1;
        }
        for n in (1..queued.len()).rev().filter(|_| is_shuffled) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            queued.swap(n, (seed >> 33) as usize % (n + 1));
        }
        let (verdicts, _) = world.process(&Settings::default(), &queued).await;
        let mut verdicts = verdicts.into_iter();
        queued.retain(|_| verdicts.next().unwrap() != Verdict::Ack);
        pass_ms(600_000).await;
    }
    assert_eq!(rows(&world), 1_000 - odd.len() as u64);
    let letters = letters(&world);
    let dead: Vec<String> = letters
        .iter()
        .flat_map(|letter| ids_of_letter(&world, letter))
        .collect();
    assert_eq!(dead.len(), odd.len());
    let expected: BTreeSet<String> = odd.into_iter().map(id).collect();
    assert_eq!(BTreeSet::from_iter(dead), expected);
    for letter in letters {
        assert_eq!(letter.reason, Reason::RetriesExhausted);
        assert!(letter.detail.contains("very odd"), "{}", letter.detail);
    }
}

#[tokio::test(start_paused = true)]
async fn odd_records_are_dead_letters_and_all_others_stored() {
    for odd in [1, 4, 20, 100] {
        for is_shuffled in [false, true] {
            tell_apart(odd, is_shuffled).await;
        }
    }
}

/// Records that D1 rejects use up the calls of an invocation; the good ones behind them wait, whatever their attempts.
#[tokio::test(start_paused = true)]
async fn a_used_up_budget_never_makes_a_dead_letter() {
    let world = world();
    let mut messages: Vec<_> = (0..10)
        .map(|m: usize| {
            let rows: Vec<String> = (0..200).map(|n| bad_row(m as u64 * 200 + n)).collect();
            message(m, 100, envelope(&rows))
        })
        .collect();
    messages.extend((10..50).map(|m| message(m, 100, good(m as u64 * 200..m as u64 * 200 + 4))));
    let (verdicts, stats) = world.process(&Settings::default(), &messages).await;
    assert_eq!(stats.d1_error, Some(ErrorKind::OutOfBudget));
    assert!(verdicts.contains(&Verdict::Retry { delay_seconds: 0 }));
    let good: BTreeSet<String> = (10..50)
        .flat_map(|m| (m * 200..m * 200 + 4).map(id))
        .collect();
    for letter in letters(&world) {
        assert_eq!(letter.reason, Reason::Rejected);
        let mut ids = ids_of_letter(&world, &letter).into_iter();
        assert!(ids.all(|id| !good.contains(&id)), "{letter:?}");
    }
    // By the time limit as well.
    world.queue.sent.borrow_mut().clear();
    world.store.distance_ms.set(39_000);
    let (verdicts, _) = world.process(&Settings::default(), &messages).await;
    assert!(verdicts.contains(&Verdict::Retry { delay_seconds: 0 }));
    for letter in letters(&world) {
        assert_eq!(letter.reason, Reason::Rejected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_record_can_cause_never_makes_a_dead_letter() {
    let account = "D1_ERROR: Exceeded maximum account storage limit.";
    for text in [OVERLOADED, account, NO_TABLE] {
        let world = world();
        world.store.faults.always(text);
        let (verdicts, _) = world.process(&Settings::default(), &tens(10, 100)).await;
        assert!(!verdicts.contains(&Ack), "{text}");
        assert_eq!(letters(&world).len() + kept(&world, "").len(), 0, "{text}");
        assert_eq!(world.store.calls.borrow().len(), 1, "{text}");
    }
}
