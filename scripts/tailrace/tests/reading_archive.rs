//! `trace` and `logs` where D1 holds only rows that one searches by, and where rows have expired.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use log_record::Level;
use log_record::archive::{Counts, Rows};
use serde_json::json;
use support::{Cloud, Ran, Row, failure};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn messages(ran: &Ran) -> Vec<String> {
    let rows = ran.json();
    let messages = rows.iter().map(|row| row["message"].as_str().unwrap());
    messages.map(str::to_owned).collect()
}

/// An invocation's message: its record and `lines` lines, one every 10 ms.
fn invocation(at: i64, worker: &str, ids: (&str, &str), lines: i64) -> Vec<Row> {
    let (correlation, request) = ids;
    let record = |ms, text: String| {
        Row::line(ms, &text)
            .worker(worker)
            .ids(correlation, request)
    };
    let took =
        json!({"event_type": "fetch", "latency_ms": lines * 10, "status": 200, "path": "/orders"});
    let mut rows = vec![record(at, format!("{worker}-ran")).kind("invocation", &took)];
    rows.extend((1..=lines).map(|n| {
        let line = json!({"event_type": "fetch", "seq": n, "data": {"n": n}});
        record(at + n * 10, format!("{worker}-{n}")).kind("log", &line)
    }));
    rows
}

fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.message.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_has_the_lines_that_are_in_the_archive_alone() {
    let cloud = Cloud::start().await;
    let api = invocation(0, "api", ("corr", "ray"), 5);
    let queue = invocation(3 * SECOND, "queue", ("corr", "run"), 4);
    let others = invocation(SECOND, "api", ("other", "ray2"), 50);
    let keys = cloud.write_slice(Rows::Index, &[api.clone(), others.clone()]);
    let more = cloud.write_slice(Rows::Index, std::slice::from_ref(&queue));
    cloud.write_slice(Rows::Index, &[invocation(HOUR, "api", ("c3", "r3"), 9)]);
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(messages(&ran), [names(&api), names(&queue)].concat());
    let mut read = cloud.objects_read();
    read.sort();
    assert_eq!(read, [keys.clone(), more.clone()].concat());
    // By request id, and from the local runtime, whose addresses differ.
    let ran = cloud.run_local(&["trace", "run", "--json"]).await;
    assert_eq!(messages(&ran), names(&queue), "{ran:?}");
    let ran = cloud.run(&["trace", "corr", "-n", "3", "--json"]).await;
    assert_eq!(messages(&ran), names(&api[..3]), "{ran:?}");

    let ran = cloud
        .run(&["trace", "corr", "--json", "--no-archive"])
        .await;
    assert_eq!(messages(&ran), ["api-ran", "queue-ran"]);
    ran.warns("left out: what 2 objects of");
    // What is gone has expired.
    cloud.state().objects.remove(&keys[0]);
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        messages(&ran),
        [vec!["api-ran".to_owned()], names(&queue)].concat()
    );
    ran.warns("1 object has expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_same_fetch_are_found_whatever_their_ids() {
    let cloud = Cloud::start().await;
    let mut rows = invocation(0, "api", ("corr", "ray"), 6);
    for row in &mut rows[4..] {
        *row = row.clone().ids("order-7", "ray");
    }
    let elsewhere = invocation(0, "other", ("o", "ray"), 2);
    cloud.write_slice(Rows::Index, &[rows.clone(), elsewhere]);
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    assert_eq!(messages(&ran), names(&rows));
    let ran = cloud.run(&["trace", "order-7", "--json"]).await;
    assert_eq!(messages(&ran), names(&rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_over_the_full_hour_is_found_whole() {
    let cloud = Cloud::start().await;
    let rows = invocation(HOUR - 25, "api", ("corr", "ray"), 6);
    let keys = cloud.write_slice(Rows::Index, std::slice::from_ref(&rows));
    assert_eq!(keys.len(), 2);
    // Nothing but the invocation's duration tells of the next hour.
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    assert_eq!(messages(&ran), names(&rows));
}

/// Two writers that store an object every two minutes for seven days, one of them a minute after the other; the objects that
/// hold none of `messages` are in the catalog alone. Returns the number of objects.
fn seven_days(cloud: &Cloud, messages: &[(usize, Vec<Row>)]) -> usize {
    let mut counts = Counts::default();
    for _ in 0..6_000 {
        counts.add("api", Level::Info);
    }
    cloud.state().db.execute_batch("BEGIN").unwrap();
    let mut objects = 0;
    for (writer, offset) in [(0, 0), (1, MINUTE)] {
        let mut start = offset;
        while start < 7 * DAY {
            let end = (start + 2 * MINUTE).min((start / HOUR + 1) * HOUR);
            let held: Vec<Row> = messages
                .iter()
                .filter(|(by, rows)| {
                    let first = Row::line(start, "").timestamp;
                    let last = Row::line(end, "").timestamp;
                    *by == writer && first <= rows[0].timestamp && rows[0].timestamp < last
                })
                .flat_map(|(_, rows)| rows.clone())
                .collect();
            let (first, last) = (Row::line(start, "first"), Row::line(end - 1, "last"));
            if held.is_empty() {
                let (first, last) = (&first.timestamp, &last.timestamp);
                cloud.list_object(Rows::Index, first, last, 240_000, &counts);
            } else {
                let held = [vec![first], held, vec![last]].concat();
                assert_eq!(cloud.put_records(Rows::Index, &held).len(), 1);
            }
            objects += 1;
            start = end;
        }
    }
    cloud.state().db.execute_batch("COMMIT").unwrap();
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_among_ten_thousand_objects_reads_two_each() {
    let at = 3 * DAY + 11 * HOUR + 57 * MINUTE + 55 * SECOND;
    // Six seconds, in which the next object begins.
    let mut slow = invocation(at, "api", ("corr", "ray"), 20);
    for (n, row) in (0..).zip(&mut slow) {
        row.timestamp = Row::line(at + n * 300, "").timestamp;
    }
    let parts = [
        (0, slow),
        (1, invocation(at + 4 * SECOND, "queue", ("corr", "run"), 7)),
        (
            0,
            invocation(at + 9 * SECOND, "hooks", ("corr", "hook"), 30),
        ),
    ];
    let cloud = Cloud::start().await;
    let objects = seven_days(&cloud, &parts);
    assert!(objects >= 10_000, "{objects}");
    for (_, rows) in &parts {
        // As `ROWS=index` has it, with a warning near the end.
        cloud.insert(&rows[0]);
        cloud.insert(&rows[rows.len() - 2]);
    }
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut expected: Vec<_> = parts.iter().flat_map(|(_, rows)| rows).collect();
    expected.sort_by_key(|row| (&row.timestamp, &row.log_id));
    let expected: Vec<_> = expected.iter().map(|row| row.message.clone()).collect();
    assert_eq!(messages(&ran), expected);
    let read = cloud.objects_read();
    assert!(read.len() <= 2 * parts.len(), "{read:?}");
    for (id, (_, rows)) in ["ray", "run", "hook"].iter().zip(&parts) {
        cloud.state().calls.clear();
        let ran = cloud.run(&["trace", id, "--json"]).await;
        assert_eq!(messages(&ran), names(rows));
        let read = cloud.objects_read();
        assert!(read.len() <= 2, "{id}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_rows_a_trace_reads_the_time_it_is_given() {
    let cloud = Cloud::start().await;
    let old = invocation(0, "api", ("0b0f-old", "ray-old"), 4);
    let other = invocation(SECOND, "api", ("0b0e-other", "ray-x"), 4);
    for rows in [&old, &other] {
        cloud.put_records(Rows::All, rows);
    }
    // The oldest row, five days later.
    cloud.insert(&Row::line(5 * DAY, "kept"));
    let ran = cloud.run(&["trace", "0b0f-old"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    ran.warns("the archive has older records: --since and --until");
    assert_eq!(cloud.objects_read(), [""; 0]);
    let day = ["--since", "2026-11-23", "--until", "2026-11-24", "--json"];
    for id in ["0b0f-old", "0b0f", "ray-old"] {
        let ran = cloud.run(&[&["trace", id], &day[..]].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(messages(&ran), names(&old), "{id}");
    }
    for (id, text) in [("0b0", "nothing has"), ("ray-", "several ids begin with")] {
        let ran = cloud.run(&[&["trace", id], &day[..]].concat()).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{id}");
        ran.warns(text);
    }
    let later = [
        "trace",
        "0b0f",
        "--since",
        "2026-11-24",
        "--until",
        "2026-11-25",
    ];
    assert_eq!(cloud.run(&later).await.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_of_the_archive_is_read_only_where_confirmed() {
    let cloud = Cloud::start().await;
    for n in 0..301 {
        cloud.put_records(
            Rows::All,
            &invocation(n * SECOND, "api", ("corr", "ray"), 1),
        );
    }
    cloud.insert(&Row::line(5 * DAY, "kept"));
    let day = ["--since", "2026-11-23", "--until", "2026-11-24", "--json"];
    let all = ["-n", "all"];
    for arguments in [
        [&["trace", "corr"], &day[..]].concat(),
        [&["logs"], &day[..], &all].concat(),
    ] {
        let ran = cloud.run(&arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        ran.warns("301 objects of");
        ran.warns("--yes");
        assert_eq!(cloud.objects_read(), [""; 0]);
        let ran = cloud.run(&[&arguments[..], &["--yes"]].concat()).await;
        assert_eq!((ran.code, ran.json().len()), (0, 602), "{}", ran.stderr);
        cloud.state().calls.clear();
        let ran = cloud
            .run(&[&arguments[..], &["--no-archive"]].concat())
            .await;
        ran.warns("left out: what 301 objects of");
        assert_eq!(cloud.objects_read(), [""; 0]);
    }
    // Where the newest objects are enough, nobody is asked.
    let ran = cloud.run(&[&["logs", "-n", "7"], &day[..]].concat()).await;
    assert_eq!((ran.code, ran.json().len()), (0, 7), "{ran:?}");
    assert!(cloud.objects_read().len() < 20);
}

/// Two installations with the same records: one has a row of each, the other a few rows, and an archive, in which some are
/// twice.
async fn twins() -> (Cloud, Cloud) {
    store_twice(true).await
}

async fn store_twice(has_copies: bool) -> (Cloud, Cloud) {
    let (whole, index) = (Cloud::start().await, Cloud::start().await);
    let mut slice = Vec::new();
    for n in 0..240_i64 {
        let worker = ["api", "queue", "hooks"][usize::try_from(n % 3).unwrap()];
        let (correlation, request) = (format!("corr-{}", n / 2), format!("ray-{n}"));
        // Slices overlap, and go over full hours.
        let at = n * 37 * SECOND - (n % 5) * 40 * SECOND;
        let mut rows = invocation(at, worker, (&correlation, &request), n % 13);
        for (line, row) in rows.iter_mut().enumerate() {
            row.level = match (usize::try_from(n).unwrap() + line) % 11 {
                0 => "warn",
                1 => "error",
                2 | 3 => "debug",
                _ => "info",
            };
            if line == 3 {
                *row = row.clone().kind("exception", &json!({"name": "TypeError"}));
            }
        }
        for row in &rows {
            whole.insert(row);
        }
        slice.push(rows);
        if slice.len() == 20 || n == 239 {
            index.write_slice(Rows::Index, &slice);
            if has_copies && n % 3 == 2 {
                // Delivered again, among others.
                index.put_records(Rows::Index, &slice[7..].concat());
            }
            slice.clear();
        }
    }
    (whole, index)
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_finds_the_same_in_rows_and_archive_as_in_rows() {
    let (whole, index) = twins().await;
    for arguments in [
        &[][..],
        &["-n", "17"],
        &["-n", "all"],
        &["-n", "all", "--grep", "api-7"],
        &["--grep", "queue-3", "-n", "4"],
        &["--grep", "queue-3", "-v", "-n", "400"],
        &["-q", "n>=4 worker:h*", "-n", "all"],
        &["-q", "level:debug -worker:api", "-n", "300"],
        &["--level", "warn"],
        &["--kind", "log", "--status", "2xx"],
        &["--kind", "exception"],
        &["--min-ms", "50"],
        &[
            "--since",
            "2026-11-23T00:40:00.020",
            "--until",
            "2026-11-23T01:10",
            "-n",
            "all",
        ],
        &[
            "--since",
            "2026-11-23T00:40:00.020",
            "--until",
            "2026-11-23T01:10",
            "-n",
            "100",
        ],
        &["-c", "corr-19"],
        &["-c", "corr-19", "-n", "all"],
        &["-r", "ray-100", "-l", "info"],
        &["--grep", "hooks-5", "-C", "2", "-n", "20"],
        &["--grep", "hooks-5", "-C", "3", "-n", "all"],
        &["-q", "kind:exception", "-C", "2", "-n", "30"],
        &[
            "--grep",
            "api-\\d$",
            "-E",
            "--since",
            "2026-11-23",
            "-n",
            "90",
        ],
        &["--grep", "nowhere"],
    ] {
        let arguments = [&["logs", "-o", "json"], arguments].concat();
        let (expected, ran) = (whole.run(&arguments).await, index.run(&arguments).await);
        assert_eq!(ran.stdout, expected.stdout, "{arguments:?} {}", ran.stderr);
        assert_eq!(ran.code, expected.code, "{arguments:?} {}", ran.stderr);
        let said = |ran: &Ran| ran.stderr.contains("there are more");
        assert_eq!(said(&ran), said(&expected), "{arguments:?}");
    }
    for n in (0..240).step_by(7) {
        let id = format!("corr-{}", n / 2);
        for arguments in [["trace", &id], ["trace", &format!("ray-{n}")]] {
            let (expected, ran) = (whole.run(&arguments).await, index.run(&arguments).await);
            assert_eq!(ran.stdout, expected.stdout, "{arguments:?} {}", ran.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_counts_lines_that_are_in_no_row() {
    let (whole, index) = store_twice(false).await;
    // And an hour in which all records are rows, in one archived as well.
    let later = invocation(5 * HOUR, "api", ("later", "later"), 9);
    for row in &later {
        whole.insert(row);
    }
    index.write_slice(Rows::All, std::slice::from_ref(&later));
    let window = ["--since", "2026-11-22", "--until", "2026-11-24"];
    for arguments in [
        &[][..],
        &["--worker", "api"],
        &["-w", "queue", "-w", "hooks"],
    ] {
        let arguments = [&["stats", "--json"], &window[..], arguments].concat();
        let (expected, ran) = (whole.run(&arguments).await, index.run(&arguments).await);
        let (expected, found) = (expected.json(), ran.json());
        assert_eq!(found[0]["workers"], expected[0]["workers"], "{arguments:?}");
        assert_eq!(found[0]["counts_whole_objects"], true);
        assert_eq!(expected[0]["counts_whole_objects"], false);
        ran.warns("the counts of the archive's objects");
    }
    assert_eq!(index.objects_read(), [""; 0]);
    // An object counts whole, however little of it is in the window.
    let cloud = Cloud::start().await;
    cloud.write_slice(Rows::Index, &[invocation(0, "api", ("c", "r"), 9)]);
    let arguments = ["stats", "--json", "--since", "2026-11-23", "--until"];
    let ran = cloud
        .run(&[&arguments[..], &["2026-11-23T00:00:00.015"]].concat())
        .await;
    assert_eq!(ran.json()[0]["workers"][0]["records"]["info"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_reads_no_object_that_cannot_hold_a_match() {
    let (_, index) = twins().await;
    for arguments in [
        &["--level", "warn", "-n", "all"][..],
        &["--kind", "invocation", "-n", "all"],
        &["--kind", "exception", "-n", "all"],
        &["--min-ms", "1", "-n", "all"],
        &["--worker", "nobody", "-n", "all"],
        &["--no-archive", "-n", "all"],
    ] {
        let ran = index.run(&[&["logs"], arguments].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(index.objects_read(), [""; 0], "{arguments:?}");
    }
    let ran = index.run(&["logs", "--no-archive"]).await;
    ran.warns("left out: what ");
    // Whole rows need no archive.
    let cloud = Cloud::start().await;
    cloud.write_slice(Rows::All, &[invocation(0, "api", ("c", "r"), 9)]);
    let ran = cloud.run(&["logs", "--json"]).await;
    assert_eq!((ran.json().len(), cloud.objects_read().len()), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_reads_what_has_expired_where_since_asks_for_it() {
    let cloud = Cloud::start().await;
    let old = invocation(0, "api", ("corr", "ray"), 4);
    cloud.put_records(Rows::All, &old);
    let kept = invocation(5 * DAY, "api", ("corr2", "ray2"), 3);
    cloud.write_slice(Rows::All, std::slice::from_ref(&kept));
    let ran = cloud.run(&["logs", "--json"]).await;
    assert_eq!(messages(&ran), names(&kept));
    let ran = cloud.run(&["logs", "--grep", "nowhere"]).await;
    ran.warns("the archive has older records: --since");
    for limit in ["100", "all"] {
        let arguments = ["logs", "--json", "--since", "2026-11-23", "-n", limit];
        let ran = cloud.run(&arguments).await;
        assert_eq!(messages(&ran), [names(&old), names(&kept)].concat());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_r2_is_told_what_it_lacks() {
    let cloud = Cloud::start().await;
    cloud.write_slice(Rows::Index, &[invocation(0, "api", ("c", "r"), 9)]);
    let refused = failure(403, 10000, "Authentication error");
    cloud.fault("/r2/", usize::MAX, support::When::Before, refused);
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("Workers R2 Storage: Read");
    ran.warns("--no-archive");
    assert_eq!(cloud.run(&["logs", "--no-archive"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_the_archive_is_read_as_always() {
    let cloud = Cloud::with(&support::rows::a_request()).await;
    let drop = "DROP TABLE archive_objects";
    cloud.state().db.execute_batch(drop).unwrap();
    assert_eq!(cloud.run(&["logs", "--json"]).await.json().len(), 6);
    assert_eq!(cloud.run(&["trace", "corr"]).await.code, 0);
    assert_eq!(cloud.run(&["trace", "unknown"]).await.code, 1);
}
