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
use log_record::archive::Rows;
use serde_json::json;
use support::{Cloud, Row, When, failure, signal};
use tailrace::archive::{Archive, Permission};
use tailrace::cli::RecordFormat;
use tailrace::client::Client;
use tailrace::client::d1::Database;
use tailrace::commands::logs::follow::Follower;
use tailrace::commands::logs::follow::archived::ArchiveFollower;
use tailrace::commands::logs::news::News;
use tailrace::commands::logs::print::{Printer, Style};
use tailrace::query::Query;
use tailrace::retry::Policy;
use tailrace::search::newest;
use tailrace::time::Zone;
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

/// Looks at the latest rows, and takes every slice that is due.
async fn look_everywhere(
    follower: &mut Follower,
    database: &Database<'_>,
    seconds: u64,
) -> Vec<String> {
    let mut rows = names(&follower.poll(database).await.unwrap());
    let elapsed = Duration::from_secs(seconds);
    while let Some(found) = follower.deepen(database, elapsed).await {
        rows.extend(names(&found.unwrap()));
    }
    rows
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
    let mut follower = Follower::start(&database, Query::default(), LATE_SECONDS)
        .await
        .unwrap();
    // Stored after the start and before the first screen: on it, so not shown again.
    cloud.insert(&aged(0, "between"));
    let screen = newest(&database, &Query::default(), None, None, 3)
        .await
        .unwrap();
    assert_eq!(names(&screen), ["old1", "old0", "between"]);
    // Stored before `mark_shown` is called, and not on the screen.
    cloud.insert(&aged(1, "just after"));
    follower.mark_shown(&database, &screen).await.unwrap();

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
        shown.extend(look_everywhere(&mut follower, &database, look * 10).await);
        if look == 5 {
            assert!(
                shown.contains(&"late-0-600".to_owned()),
                "within 30 seconds"
            );
            assert!(!shown.contains(&"late-0-18000".to_owned()), "not yet");
        }
    }
    shown.extend(look_everywhere(&mut follower, &database, 10_000).await);
    assert!(
        look_everywhere(&mut follower, &database, 10_001)
            .await
            .is_empty()
    );
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected);
}

/// As `trace --follow` does after a minute.
#[tokio::test]
async fn following_ends_once_nothing_new_has_come_for_a_while() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let archive = Archive::new(&client, &database, "none", Permission::Nothing);
    let mut news = News::start(&archive, Query::default(), LATE_SECONDS)
        .await
        .unwrap();
    // A row comes with each of the first ten looks; a look is a clock and a page.
    let mut looks = 0;
    cloud.before("/raw", move |state| {
        looks += 1;
        if looks <= 20 {
            aged(0, &format!("m{looks}")).insert(&state.db);
        }
    });
    let mut printer = Printer::new(Style {
        format: RecordFormat::Text,
        fields: Vec::new(),
        wrap: false,
        zone: Zone::Utc,
        width: None,
    });
    let (interval, silence) = (Duration::from_millis(50), Duration::from_millis(400));
    let mut out = Vec::new();
    let follow = news.go_on(interval, Some(silence), &mut printer, &mut out);
    let ended = tokio::time::timeout(Duration::from_secs(30), follow).await;
    assert!(ended.unwrap().is_ok());
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 20, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_in_no_row_are_followed_in_new_objects() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let archive = Archive::new(&client, &database, "tailrace-archive", Permission::Asking);
    let line = |seconds, message: &str| aged(seconds, message).kind("log", &json!({}));
    cloud.write_slice(Rows::Index, &[vec![line(9, "a"), line(9, "before")]]);
    let mut follower = ArchiveFollower::start(&archive, Query::default(), LATE_SECONDS)
        .await
        .unwrap();
    assert_eq!(names(&follower.look().await.unwrap()), [""; 0]);
    // The first record of a message and the warning are rows; D1 has every record of the other object.
    let warning = line(8, "warned").level("warn");
    let messages = [
        vec![
            line(8, "first"),
            line(7, "second"),
            warning,
            line(5, "third"),
        ],
        vec![
            line(LATE_SECONDS.into(), "late"),
            line(i64::from(LATE_SECONDS) + 60, "too late"),
        ],
    ];
    cloud.write_slice(Rows::Index, &messages);
    cloud.write_slice(Rows::All, &[vec![line(4, "row"), line(4, "row too")]]);
    // What fails is found by the next look.
    cloud.outage("/r2/");
    assert!(follower.look().await.is_err());
    cloud.state().faults.clear();
    assert_eq!(names(&follower.look().await.unwrap()), ["second", "third"]);
    assert_eq!(names(&follower.look().await.unwrap()), [""; 0]);
    // Delivered again, among others.
    let mut again = messages[0].clone();
    again.extend([line(3, "fourth"), line(2, "shown elsewhere")]);
    cloud.put_records(Rows::Index, &again);
    let found = newest(&database, &Query::default(), None, None, 1)
        .await
        .unwrap();
    let mut shown = found[0].clone();
    shown.log_id.clone_from(&again[5].log_id);
    follower.mark_shown(&[shown]);
    assert_eq!(names(&follower.look().await.unwrap()), ["fourth"]);
}

#[tokio::test]
async fn a_look_that_fails_halfway_neither_misses_nor_repeats() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let mut follower = Follower::start(&database, Query::default(), LATE_SECONDS)
        .await
        .unwrap();
    for n in 0..1500 {
        cloud.insert(&aged(30, &format!("m{n}")));
    }
    // The second page fails for good.
    cloud.fault_after(2, "/raw", 2, When::Before, failure(503, 0, "down"));
    assert!(follower.poll(&database).await.is_err());
    let rows = follower.poll(&database).await.unwrap();
    assert_eq!(rows.len(), 1500);
    assert!(follower.poll(&database).await.unwrap().is_empty());
}

/// The deep look reads rows of hours, which D1 may refuse; the latest rows must not wait for that.
#[tokio::test]
async fn a_deep_look_that_fails_never_holds_up_the_latest_rows() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let mut follower = Follower::start(&database, Query::default(), LATE_SECONDS)
        .await
        .unwrap();
    let mut failed = 0;
    for look in 0..60_u64 {
        cloud.insert(&aged(0, &format!("new-{look}")));
        cloud.insert(&aged(5 * 3600, &format!("late-{look}")));
        let rows = follower.poll(&database).await.unwrap();
        assert_eq!(names(&rows), [format!("new-{look}")]);
        // One row of the right age is never shown, as every deep look fails.
        cloud.fault("/raw", 2, When::Before, failure(503, 0, "down"));
        let elapsed = Duration::from_secs(look * 10);
        if let Some(found) = follower.deepen(&database, elapsed).await {
            assert!(found.is_err());
            failed += 1;
        }
        cloud.state().faults.clear();
    }
    // Both ranges were due from 30 s and 300 s on, and are tried ever more rarely: not at each of the 60 looks.
    assert!((4..=20).contains(&failed), "{failed} deep looks");
    // As soon as D1 answers again, what was late is shown after all, once.
    let mut shown = look_everywhere(&mut follower, &database, 10_000).await;
    shown.retain(|name| name.starts_with("late"));
    assert_eq!(shown.len(), 60, "{shown:?}");
}

#[tokio::test]
async fn a_deep_look_that_is_too_slow_is_divided() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let mut follower = Follower::start(&database, Query::default(), LATE_SECONDS)
        .await
        .unwrap();
    for minute in 3..300 {
        cloud.insert(&aged(minute * 60, &format!("late-{minute}")));
    }
    // D1 manages 10 minutes at a time.
    cloud.state().longest_window = Some(Duration::from_secs(600));
    let shown = look_everywhere(&mut follower, &database, 10_000).await;
    assert_eq!(shown.len(), 297);
}

/// A row's lateness when it was stored counts, not its age when it is looked for: between two looks may be an
/// hour's `--interval`, an outage, or the sleep of a laptop.
#[tokio::test]
async fn rows_in_time_are_shown_however_old_the_last_look_is() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let mut follower = Follower::start(&database, Query::default(), 60)
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
    let rows = follower.poll(&database).await.unwrap();
    assert_eq!(names(&rows), ["in time"]);
}

#[tokio::test]
async fn one_requests_rows_are_shown_however_late() {
    let cloud = Cloud::start().await;
    let client = client(&cloud);
    let database = Database::find(&client, "tailrace").await.unwrap();
    let query = Query::by_correlation_id("mine");
    let mut follower = Follower::start(&database, query, 60).await.unwrap();
    cloud.insert(&aged(6 * 86_400, "mine").ids("mine", "r"));
    cloud.insert(&aged(0, "not mine"));
    let rows = follower.poll(&database).await.unwrap();
    assert_eq!(names(&rows), ["mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_survives_an_outage_and_ends_on_ctrl_c() {
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
