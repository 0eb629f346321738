//! The drain: what fell into KV comes back: into D1, or onto the dead-letter queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::*;
use log_record::fallback::{DEAD_LETTERS, ENVELOPES};
use log_record::{DeadLetter, Level, Reason};
use log_writer::cron::run_cron;
use log_writer::drain::DrainStats;
use log_writer::settings::{Route, Settings};

async fn drain(world: &World, settings: &Settings) -> Option<DrainStats> {
    let stats = world.run(run_cron(&world.ports, settings)).await?;
    Some(stats.drain)
}

async fn drained(world: &World, settings: &Settings) -> DrainStats {
    drain(world, settings).await.expect("the process died")
}

fn put(world: &World, number: usize, body: String) {
    let key = format!("{ENVELOPES}2026-11-23T17:00:00.{number:03}Z-uuid{number}");
    world.kv.values.borrow_mut().insert(key, body);
}

fn put_letter(world: &World, number: usize) {
    let key = format!("{DEAD_LETTERS}2026-11-23T17:00:00.{number:03}Z-message{number}-0");
    let value = format!("letter {number}");
    world.kv.values.borrow_mut().insert(key, value);
}

#[tokio::test(start_paused = true)]
async fn envelopes_go_to_d1_and_their_keys_with_them() {
    let world = world();
    for n in 0..50_usize {
        put(&world, n, good(n as u64 * 10..n as u64 * 10 + 10));
    }
    let drained = drained(&world, &Settings::default()).await;
    assert_eq!((rows(&world), kept(&world, "").len()), (500, 0));
    assert_eq!((drained.envelopes, drained.more), (50, false));
    let line = drained.to_line();
    let start = r#"{"level":"info","event":"drain","message":"50 envelopes and 0 dead letters moved out of KV; "#;
    assert!(line.json.starts_with(start), "{}", line.json);
    assert!(line.json.contains(r#""messages":50,"#), "{}", line.json);
}

#[tokio::test(start_paused = true)]
async fn an_idle_minute_costs_four_calls_and_no_line() {
    let world = world();
    let settings = Settings::default();
    let run = world.run(run_cron(&world.ports, &settings));
    let stats = run.await.unwrap();
    assert_eq!(stats.drain, DrainStats::default());
    assert_eq!(stats.to_lines(), []);
    assert_eq!(*world.store.calls.borrow(), [1, 1]);
    assert_eq!(world.kv.calls.get(), 2);
}

/// Pages hold fewer keys than a run takes, and bulk reads as many as KV allows.
#[tokio::test(start_paused = true)]
async fn a_run_goes_on_until_its_budget_is_used() {
    let world = world();
    world.kv.page_keys.set(150);
    for n in 0..2_000_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
    }
    let settings = Settings::default();
    let first = drained(&world, &settings).await;
    assert!(first.more);
    assert!((400..=600).contains(&first.envelopes), "{first:?}");
    assert_eq!(world.kv.largest_read.get(), 100);
    assert!(world.kv.calls.get() + world.store.calls.borrow().len() as u64 <= 950);
    for _ in 0..4 {
        drained(&world, &settings).await;
    }
    assert_eq!((rows(&world), kept(&world, "").len()), (2_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_before_the_next_one_starts() {
    let world = world();
    for n in 0..500_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
        put_letter(&world, n);
    }
    world.store.distance_ms.set(2_000);
    world.kv.faults.always_has(Fault::Slow(2_000));
    world.queue.faults.always_has(Fault::Slow(2_000));
    let drained = drained(&world, &Settings::default()).await;
    assert!(
        drained.envelopes > 0 && drained.letters_moved > 0,
        "{drained:?}"
    );
    let elapsed_ms = world.clock.elapsed_ms();
    assert!(elapsed_ms < 60_000, "{elapsed_ms} ms");
}

#[tokio::test(start_paused = true)]
async fn large_envelopes_are_read_a_few_megabytes_at_a_time() {
    let world = world();
    let wide = |n: u64| envelope(&[row(n, "info").replace("line", &"x".repeat(120_000))]);
    for n in 0..200_usize {
        put(&world, n, wide(n as u64));
    }
    drained(&world, &Settings::default()).await;
    assert_eq!((rows(&world), kept(&world, "").len()), (200, 0));
    assert!(
        world.kv.largest_read.get() <= 33,
        "{:?}",
        world.kv.largest_read
    );
    let bytes = world.store.largest_call_bytes.get();
    assert!(bytes <= 2_200_000, "{bytes} bytes in one transaction");
}

#[tokio::test(start_paused = true)]
async fn while_d1_is_ill_every_key_stays() {
    let world = world();
    put(&world, 1, good(0..10));
    world.store.faults.always(LOCKED);
    let ill = drained(&world, &Settings::default()).await;
    assert_eq!(
        (kept(&world, "").len(), ill.envelopes, ill.more),
        (1, 0, true)
    );
    world.store.faults.heal();
    drained(&world, &Settings::default()).await;
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_key_goes_only_after_its_records_are_in() {
    let world = world();
    put(&world, 1, good(0..10));
    world.store.faults.set([Fault::DieAfter]);
    assert_eq!(drain(&world, &Settings::default()).await, None);
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 1));
    let again = drained(&world, &Settings::default()).await;
    assert_eq!((again.batch.rows_inserted, again.batch.duplicates), (0, 10));
    assert_eq!((rows(&world), kept(&world, "").len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_do_no_harm() {
    let world = world();
    for n in 0..300_usize {
        put(&world, n, good(n as u64 * 10..n as u64 * 10 + 10));
        put_letter(&world, n);
    }
    put(&world, 300, envelope(&[row(9_000, "info"), bad_row(9_001)]));
    let old = |n: u64| row_at(50_000 + n, "info", "2026-11-01T00:00:00.000Z");
    let old: Vec<String> = (0..3_000).map(old).collect();
    let settings = Settings::default();
    world
        .process(&settings, &[message(1, 1, envelope(&old))])
        .await;
    // Every part is slow, so that the two runs take turns at every step.
    world.store.distance_ms.set(7);
    world.kv.faults.always_has(Fault::Slow(5));
    world.queue.faults.always_has(Fault::Slow(3));
    let run = || run_cron(&world.ports, &settings);
    let both = world.run(Box::pin(async { tokio::join!(run(), run()) }));
    both.await.unwrap();
    world.run(run()).await.unwrap();
    assert_eq!((rows(&world), kept(&world, "").len()), (3_001, 0));
    // Letters may come twice, and none is missing.
    let sent: std::collections::BTreeSet<String> =
        world.queue.sent.borrow().iter().cloned().collect();
    let moved = (0..300).filter(|n| sent.contains(&format!("letter {n}")));
    assert_eq!(moved.count(), 300);
    assert!(sent.iter().any(|text| text.contains(&id(9_001))));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_when_it_is_read_is_no_trouble() {
    let world = world();
    put(&world, 2, good(10..20));
    let key = kept(&world, "")[0].0.clone();
    world.kv.faults.set([Fault::None, Fault::DieBefore]);
    assert_eq!(drain(&world, &Settings::default()).await, None);
    world.kv.values.borrow_mut().remove(&key);
    let drained = drained(&world, &Settings::default()).await;
    assert_eq!(drained.batch.level(), Level::Info);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_a_dead_letter_and_leaves_kv() {
    let world = world();
    put(&world, 1, "no JSON".to_owned());
    put(&world, 2, envelope(&[row(1, "info"), bad_row(2)]));
    drained(&world, &Settings::default()).await;
    assert_eq!((rows(&world), kept(&world, "").len()), (1, 0));
    let mut reasons: Vec<Reason> = letters(&world).iter().map(|letter| letter.reason).collect();
    reasons.sort();
    assert_eq!(reasons, [Reason::Undecodable, Reason::Rejected]);
}

#[tokio::test(start_paused = true)]
async fn an_odd_record_delays_no_other_and_is_dead_after_a_day() {
    let world = world();
    world.store.make_odd([3]);
    for n in 0..50_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
    }
    let settings = Settings::default();
    let first = drained(&world, &settings).await;
    assert_eq!(
        (rows(&world), kept(&world, "").len(), first.more),
        (49, 1, true)
    );
    pass_ms(22 * 60 * 60 * 1000).await;
    drained(&world, &settings).await;
    assert_eq!((kept(&world, "").len(), letters(&world).len()), (1, 0));
    pass_ms(2 * 60 * 60 * 1000).await;
    drained(&world, &settings).await;
    assert_eq!((rows(&world), kept(&world, "").len()), (49, 0));
    let letters = letters(&world);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, Reason::RetriesExhausted);
    assert_eq!(ids_of_letter(&world, &letters[0]), [id(3)]);
}

#[tokio::test(start_paused = true)]
async fn stuck_envelopes_are_passed() {
    let world = world();
    world.store.make_odd(0..400);
    for n in 0..400_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
    }
    for n in 400..420_usize {
        put(&world, n, good(n as u64..n as u64 + 1));
    }
    let mut runs = 0;
    while rows(&world) < 20 {
        drained(&world, &Settings::default()).await;
        pass_ms(60_000).await;
        runs += 1;
        assert!(
            runs <= 20,
            "{} of 20 good ones after {runs} runs",
            rows(&world)
        );
    }
    assert_eq!(kept(&world, "").len(), 400);
}

#[tokio::test(start_paused = true)]
async fn refused_letters_are_passed() {
    let world = world();
    for n in 0..20 {
        put_letter(&world, n);
    }
    world.queue.faults.set([Fault::Before("not this one"); 10]);
    let drained = drained(&world, &Settings::default()).await;
    assert_eq!((drained.letters_moved, drained.more), (10, true));
    assert_eq!(kept(&world, "").len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_silent_queue_is_asked_no_more() {
    let world = world();
    for n in 0..200 {
        put_letter(&world, n);
    }
    world.queue.faults.always_has(Fault::Silent);
    let drained = drained(&world, &Settings::default()).await;
    assert_eq!((drained.letters_moved, drained.more), (0, true));
    assert!(world.queue.calls.get() <= 8, "{:?}", world.queue.calls);
    assert_eq!(kept(&world, "").len(), 200);
}

#[tokio::test(start_paused = true)]
async fn parked_dead_letters_move_when_their_queue_takes_them_again() {
    let world = world();
    let settings = Settings::default();
    world.queue.faults.always("queue is down");
    let batch = [message(1, 1, "no JSON"), message(2, 1, "nor this")];
    world.process(&settings, &batch).await;
    let before = kept(&world, DEAD_LETTERS);
    assert_eq!(before.len(), 2);
    let ill = drained(&world, &settings).await;
    assert_eq!(
        (
            kept(&world, DEAD_LETTERS).len(),
            ill.letters_moved,
            ill.more
        ),
        (2, 0, true)
    );
    world.queue.faults.heal();
    assert_eq!(drained(&world, &settings).await.letters_moved, 2);
    assert_eq!(kept(&world, "").len(), 0);
    let moved: Vec<String> = before.into_iter().map(|(_, text)| text).collect();
    assert_eq!(*world.queue.sent.borrow(), moved);
    assert!(DeadLetter::decode(&moved[0]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn in_local_development_parked_dead_letters_stay_in_kv() {
    let world = world();
    let settings = Settings {
        dead_letters: Route::Kv,
        ..Settings::default()
    };
    world.process(&settings, &[message(1, 1, "no JSON")]).await;
    drained(&world, &settings).await;
    assert_eq!(
        (kept(&world, DEAD_LETTERS).len(), letters(&world).len()),
        (1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn when_kv_does_not_answer_the_run_says_so() {
    for fault in [Fault::Before("KV is down"), Fault::Silent] {
        let world = world();
        put(&world, 1, good(0..10));
        world.kv.faults.set([fault]);
        let drained = drained(&world, &Settings::default()).await;
        assert!(drained.more, "{drained:?}");
        assert_eq!(drained.batch.level(), Level::Warn);
        assert_eq!(kept(&world, "").len(), 1);
    }
}

/// 20 envelopes with a record that D1 rejects, and more expired rows than one run deletes.
#[tokio::test(start_paused = true)]
async fn drain_and_rotation_share_one_budget() {
    let world = world();
    for n in 0..20_u64 {
        let mut rows: Vec<String> = (0..10).map(|k| row(n * 100 + k, "info")).collect();
        rows.push(bad_row(n * 100 + 50));
        put(&world, n.try_into().unwrap(), envelope(&rows));
    }
    world.store.execute(
        "INSERT INTO tail_logs (log_id, worker_name, log_level, message, timestamp) \
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < 300000) \
         SELECT printf('x%08x', n), 'w', 'info', 'm', \
         strftime('%Y-%m-%dT%H:%M:%fZ', 1790000000.0 + n / 1000.0, 'unixepoch') FROM n",
    );
    world.store.row_takes_us.set(120); // small slices
    let settings = Settings::default();
    let run = world.run(run_cron(&world.ports, &settings));
    let stats = run.await.unwrap();
    let asked: usize = world.store.calls.borrow().iter().sum();
    assert!(asked <= 950, "{asked} statements");
    assert_eq!(stats.drain.envelopes, 20);
    assert!(!stats.rotation.is_finished && stats.rotation.rows_deleted > 50_000);
    assert!(world.clock.elapsed_ms() < 60_000);
}
