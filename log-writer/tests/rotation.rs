//! The rotation deletes what expired, all of it and nothing else, in small steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::*;
use log_writer::cron::run_cron;
use log_writer::d1_error::ErrorKind;
use log_writer::invocation::Invocation;
use log_writer::rotation::{RotationStats, cutoff_ms, rotate};
use log_writer::settings::Settings;
use worker_runtime::timestamp::{DAY_MS, format_ms, parse_ms};

/// Rows deleted by one call, at most: twice what a slice should hold, where the density has just doubled.
const MOST_ROWS: u64 = 10_000;

const HOUR_MS: u64 = 60 * 60 * 1000;

async fn rotated(world: &World, cutoff_ms: u64) -> RotationStats {
    let settings = Settings::default();
    let invocation = Invocation::of_cron(&world.ports, &settings);
    invocation.reserve(0, 0);
    let run = world.run(rotate(&invocation, cutoff_ms));
    run.await.expect("the process died")
}

/// `rows` rows, evenly over the `span_ms` before `end_ms`.
fn fill(world: &World, rows: u64, span_ms: u64, end_ms: u64) {
    let start = i64::try_from(end_ms - span_ms).unwrap();
    world.store.execute(&format!(
        "INSERT INTO tail_logs (log_id, worker_name, log_level, message, timestamp) \
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {rows}) \
         SELECT printf('{start:x}-%08x', n), 'w', 'info', 'm', \
         strftime('%Y-%m-%dT%H:%M:%fZ', ({start} + n * {span_ms} / {rows}) / 1000.0, 'unixepoch') FROM n"
    ));
}

#[tokio::test(start_paused = true)]
async fn what_expired_goes_and_what_did_not_stays() {
    let world = world();
    fill(&world, 30_000, 3 * DAY_MS, NOW_MS);
    let rotated = rotated(&world, NOW_MS - DAY_MS).await;
    assert!(rotated.is_finished);
    assert_eq!((rotated.rows_deleted, rotated.expired_left), (20_000, 0));
    assert_eq!(rows(&world), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_row_of_exactly_the_cutoff_stays() {
    let world = world();
    let timestamps = [NOW_MS - 1, NOW_MS, NOW_MS + 1].map(format_ms);
    let rows: Vec<String> = (0..3)
        .map(|n| row_at(n as u64, "info", &timestamps[n]))
        .collect();
    world
        .process(&Settings::default(), &[message(1, 1, envelope(&rows))])
        .await;
    assert_eq!(rotated(&world, NOW_MS).await.rows_deleted, 1);
    assert_eq!(world.store.ids(), [id(1), id(2)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do_is_one_call() {
    let world = world();
    fill(&world, 100, 1000, NOW_MS);
    let rotated = rotated(&world, NOW_MS - DAY_MS).await;
    assert!(rotated.is_finished);
    assert_eq!((rotated.rows_deleted, rotated.d1_calls), (0, 1));
}

/// However the rows lie in time, no call deletes many, and hardly more rows are counted off than are deleted.
#[tokio::test(start_paused = true)]
async fn slices_stay_small_whatever_the_density() {
    let shapes: [(&str, &[(u64, u64)]); 6] = [
        ("a day, evenly", &[(60_000, DAY_MS)]),
        ("a minute, evenly", &[(60_000, 10_000)]),
        ("one millisecond", &[(30_000, 1)]),
        ("a few over a year", &[(5_000, 365 * DAY_MS)]),
        (
            "a quiet day, then a busy minute",
            &[(2_000, DAY_MS), (60_000, 60_000)],
        ),
        (
            "a busy minute, then a quiet day",
            &[(60_000, 60_000), (2_000, DAY_MS)],
        ),
    ];
    for (name, parts) in shapes {
        let world = world();
        let mut end_ms = NOW_MS;
        let mut total = 0;
        for (rows, span_ms) in parts.iter().rev() {
            fill(&world, *rows, *span_ms, end_ms);
            end_ms -= span_ms;
            total += rows;
        }
        let rotated = rotated(&world, NOW_MS).await;
        let largest = world.store.largest_change.get();
        assert!(rotated.is_finished, "{name}: {rotated:?}");
        assert_eq!((rotated.rows_deleted, rows(&world)), (total, 0), "{name}");
        assert!(largest <= MOST_ROWS, "{name}: {largest} rows in one call");
        assert!(rotated.d1_calls <= 20 + total / 200, "{name}: {rotated:?}");
    }
}

/// However slow the database is, it is not blocked for long; where it is fast, a few calls will do. How far away it is
/// makes no difference.
#[tokio::test(start_paused = true)]
async fn slices_are_as_large_as_the_database_is_fast() {
    for (row_takes_us, most_calls) in [(0, 30), (5, 30), (30, 90), (100, 300), (160, 410)] {
        for distance_ms in [0, 45, 100] {
            let world = world();
            fill(&world, 100_000, HOUR_MS, NOW_MS);
            world.store.distance_ms.set(distance_ms);
            world.store.row_takes_us.set(row_takes_us);
            // A run ends before the next one starts, so a slow or distant database takes several.
            let (mut calls, mut longest_ms, mut finished) = (0, 0, false);
            for _ in 0..3 {
                let rotated = rotated(&world, NOW_MS).await;
                calls += rotated.d1_calls;
                longest_ms = longest_ms.max(rotated.longest_call_ms);
                finished |= rotated.is_finished;
            }
            let name = format!("{row_takes_us} µs a row, {distance_ms} ms away: {calls} calls");
            assert!(finished && calls <= most_calls, "{name}");
            // The first slice is a thousand rows; the others know better.
            assert!(
                longest_ms <= u64::max(80, 1 + row_takes_us),
                "{name}: {longest_ms} ms"
            );
            let mut durations_us = world.store.durations_us.borrow().clone();
            durations_us.sort_unstable();
            let most = durations_us[(durations_us.len() - 1) * 95 / 100];
            assert!(most < 100_000, "95 of 100 calls within {most} µs, {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_rows_are_many_each_is_read_hardly_more_than_once() {
    let world = world();
    fill(&world, 200_000, 6 * HOUR_MS, NOW_MS);
    world.store.row_takes_us.set(30);
    assert!(rotated(&world, NOW_MS).await.is_finished);
    let read = world.store.rows_read.get();
    assert!(read <= 200_000 * 11 / 10, "{read} rows read");
}

#[tokio::test(start_paused = true)]
async fn where_rows_are_few_one_run_is_enough() {
    for (rows, days) in [(100_000, 7), (300_000, 7), (20_000, 365)] {
        let world = world();
        fill(&world, rows, days * DAY_MS, NOW_MS);
        world.store.row_takes_us.set(30);
        let rotated = rotated(&world, NOW_MS).await;
        assert!(rotated.is_finished, "{rotated:?}");
        assert_eq!(rotated.rows_deleted, rows);
        let read = world.store.rows_read.get();
        assert!(read <= rows * 21 / 10, "{read} rows read");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_bounded_says_what_is_left_and_the_next_one_goes_on() {
    let world = world();
    fill(&world, 50_000, 100, NOW_MS); // 500 rows a millisecond
    // Every call takes seven seconds: time runs out.
    world.store.distance_ms.set(7_000);
    let first = rotated(&world, NOW_MS).await;
    assert!(!first.is_finished);
    assert!(
        first.rows_deleted > 0 && first.expired_left > 0,
        "{first:?}"
    );
    assert_eq!(first.expired_left_is_least, rows(&world) > 10_000);
    for _ in 0..100 {
        if rotated(&world, NOW_MS).await.is_finished {
            break;
        }
    }
    assert_eq!(rows(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn trouble_is_waited_out_or_left_to_the_next_run() {
    let world = world();
    fill(&world, 10_000, DAY_MS, NOW_MS);
    world.store.faults.set([
        Fault::None,
        Fault::Before(LOCKED),
        Fault::None,
        Fault::After(LOCKED),
    ]);
    let first = rotated(&world, NOW_MS).await;
    assert!(first.is_finished);
    assert_eq!(
        (rows(&world), first.d1_error),
        (0, Some(ErrorKind::Transient))
    );

    fill(&world, 10_000, DAY_MS, NOW_MS);
    world.store.faults.always(LOCKED);
    let ill = rotated(&world, NOW_MS).await;
    assert!(!ill.is_finished && ill.expired_left_is_least);
    world.store.faults.heal();
    assert!(rotated(&world, NOW_MS).await.is_finished);
    assert_eq!(rows(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn timestamps_that_are_no_times_expire_by_their_text() {
    let world = world();
    for n in 0..3000 {
        world.store.execute(&format!(
            "INSERT INTO tail_logs (log_id, worker_name, log_level, message, timestamp) \
             VALUES ('odd{n}', 'w', 'info', 'm', '1999')"
        ));
    }
    let rotated = rotated(&world, NOW_MS).await;
    assert!(rotated.is_finished);
    assert_eq!(rows(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn logs_that_come_in_meanwhile_are_left_alone() {
    let world = world();
    fill(&world, 20_000, DAY_MS, NOW_MS - 7 * DAY_MS);
    // One slice, then new logs, then the rest.
    world
        .store
        .faults
        .set([Fault::None, Fault::None, Fault::None, Fault::DieBefore]);
    let settings = Settings::default();
    let died = world.run(run_cron(&world.ports, &settings)).await;
    assert_eq!(died, None);
    let new = [message(1, 1, good(0..500))];
    world.process(&settings, &new).await;
    world.run(run_cron(&world.ports, &settings)).await.unwrap();
    assert_eq!(rows(&world), 500);
}

#[test]
fn logs_expire_at_the_full_hour() {
    let at = |text| format_ms(cutoff_ms(parse_ms(text).unwrap(), 7));
    for now in ["2026-11-23T03:00:00.000Z", "2026-11-23T03:59:59.999Z"] {
        assert_eq!(at(now), "2026-11-16T03:00:00.000Z", "{now}");
    }
    assert_eq!(at("2026-11-23T04:00:00.000Z"), "2026-11-16T04:00:00.000Z");
}

#[tokio::test(start_paused = true)]
async fn a_line_says_what_was_done() {
    let world = world();
    fill(&world, 10, 1000, NOW_MS - 1);
    let line = rotated(&world, NOW_MS).await.to_line().json;
    assert!(
        line.starts_with(
            r#"{"level":"info","event":"rotation","message":"10 expired rows deleted","cutoff":"2026-11-23T18:00:00.000Z","rows_deleted":10,"#
        ),
        "{line}"
    );
    assert!(
        line.contains(r#""finished":true,"expired_left":0"#),
        "{line}"
    );
}
