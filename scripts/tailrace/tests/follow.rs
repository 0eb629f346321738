//! `logs --follow`: no row missed and none twice, although rows arrive late, out of order and between two looks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::process::Stdio;
use std::time::Duration;

use chrono::Utc;
use support::{Cloud, Row, When, failure, signal};
use tailrace::client::Client;
use tailrace::client::d1::Database;
use tailrace::commands::logs::follow::Follower;
use tailrace::commands::logs::search::newest;
use tailrace::retry::Policy;
use tailrace::sql::Filter;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const LATE_SECONDS: u32 = 6 * 3600;

fn client(cloud: &Cloud) -> Client {
    let policy = Policy {
        first: Duration::from_millis(1),
        attempts: 2,
    };
    Client::local(cloud.port(), policy).unwrap()
}

/// A line that was logged `seconds` ago.
fn aged(seconds: i64, message: &str) -> Row {
    Row::at(Utc::now().timestamp_millis() - seconds * 1000, message)
}

fn names(rows: &[tailrace::record::Row]) -> Vec<String> {
    rows.iter().map(|row| row.message.clone()).collect()
}

#[tokio::test]
async fn rows_that_arrive_late_and_out_of_order_are_shown_once_each() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    // Old rows that are not among the newest shown at the start are no news.
    for n in 0..10 {
        cloud.insert(&aged(20 + n, &format!("old{n}")));
    }
    let mut follower = Follower::start(&database, Filter::default(), LATE_SECONDS)
        .await
        .unwrap();
    // Stored after the start and before the first screen: on it, so not shown again.
    cloud.insert(&aged(0, "between"));
    let screen = newest(&database, &Filter::default(), None, None, 3)
        .await
        .unwrap();
    assert_eq!(names(&screen), ["old1", "old0", "between"]);
    // Stored before `shown` is called, and not on the screen.
    cloud.insert(&aged(1, "just after"));
    follower.shown(&database, &screen).await.unwrap();

    let mut shown = Vec::new();
    let mut expected = vec!["just after".to_owned()];
    for look in 0..40_u64 {
        // Fresh ones, some a little late, some of the same millisecond and, of these, some sorting before what was seen.
        for (n, age) in [0, 3, 90, 0].into_iter().enumerate() {
            let mut row = aged(age, &format!("new-{look}-{n}"));
            if n == 3 {
                row.log_id = format!("00000000-{look}");
            }
            expected.push(row.message.clone());
            cloud.insert(&row);
        }
        // Redelivered after minutes or hours.
        for age in [600, 5 * 3600] {
            let row = aged(age, &format!("late-{look}-{age}"));
            expected.push(row.message.clone());
            cloud.insert(&row);
        }
        shown.extend(names(
            &follower
                .poll(&database, Duration::from_secs(look * 10))
                .await
                .unwrap(),
        ));
        if look == 5 {
            assert!(
                shown.contains(&"late-0-600".to_owned()),
                "within 30 seconds"
            );
            assert!(!shown.contains(&"late-0-18000".to_owned()), "not yet");
        }
    }
    shown.extend(names(
        &follower
            .poll(&database, Duration::from_secs(10_000))
            .await
            .unwrap(),
    ));
    assert!(
        follower
            .poll(&database, Duration::from_secs(10_001))
            .await
            .unwrap()
            .is_empty()
    );
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_look_that_fails_halfway_neither_misses_nor_repeats() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let mut follower = Follower::start(&database, Filter::default(), LATE_SECONDS)
        .await
        .unwrap();
    for n in 0..1500 {
        cloud.insert(&aged(30, &format!("m{n}")));
    }
    // The second page fails for good.
    cloud.fault_after(2, "/raw", 2, When::Before, failure(503, 0, "down"));
    assert!(follower.poll(&database, Duration::ZERO).await.is_err());
    let rows = follower.poll(&database, Duration::ZERO).await.unwrap();
    assert_eq!(rows.len(), 1500);
    assert!(
        follower
            .poll(&database, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );
}

/// How late a row was when it was stored counts, not how old it is when it is looked for: between two looks may be an
/// hour's `--interval`, an outage, or the sleep of a laptop.
#[tokio::test]
async fn rows_that_were_not_late_are_shown_however_long_ago_the_last_look_was() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let mut follower = Follower::start(&database, Filter::default(), 60)
        .await
        .unwrap();
    // Stored 5 seconds ago, 57 seconds late.
    let row = aged(62, "in time");
    cloud.insert(&row);
    cloud
        .state()
        .db
        .execute(
            "UPDATE tail_logs SET created_at = datetime('now', '-5 seconds')",
            [],
        )
        .unwrap();
    let rows = follower.poll(&database, Duration::ZERO).await.unwrap();
    assert_eq!(names(&rows), ["in time"]);
}

#[tokio::test]
async fn one_requests_rows_are_shown_however_late() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let filter = Filter {
        correlation_id: Some("mine".to_owned()),
        ..Filter::default()
    };
    let mut follower = Follower::start(&database, filter, 60).await.unwrap();
    cloud.insert(&aged(6 * 86_400, "mine").ids("mine", "r"));
    cloud.insert(&aged(0, "not mine"));
    let rows = follower.poll(&database, Duration::ZERO).await.unwrap();
    assert_eq!(names(&rows), ["mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_prints_lines_as_they_arrive_survives_an_outage_and_ends_on_ctrl_c() {
    let cloud = Cloud::start().await;
    cloud.insert(&aged(5, "before"));
    // One arrives after following began (the clock, a look) and before the first screen: it is on that, and not again.
    let mut calls = 0;
    let arrive = move |state: &mut support::api::State| {
        calls += 1;
        if calls == 2 {
            aged(0, "between").insert(&state.db);
        }
    };
    cloud.hook("/raw", arrive);
    let mut child = cloud.spawn(&["logs", "--follow", "--interval", "1"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        line.unwrap().unwrap().unwrap_or_default()
    };
    assert!(next().await.ends_with("before"));
    assert!(next().await.ends_with("between"));
    cloud.insert(&aged(0, "first"));
    assert!(next().await.ends_with("first"));
    cloud.fault("/raw", 6, When::Before, failure(500, 0, "down"));
    cloud.insert(&aged(0, "second"));
    assert!(next().await.ends_with("second"));
    signal(child.id().unwrap(), "-INT");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_it_while_an_answer_is_awaited() {
    let cloud = Cloud::start().await;
    let mut child = cloud
        .command(&["logs", "--follow", "--interval", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Nothing is answered any more, once the first look is over.
    let calls = cloud.clone();
    wait_for(|| calls.state().calls.len() > 6).await;
    let silence = failure(503, 0, "down").set_delay(Duration::from_secs(60));
    cloud.fault("/raw", 1, When::Before, silence);
    wait_for(|| calls.state().faults[0].times == 0).await;
    signal(child.id().unwrap(), "-INT");
    let ended = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
}

/// Waits for what comes by itself.
async fn wait_for(condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
