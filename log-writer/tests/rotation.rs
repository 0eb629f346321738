//! The rotation deletes what expired, all of it and nothing else, in small steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::*;
use log_writer::classify::Class;
use log_writer::rotate::{Rotated, continued_cutoff_ms, daily_cutoff_ms, rotate};
use log_writer::time::{DAY_MS, iso, parse_ms};

/// Rows deleted by one call, at most: twice what a slice should hold, where the density has just doubled.
const MOST_ROWS: u64 = 10_000;

const HOUR_MS: u64 = 60 * 60 * 1000;

fn rotated(world: &World, cutoff_ms: u64) -> Rotated {
    run(rotate(world, cutoff_ms)).expect("the process died")
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

#[test]
fn what_expired_goes_and_what_did_not_stays() {
    let world = world();
    fill(&world, 30_000, 3 * DAY_MS, NOW_MS);
    let rotated = rotated(&world, NOW_MS - DAY_MS);
    assert!(rotated.finished);
    assert_eq!((rotated.rows_deleted, rotated.expired_left), (20_000, 0));
    assert_eq!(rows(&world), 10_000);
}

#[test]
fn a_row_of_exactly_the_cutoff_stays_and_one_a_millisecond_older_goes() {
    let world = world();
    let timestamps = [NOW_MS - 1, NOW_MS, NOW_MS + 1].map(iso);
    let rows: Vec<String> = (0..3)
        .map(|n| row_at(n as u64, "info", &timestamps[n]))
        .collect();
    consumed(
        &world,
        &log_writer::settings::Settings::default(),
        &[message(1, 1, envelope(&rows))],
    );
    assert_eq!(rotated(&world, NOW_MS).rows_deleted, 1);
    assert_eq!(world.store.ids(), [id(1), id(2)]);
}

#[test]
fn nothing_to_do_is_one_call() {
    let world = world();
    fill(&world, 100, 1000, NOW_MS);
    let rotated = rotated(&world, NOW_MS - DAY_MS);
    assert!(rotated.finished);
    assert_eq!((rotated.rows_deleted, rotated.d1_calls), (0, 1));
}

/// However the rows lie in time, no call deletes many, and hardly more rows are counted off than are deleted.
#[test]
fn slices_stay_small_whatever_the_density() {
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
        let rotated = rotated(&world, NOW_MS);
        let largest = world.store.largest_change.get();
        assert!(rotated.finished, "{name}: {rotated:?}");
        assert_eq!((rotated.rows_deleted, rows(&world)), (total, 0), "{name}");
        assert!(largest <= MOST_ROWS, "{name}: {largest} rows in one call");
        assert!(rotated.d1_calls <= 20 + total / 200, "{name}: {rotated:?}");
    }
}

/// However slow the database is, it is not blocked for long; where it is fast, a few calls will do.
#[test]
fn slices_are_as_large_as_the_database_is_fast() {
    for (row_takes_us, most_calls) in [(0, 30), (5, 30), (30, 90), (100, 300), (160, 410)] {
        let world = world();
        fill(&world, 100_000, HOUR_MS, NOW_MS);
        world.store.takes_ms.set(3);
        world.store.row_takes_us.set(row_takes_us);
        let rotated = rotated(&world, NOW_MS);
        let calls = rotated.d1_calls;
        assert!(
            rotated.finished && calls <= most_calls,
            "{row_takes_us} µs a row: {rotated:?}"
        );
        // The first slice is a thousand rows; the others know better.
        let most_ms = u64::max(60, 3 + row_takes_us);
        let longest_ms = rotated.longest_call_ms;
        assert!(
            longest_ms <= most_ms,
            "{row_takes_us} µs a row: {rotated:?}"
        );
    }
}

#[test]
fn where_rows_are_many_each_is_read_hardly_more_than_once() {
    let world = world();
    fill(&world, 200_000, 6 * HOUR_MS, NOW_MS);
    world.store.row_takes_us.set(30);
    assert!(rotated(&world, NOW_MS).finished);
    let read = world.store.rows_read.get();
    assert!(read <= 200_000 * 11 / 10, "{read} rows read");
}

#[test]
fn where_rows_are_few_one_run_does_all_the_same() {
    for (rows, days) in [(100_000, 7), (300_000, 7), (20_000, 365)] {
        let world = world();
        fill(&world, rows, days * DAY_MS, NOW_MS);
        world.store.row_takes_us.set(30);
        let rotated = rotated(&world, NOW_MS);
        assert!(rotated.finished, "{rotated:?}");
        assert_eq!(rotated.rows_deleted, rows);
        let read = world.store.rows_read.get();
        assert!(read <= rows * 21 / 10, "{read} rows read");
    }
}

#[test]
fn a_run_is_bounded_says_what_is_left_and_the_next_one_goes_on() {
    let world = world();
    fill(&world, 50_000, 100, NOW_MS); // 500 rows a millisecond
    // Every call takes half a minute: time runs out.
    world.store.takes_ms.set(30_000);
    let first = rotated(&world, NOW_MS);
    assert!(!first.finished);
    assert!(
        first.rows_deleted > 0 && first.expired_left > 0,
        "{first:?}"
    );
    assert_eq!(first.expired_left_is_least, rows(&world) > 10_000);
    for _ in 0..100 {
        if rotated(&world, NOW_MS).finished {
            break;
        }
    }
    assert_eq!(rows(&world), 0);
}

#[test]
fn trouble_is_waited_out_or_left_to_the_next_run() {
    let world = world();
    fill(&world, 10_000, DAY_MS, NOW_MS);
    world.store.faults.set([
        Fault::None,
        Fault::Before(LOCKED),
        Fault::None,
        Fault::After(LOCKED),
    ]);
    let first = rotated(&world, NOW_MS);
    assert!(first.finished);
    assert_eq!((rows(&world), first.d1_error), (0, Some(Class::Transient)));

    fill(&world, 10_000, DAY_MS, NOW_MS);
    world.store.faults.always(LOCKED);
    let ill = rotated(&world, NOW_MS);
    assert!(!ill.finished && ill.expired_left_is_least);
    world.store.faults.heal();
    assert!(rotated(&world, NOW_MS).finished);
    assert_eq!(rows(&world), 0);
}

#[test]
fn timestamps_that_are_no_times_expire_by_their_text() {
    let world = world();
    for n in 0..3000 {
        world.store.execute(&format!(
            "INSERT INTO tail_logs (log_id, worker_name, log_level, message, timestamp) \
             VALUES ('odd{n}', 'w', 'info', 'm', '1999')"
        ));
    }
    let rotated = rotated(&world, NOW_MS);
    assert!(rotated.finished);
    assert_eq!(rows(&world), 0);
}

#[test]
fn logs_that_come_in_meanwhile_are_left_alone() {
    let world = world();
    fill(&world, 20_000, DAY_MS, NOW_MS - 7 * DAY_MS);
    // One slice, then new logs, then the rest.
    world
        .store
        .faults
        .set([Fault::None, Fault::None, Fault::None, Fault::DieBefore]);
    assert_eq!(run(rotate(&world, daily_cutoff_ms(NOW_MS, 7))), None);
    let settings = log_writer::settings::Settings::default();
    consumed(&world, &settings, &[message(1, 1, good(0..500))]);
    rotated(&world, daily_cutoff_ms(NOW_MS, 7));
    assert_eq!(rows(&world), 500);
}

#[test]
fn a_tick_goes_on_with_what_the_last_rotation_had_to_do() {
    let at = |text| parse_ms(text).unwrap();
    for now in [
        "2026-11-23T03:00:00.000Z",
        "2026-11-23T18:05:00.000Z",
        "2026-11-24T02:59:59.999Z",
    ] {
        assert_eq!(
            iso(continued_cutoff_ms(at(now), 7)),
            "2026-11-16T03:00:00.000Z",
            "{now}"
        );
    }
    assert_eq!(
        iso(daily_cutoff_ms(at("2026-11-23T03:00:01.000Z"), 7)),
        "2026-11-16T03:00:01.000Z"
    );
}

#[test]
fn the_log_line_says_what_was_done() {
    let world = world();
    fill(&world, 10, 1000, NOW_MS - 1);
    let line = rotated(&world, NOW_MS).line();
    assert!(
        line.starts_with(
            r#"{"event":"rotation","cutoff":"2026-11-23T18:00:00.000Z","rows_deleted":10,"#
        ),
        "{line}"
    );
    assert!(
        line.contains(r#""finished":true,"expired_left":0"#),
        "{line}"
    );
}
