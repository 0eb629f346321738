//! `archive` as a user runs it: the catalog in D1, the objects in R2.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failure of the test"
)]

mod support;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use log_record::archive::ObjectKey;
use support::Cloud;

/// A record of 2026-11-25, as an object has it.
fn record(time: &str, log_id: &str) -> String {
    format!(
        "{{\"log_id\":\"{log_id}\",\"worker_name\":\"shop\",\"request_id\":\"r\",\"correlation_id\":\"c\",\
         \"log_level\":\"info\",\"message\":\"m\",\"context\":{{\"n\":1.50}},\
         \"timestamp\":\"2026-11-25T{time}Z\",\"execution_time_ms\":null}}"
    )
}

/// Puts an object with records of these times, each with the time as its id, and its row in the catalog. Returns its key.
fn put(cloud: &Cloud, digest: u64, times: &[&str]) -> String {
    let stamp = |time: &str| format!("2026-11-25T{time}Z");
    let (first, last) = (stamp(times[0]), stamp(times[times.len() - 1]));
    let key = ObjectKey {
        first_timestamp: &first,
        last_timestamp: &last,
        digest,
    };
    let key = key.to_string();
    let mut object = GzEncoder::new(Vec::new(), Compression::fast());
    for time in times {
        writeln!(object, "{}", record(time, time)).unwrap();
    }
    let mut state = cloud.state();
    state.objects.insert(key.clone(), object.finish().unwrap());
    let counts = format!("{{\"shop\":{{\"info\":{}}}}}", times.len());
    let sql = "INSERT INTO archive_objects (key, first_timestamp, last_timestamp, bytes, rows, counts) \
               VALUES (?1, ?2, ?3, 1500, 'index', ?4)";
    let values = [&key, &first, &last, &counts];
    state.db.execute(sql, values).unwrap();
    drop(state);
    key
}

/// Three objects of two hours; the first two share a record.
async fn cloud_of_three() -> (Cloud, Vec<String>) {
    let cloud = Cloud::start().await;
    let keys = vec![
        put(&cloud, 1, &["12:00:00.000", "12:10:00.000"]),
        put(&cloud, 2, &["12:10:00.000", "12:50:00.000"]),
        put(&cloud, 3, &["13:00:00.000"]),
    ];
    (cloud, keys)
}

fn window<'w>(command: &'w str, since: &'w str, until: &'w str) -> Vec<&'w str> {
    vec!["archive", command, "--since", since, "--until", until]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_the_objects_with_records_of_the_window() {
    let (cloud, keys) = cloud_of_three().await;
    for (since, until, expected) in [
        ("2026-11-25T12:00", "2026-11-25T14:00", &keys[..]),
        ("2026-11-25T12:11", "2026-11-25T13:00", &keys[1..2]),
        ("2026-11-25T12:51", "2026-11-25T13:01", &keys[2..]),
        ("2026-11-25T12:51", "2026-11-25T13:00", &[]),
        ("2026-11-20", "2026-11-25T12:00:00.001", &keys[..1]),
    ] {
        let mut arguments = window("ls", since, until);
        arguments.push("--json");
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let listed = ran.json();
        let listed: Vec<_> = listed.iter().map(|row| row["key"].clone()).collect();
        assert_eq!(listed, expected, "{since} {until}");
    }
    let ran = cloud.run(&["archive", "ls"]).await;
    assert_eq!(ran.messages(), keys);
    ran.says("2026-11-25 12:00:00.000  2026-11-25 12:10:00.000");
    ran.warns("3 objects, 5 records, 4.5 kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_written_record_by_record_and_each_once() {
    let (cloud, keys) = cloud_of_three().await;
    let arguments = window("get", "2026-11-25T12:05", "2026-11-25T13:00:00.001");
    let ran = cloud.run(&arguments).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let expected = ["12:10:00.000", "12:50:00.000", "13:00:00.000"];
    let expected = expected.map(|time| record(time, time));
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected);
    ran.warns("3 records written");
    // The same from the local runtime, whose addresses differ.
    let local = cloud.run_local(&arguments).await;
    assert_eq!(local.stdout, ran.stdout, "{local:?}");
    // What is in the catalog and not in the bucket has expired.
    cloud.state().objects.remove(&keys[1]);
    let ran = cloud.run(&arguments).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 2);
    ran.warns("1 object has expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_named_is_written_whole() {
    let (cloud, keys) = cloud_of_three().await;
    let ran = cloud.run(&["archive", "get", &keys[0], &keys[1]]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json().len(), 4);
    let calls = cloud.state().calls.clone();
    assert!(!calls.iter().any(|call| call.contains("/d1/")), "{calls:?}");
    let ran = cloud.run(&["archive", "get", &keys[0], "v1/none"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.json().len(), 2);
    ran.warns("not in the bucket: v1/none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_damaged_is_named() {
    let (cloud, keys) = cloud_of_three().await;
    cloud
        .state()
        .objects
        .get_mut(&keys[0])
        .unwrap()
        .truncate(20);
    let ran = cloud.run(&["archive", "get", &keys[0]]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns(&keys[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_is_read_only_where_that_is_confirmed() {
    let cloud = Cloud::start().await;
    for digest in 0..301 {
        put(&cloud, digest, &["12:00:00.000"]);
    }
    let mut arguments = window("get", "2026-11-25", "2026-11-26");
    let ran = cloud.run(&arguments).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    ran.warns("301 objects of 451 kB");
    ran.warns("--yes");
    let read = |cloud: &Cloud| {
        let state = cloud.state();
        let calls = state.calls.iter();
        calls.filter(|call| call.contains("/r2/")).count()
    };
    assert_eq!(read(&cloud), 0);
    arguments.push("--yes");
    let ran = cloud.run(&arguments).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    // All of them hold the same record.
    assert_eq!((read(&cloud), ran.stdout.lines().count()), (301, 1));
    let ran = cloud.run(&["archive", "ls"]).await;
    assert_eq!(ran.stdout.lines().count(), 301);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_archive_says_how_to_begin_one() {
    let cloud = Cloud::start().await;
    let ran = cloud.run(&["archive", "ls"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.warns("cargo xtask deploy --archive");
    assert_eq!(cloud.run(&["archive", "get"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_the_form_that_is_asked_for() {
    let (cloud, keys) = cloud_of_three().await;
    let all = window("ls", "2026-11-25", "2026-11-26");
    let ran = cloud.run(&[&all[..], &["-o", "csv"]].concat()).await;
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "key,stored_at,first_timestamp,last_timestamp,bytes,rows,counts"
    );
    assert_eq!(lines.len(), 4, "{ran:?}");
    assert!(lines[1].starts_with(&keys[0]), "{ran:?}");
    assert!(lines[1].contains(",1500,index,"), "{ran:?}");
    let ran = cloud.run(&[&all[..], &["-o", "logfmt"]].concat()).await;
    // A key has `=` in it.
    ran.says(&format!("key=\"{}\" stored_at=", keys[2]));
    let nothing = window("ls", "2026-11-20", "2026-11-21");
    let ran = cloud.run(&[&nothing[..], &["-o", "csv"]].concat()).await;
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
}
