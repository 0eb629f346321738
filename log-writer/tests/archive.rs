//! The archive: what lies where, and each rung of its ladder, over real SQL and a bucket that fails when told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use common::*;
use log_record::Reason;
use log_record::archive::Rows;
use log_writer::batch::Verdict::{self, Ack, Retry};
use log_writer::catalog::delete_expired;
use log_writer::cron::run_cron;
use log_writer::invocation::Invocation;
use log_writer::message::Message;
use log_writer::settings::Settings;
use log_writer::stats::ArchiveStats;

const AWAY: &str = "put: We encountered an internal error. Please try again. (10001)";

fn settings(rows: Rows) -> Settings {
    Settings {
        rows,
        ..Settings::default()
    }
}

/// Record `n` of one request, as tail-ingest makes them: the invocation, then lines.
fn request_record(request: u64, n: u64, level: &str, timestamp: &str) -> String {
    let kind = if n == 0 { "invocation" } else { "log" };
    format!(
        r#"["{}","shop","ray-{request}","order-{request}","{level}","line {n}",{{"kind":"{kind}","seq":{n}}},"{timestamp}",1]"#,
        id(request * 100 + n)
    )
}

/// Message `number` with one request: an invocation and ten lines, the last one a warning.
fn request(number: usize, attempts: u32) -> Message {
    let request = number as u64;
    let rows: Vec<String> = (0..11)
        .map(|n| {
            let level = if n == 10 { "warn" } else { "info" };
            let timestamp = format!("2026-11-23T17:{:02}:00.{n:03}Z", number % 60);
            request_record(request, n, level, &timestamp)
        })
        .collect();
    message(number, attempts, envelope(&rows))
}

fn requests(count: usize, attempts: u32) -> Vec<Message> {
    (0..count).map(|number| request(number, attempts)).collect()
}

/// The ids of all records in `messages`, sorted.
fn all_ids(messages: &[Message]) -> BTreeSet<String> {
    let bodies = messages.iter().map(|message| message.body.as_str());
    bodies.flat_map(ids_of_body).collect()
}

/// The ids of rows and of lines in cataloged objects, without duplicates.
fn found(world: &World) -> BTreeSet<String> {
    world
        .store
        .ids()
        .into_iter()
        .chain(archived(world))
        .collect()
}

fn archive_stats(stats: Option<ArchiveStats>) -> ArchiveStats {
    stats.expect("there is an archive")
}

#[tokio::test(start_paused = true)]
async fn a_slice_is_its_rows_then_an_object_then_its_catalog_row() {
    let world = archiving_world();
    let messages = requests(60, 1);
    let (verdicts, stats) = world.process(&settings(Rows::All), &messages).await;
    assert_eq!(verdicts, [Ack; 60]);
    assert_eq!(rows(&world), 660);
    assert_eq!(BTreeSet::from_iter(archived(&world)), all_ids(&messages));
    assert_eq!(archived(&world).len(), 660);
    // One insert for the rows, one for the catalog.
    assert_eq!(*world.store.calls.borrow(), [1, 1]);
    let catalog = catalog(&world);
    assert_eq!(catalog.len(), 1);
    let row = &catalog[0];
    let prefix = "v1/dt=2026-11-23/hour=17/20261123T170000000Z_20261123T175900010Z_";
    assert!(row.key.starts_with(prefix), "{}", row.key);
    assert_eq!(row.first_timestamp, "2026-11-23T17:00:00.000Z");
    assert_eq!(row.last_timestamp, "2026-11-23T17:59:00.010Z");
    assert_eq!(row.rows, Rows::All);
    assert_eq!(
        row.bytes,
        world.bucket.objects.borrow()[&row.key].len() as u64
    );
    let counts = serde_json::to_string(&row.counts).unwrap();
    assert_eq!(counts, r#"{"shop":{"info":600,"warn":60}}"#);
    let archive = archive_stats(stats.archive);
    assert_eq!((archive.objects, archive.archived_records), (1, 660));
}

#[tokio::test(start_paused = true)]
async fn a_partition_holds_exactly_its_hour() {
    let world = archiving_world();
    let record = |n, timestamp| request_record(1, n, "info", timestamp);
    let messages = [
        message(
            1,
            1,
            envelope(&[
                record(0, "2026-11-23T17:59:59.999Z"),
                record(1, "2026-11-23T18:00:00.000Z"),
            ]),
        ),
        message(2, 1, envelope(&[record(2, "2026-11-22T17:00:00.000Z")])),
    ];
    let (verdicts, _) = world.process(&settings(Rows::Index), &messages).await;
    assert_eq!(verdicts, [Ack; 2]);
    let catalog = catalog(&world);
    let hours: Vec<&str> = catalog
        .iter()
        .map(|row| row.key.get(..25).unwrap())
        .collect();
    assert_eq!(
        hours,
        [
            "v1/dt=2026-11-22/hour=17/",
            "v1/dt=2026-11-23/hour=17/",
            "v1/dt=2026-11-23/hour=18/"
        ]
    );
    let objects = world.bucket.objects.borrow();
    for row in &catalog {
        let lines: Vec<&str> = objects[&row.key].lines().collect();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains(&row.first_timestamp), "{}", lines[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_has_each_record_once_and_in_order() {
    let record = |n: u64| request_record(1, n, "info", &format!("2026-11-23T17:00:00.{n:03}Z"));
    let messages = [
        message(1, 1, envelope(&[record(5), record(3)])),
        message(2, 1, envelope(&[record(4), record(3), record(1)])),
    ];
    let mut texts = Vec::new();
    for is_reversed in [false, true] {
        let world = archiving_world();
        let mut messages = messages.to_vec();
        if is_reversed {
            messages.reverse();
        }
        world.process(&settings(Rows::All), &messages).await;
        assert_eq!(archived(&world), [1, 3, 4, 5].map(|n| id(100 + n)));
        assert_eq!(catalog(&world)[0].counts.total(), 4);
        texts.push(world.bucket.objects.borrow().clone());
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test(start_paused = true)]
async fn an_index_has_the_rows_by_which_one_searches() {
    let world = archiving_world();
    let with = |n: u64, change: &dyn Fn(String) -> String| {
        change(request_record(1, n, "info", "2026-11-23T17:00:00.000Z"))
    };
    let same = |row: String| row;
    let records = [
        with(0, &same),                               // an invocation
        with(1, &same),                               // in the archive alone
        with(2, &|row| row.replace("info", "debug")), // so is this
        with(3, &|row| row.replace("info", "warn")),
        with(4, &|row| row.replace("info", "error")),
        with(5, &|row| row.replace("order-1", "order-2")), // a new pair
        with(6, &|row| row.replace("order-1", "order-2")), // in the archive alone
        with(7, &|row| row.replace("ray-1", "ray-2")),     // a new pair
        with(8, &|row| row.replace("\"log\"", "\"exception\"")),
        with(9, &|row| row.replace("2026-11-23", "2026-02-30")), // no hour to file it under
        with(10, &same),                                         // in the archive alone
    ];
    let (verdicts, stats) = world
        .process(&settings(Rows::Index), &[message(1, 1, envelope(&records))])
        .await;
    assert_eq!(verdicts, [Ack]);
    let of = |numbers: &[u64]| numbers.iter().map(|n| id(100 + n)).collect::<BTreeSet<_>>();
    assert_eq!(
        BTreeSet::from_iter(world.store.ids()),
        of(&[0, 3, 4, 5, 7, 8, 9])
    );
    assert_eq!(
        BTreeSet::from_iter(archived(&world)),
        of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 10])
    );
    assert_eq!(stats.rows_inserted, 7);
    assert_eq!(catalog(&world)[0].rows, Rows::Index);
}

#[tokio::test(start_paused = true)]
async fn without_a_bucket_an_index_has_every_row() {
    let world = world();
    let (verdicts, stats) = world
        .process(&settings(Rows::Index), &requests(10, 1))
        .await;
    assert_eq!(verdicts, [Ack; 10]);
    assert_eq!((rows(&world), stats.archive), (110, None));
    assert_eq!((world.bucket.calls.get(), catalog(&world).len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusing_bucket_delays_no_row_and_makes_no_dead_letter() {
    for rows_setting in [Rows::All, Rows::Index] {
        let world = archiving_world();
        world.bucket.faults.always(AWAY);
        let messages = requests(10, 3);
        let (verdicts, stats) = world.process(&settings(rows_setting), &messages).await;
        assert_eq!(verdicts, [Retry { delay_seconds: 40 }; 10]);
        let expected = if rows_setting == Rows::All { 110 } else { 20 };
        assert_eq!(rows(&world), expected);
        let archive = archive_stats(stats.archive);
        assert_eq!((archive.unarchived, archive.bucket_refusals), (0, 4));
        assert_eq!(archive.archive_error.as_deref(), Some(AWAY));

        // At the last attempt they wait no longer, and nothing is lost.
        let (verdicts, stats) = world
            .process(&settings(rows_setting), &requests(10, 16))
            .await;
        assert_eq!(verdicts, [Ack; 10]);
        assert_eq!(rows(&world), 110);
        assert_eq!(archive_stats(stats.archive).unarchived, 110);
        assert_eq!(letters(&world).len() + kept(&world, "").len(), 0);
        assert_eq!(catalog(&world).len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn once_the_bucket_is_back_everything_is_archived() {
    let world = archiving_world();
    world.bucket.faults.always(AWAY);
    let (verdicts, _) = world
        .process(&settings(Rows::Index), &requests(10, 1))
        .await;
    assert!(!verdicts.contains(&Ack));
    world.bucket.faults.heal();
    let messages = requests(10, 2);
    let (verdicts, _) = world.process(&settings(Rows::Index), &messages).await;
    assert_eq!(verdicts, [Ack; 10]);
    assert_eq!(found(&world), all_ids(&messages));
    assert_eq!(rows(&world), 20);
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_trouble_in_the_bucket_is_ridden_out() {
    let world = archiving_world();
    world.bucket.faults.set([Fault::Before(AWAY); 3]);
    let (verdicts, _) = world.process(&settings(Rows::All), &requests(5, 1)).await;
    assert_eq!(verdicts, [Ack; 5]);
    assert_eq!((world.bucket.calls.get(), archived(&world).len()), (4, 55));
}

#[tokio::test(start_paused = true)]
async fn an_object_stored_without_an_answer_is_met_again() {
    for fault in [Fault::After(AWAY), Fault::SilentAfter] {
        let world = archiving_world();
        world.bucket.faults.set([fault]);
        let (verdicts, _) = world.process(&settings(Rows::Index), &requests(5, 1)).await;
        assert_eq!(verdicts, [Ack; 5], "{fault:?}");
        assert_eq!(world.bucket.objects.borrow().len(), 1, "{fault:?}");
        assert_eq!(archived(&world).len(), 55, "{fault:?}");
    }
}

/// A batch of six slices.
fn large_batch() -> Vec<Message> {
    let record = |number: usize| {
        request_record(number as u64, 0, "info", "2026-11-23T17:00:00.000Z")
            .replace("line", &"x".repeat(120_000))
    };
    (0..100)
        .map(|number| message(number, 1, envelope(&[record(number)])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_silent_bucket_costs_a_batch_twenty_seconds() {
    let world = archiving_world();
    world.bucket.faults.always_has(Fault::Silent);
    let (verdicts, stats) = world.process(&settings(Rows::All), &large_batch()).await;
    assert!(!verdicts.contains(&Ack));
    assert_eq!(rows(&world), 100);
    assert_eq!(archive_stats(stats.archive).bucket_refusals, 2);
    assert!(world.clock.elapsed_ms() < 21_000);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refuses_two_objects_is_asked_no_more() {
    let world = archiving_world();
    world.bucket.faults.always(AWAY);
    let (verdicts, stats) = world.process(&settings(Rows::All), &large_batch()).await;
    assert!(!verdicts.contains(&Ack));
    assert_eq!((stats.slices, rows(&world)), (6, 100));
    // Four puts of the first object, one of the second.
    assert_eq!(world.bucket.calls.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_slow_bucket_is_waited_for() {
    let world = archiving_world();
    world.bucket.faults.always_has(Fault::Slow(9_000));
    let (verdicts, _) = world
        .process(&settings(Rows::Index), &requests(10, 1))
        .await;
    assert_eq!(verdicts, [Ack; 10]);
    assert_eq!(archived(&world).len(), 110);
}

#[tokio::test(start_paused = true)]
async fn d1_failing_before_the_catalog_leaves_an_object_to_meet() {
    for rows_setting in [Rows::All, Rows::Index] {
        let world = archiving_world();
        let settings = settings(rows_setting);
        let trouble = [Fault::Before(LOCKED); 4];
        world
            .store
            .faults
            .set([Fault::None].into_iter().chain(trouble));
        let messages = requests(10, 1);
        let (verdicts, _) = world.process(&settings, &messages).await;
        assert_eq!(verdicts, [Retry { delay_seconds: 10 }; 10]);
        assert_eq!(world.bucket.objects.borrow().len(), 1);
        assert_eq!(catalog(&world).len(), 0);

        // Shuffled, they are the same messages.
        let mut messages = requests(10, 2);
        messages.rotate_left(3);
        let (verdicts, _) = world.process(&settings, &messages).await;
        assert_eq!(verdicts, [Ack; 10]);
        assert_eq!(world.bucket.objects.borrow().len(), 1);
        assert_eq!(archived(&world).len(), 110);

        // A catalog that fails at the last attempt is waited for no longer.
        world
            .store
            .execute("ALTER TABLE archive_objects RENAME TO hidden");
        let late = [request(50, 16)];
        let (verdicts, stats) = world.process(&settings, &late).await;
        assert_eq!(verdicts, [Ack]);
        assert_eq!(archive_stats(stats.archive).unarchived, 11);
        let expected = if rows_setting == Rows::All { 121 } else { 31 };
        assert_eq!(rows(&world), expected);
        assert_eq!(letters(&world).len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_again_among_others_are_archived_twice() {
    let world = archiving_world();
    let settings = settings(Rows::Index);
    // The answer about the catalog's row is lost four times, so the messages come again: apart from each other.
    let lost = [Fault::After("D1_ERROR: Network connection lost."); 4];
    world
        .store
        .faults
        .set([Fault::None].into_iter().chain(lost));
    let (verdicts, _) = world.process(&settings, &requests(2, 1)).await;
    assert!(!verdicts.contains(&Ack));
    for batch in [vec![request(0, 2)], vec![request(1, 2), request(2, 2)]] {
        let (verdicts, _) = world.process(&settings, &batch).await;
        assert!(verdicts.iter().all(|verdict| *verdict == Ack));
    }
    assert_eq!(catalog(&world).len(), 3);
    assert_eq!(archived(&world).len(), 22 + 11 + 22);
    assert_eq!(found(&world), all_ids(&requests(3, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letters_record_is_not_in_the_archive() {
    let world = archiving_world();
    let records = [
        request_record(1, 0, "info", "2026-11-23T17:00:00.000Z"),
        request_record(1, 1, "loud", "2026-11-23T17:00:00.001Z"),
        request_record(1, 2, "info", "2026-11-23T17:00:00.002Z"),
    ];
    let messages = [
        message(1, 1, envelope(&records)),
        message(2, 1, "no JSON"),
        message(3, 1, envelope(&[])),
    ];
    let (verdicts, _) = world.process(&settings(Rows::Index), &messages).await;
    assert_eq!(verdicts, [Ack; 3]);
    assert_eq!(world.store.ids(), [id(100)]);
    assert_eq!(archived(&world), [id(100), id(102)]);
    let mut reasons: Vec<Reason> = letters(&world).iter().map(|it| it.reason).collect();
    reasons.sort();
    assert_eq!(reasons, [Reason::Undecodable, Reason::Rejected]);
}

/// The first record of a pair of ids leads to the others: where D1 does not take it, they are rows themselves.
#[tokio::test(start_paused = true)]
async fn a_dead_letters_neighbours_are_found_by_their_ids() {
    let world = archiving_world();
    let record = |n: u64, level: &str, order: &str| {
        let timestamp = format!("2026-11-23T17:00:00.{n:03}Z");
        request_record(1, n, level, &timestamp).replace("order-1", order)
    };
    let records = [
        record(1, "loud", "order-1"),
        record(2, "info", "order-1"),
        record(3, "info", "order-2"),
        record(4, "info", "order-1"),
        record(5, "info", "order-2"),
    ];
    let messages = [message(1, 1, envelope(&records))];
    let (verdicts, _) = world.process(&settings(Rows::Index), &messages).await;
    assert_eq!(verdicts, [Ack]);
    assert_eq!(world.store.ids(), [2, 3, 4].map(|n| id(100 + n)));
    assert_eq!(archived(&world), [2, 3, 4, 5].map(|n| id(100 + n)));
    assert_eq!(letters(&world)[0].reason, Reason::Rejected);
}

/// The process dies at each call in turn, before or after it is done, and the messages come again.
#[tokio::test(start_paused = true)]
async fn dying_anywhere_loses_nothing() {
    for rows_setting in [Rows::All, Rows::Index] {
        for death in [Fault::DieBefore, Fault::DieAfter] {
            for place in 0..3 {
                let world = archiving_world();
                match place {
                    0 => world.store.faults.set([death]),
                    1 => world.bucket.faults.set([death]),
                    _ => world.store.faults.set([Fault::None, death]),
                }
                let settings = settings(rows_setting);
                let messages = requests(10, 1);
                let died = world
                    .run(log_writer::batch::process_batch(
                        &world.ports,
                        &settings,
                        messages.as_slice(),
                    ))
                    .await;
                assert!(died.is_none());
                let (verdicts, _) = world.process(&settings, &requests(10, 2)).await;
                assert_eq!(verdicts, [Ack; 10]);
                let expected = if rows_setting == Rows::All { 110 } else { 20 };
                assert_eq!(rows(&world), expected);
                // They came together, so each is archived once.
                assert_eq!(archived(&world).len(), 110);
                assert_eq!(world.bucket.objects.borrow().len(), 1);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_used_up_budget_leaves_the_archive_to_the_next_delivery() {
    for attempts in [1, 16] {
        let world = archiving_world();
        // More hours than one invocation may put objects.
        let messages: Vec<Message> = (0..90)
            .map(|number| {
                let rows: Vec<String> = (0..24)
                    .map(|hour| {
                        let timestamp = format!(
                            "2026-{:02}-{:02}T{hour:02}:00:00.000Z",
                            number / 28 + 1,
                            number % 28 + 1
                        );
                        request_record(number as u64, hour, "info", &timestamp)
                    })
                    .collect();
                message(number, attempts, envelope(&rows))
            })
            .collect();
        let (verdicts, stats) = world.process(&settings(Rows::Index), &messages).await;
        let acked = verdicts.iter().filter(|verdict| **verdict == Ack).count();
        assert!((20..60).contains(&acked), "{acked}");
        let others = |verdict: &Verdict| matches!(verdict, Ack | Retry { delay_seconds: 0 });
        assert!(verdicts.iter().all(others), "{verdicts:?}");
        assert_eq!(archive_stats(stats.archive).unarchived, 0);
        assert_eq!(letters(&world).len() + kept(&world, "").len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn drained_envelopes_are_archived_as_well() {
    let world = archiving_world();
    let key = "envelope/2026-11-23T17:00:00.000Z-fallen";
    let body = request(1, 1).body.as_str().to_owned();
    world.kv.values.borrow_mut().insert(key.to_owned(), body);
    let settings = settings(Rows::Index);
    world.bucket.faults.always(AWAY);
    run_cron(&world.ports, &settings).await;
    assert_eq!((kept(&world, "").len(), rows(&world)), (1, 2));
    world.bucket.faults.heal();
    run_cron(&world.ports, &settings).await;
    assert_eq!((kept(&world, "").len(), archived(&world).len()), (0, 11));
}

#[tokio::test(start_paused = true)]
async fn catalog_rows_go_two_days_after_their_objects() {
    let world = archiving_world();
    let settings = Settings {
        archive_days: 30,
        ..Settings::default()
    };
    // It is 18:00 on November 23. 2,500 rows that have expired, one that has not.
    world.store.execute(
        "INSERT INTO archive_objects (key, stored_at, first_timestamp, last_timestamp, bytes, rows, counts) \
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < 2500) \
         SELECT 'v1/' || n, '2026-10-22T17:59:59.999Z', 'f', 'l', 1, 'all', '{}' FROM n \
         UNION ALL SELECT 'v1/kept', '2026-10-22T18:00:00.000Z', 'f', 'l', 1, 'all', '{}'",
    );
    let invocation = Invocation::of_cron(&world.ports, &settings);
    invocation.reserve(0, 0);
    let stats = delete_expired(&invocation).await;
    assert_eq!(stats.catalog_rows_deleted, 2_500);
    let keys: Vec<String> = catalog(&world).into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["v1/kept"]);
    assert!(stats.to_line().json.contains("2500 expired catalog rows"));

    world.store.faults.always(LOCKED);
    let stats = run_cron(&world.ports, &settings).await;
    assert!(stats.catalog.d1_error.is_some());
}
