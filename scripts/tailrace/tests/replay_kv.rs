//! `replay` of the KV fallback, and with `--local`, as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use log_record::{DeadLetterPayload, Reason};
use serde_json::json;
use support::letters::{each_once, envelope, kv_keys, letter, put, records, row};
use support::{Cloud, When, failure};
use wiremock::ResponseTemplate;

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_kv_comes_back_page_by_page_and_only_then_goes() {
    let cloud = Cloud::start().await;
    cloud.state().kv_page = 30;
    for n in 0..70 {
        let key = format!("envelope/2026-11-22T00:00:00.{n:03}Z-u");
        put(&cloud, &key, &envelope(&[row(&format!("e{n}"))]));
        let key = format!("dead-letter/2026-11-22T00:00:00.{n:03}Z-u");
        put(
            &cloud,
            &key,
            &records(Reason::RetriesExhausted, &[row(&format!("d{n}"))]),
        );
    }
    put(&cloud, "envelope/2026-11-22T00:00:00.000Z-bad", "garbage");
    // Written while this runs, for all it can know.
    put(
        &cloud,
        "dead-letter/2999-11-22T00:00:00.000Z-u",
        &records(Reason::Rejected, &[row("later")]),
    );
    let ran = cloud.run(&["replay", "--from", "kv", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.says("141 dead letters");
    ran.says("70  retries_exhausted (refused by the queue)");
    assert_eq!(kv_keys(&cloud).len(), 142);
    // Publishing fails at first: no key is deleted for that.
    cloud.fault("/messages/batch", 5, When::Before, failure(500, 0, "down"));
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(kv_keys(&cloud).len(), 142);
    let ran = cloud
        .run(&["replay", "--from", "kv", "--limit", "10"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("left 1: a body that is not an envelope");
    each_once(&cloud, 140);
    assert_eq!(
        kv_keys(&cloud),
        [
            "dead-letter/2999-11-22T00:00:00.000Z-u",
            "envelope/2026-11-22T00:00:00.000Z-bad"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_what_is_taken_and_not_what_stays_before_it() {
    let cloud = Cloud::start().await;
    cloud.state().kv_page = 15;
    for n in 0..50 {
        let (reason, name) = if n < 40 {
            (Reason::RetriesExhausted, format!("first{n}"))
        } else {
            (Reason::Rejected, format!("last{n}"))
        };
        let key = format!("dead-letter/2026-11-22T00:00:00.{n:03}Z-u");
        put(&cloud, &key, &records(reason, &[row(&name)]));
    }
    let limited = [
        "replay", "--from", "kv", "--reason", "rejected", "--limit", "4",
    ];
    let ran = cloud.run(&limited).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    for expected in [
        "replayed 4 dead letters",
        "left 40: not of a reason asked for",
        "left 6: beyond --limit",
    ] {
        ran.says(expected);
    }
    each_once(&cloud, 4);
    assert_eq!(kv_keys(&cloud).len(), 46);
    let ran = cloud.run(&[&limited[..], &["--dry-run"]].concat()).await;
    assert!(ran.stdout.starts_with("4 dead letters"), "{}", ran.stdout);
}

/// A key has the time of Cloudflare's clock in it, of which this machine's may lag behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_clock_of_this_machine_hides_no_key() {
    let cloud = Cloud::start().await;
    let theirs = chrono::Utc::now() + chrono::TimeDelta::hours(2);
    let key = (theirs - chrono::TimeDelta::hours(1)).format("dead-letter/%Y-%m-%dT%H:%M:%S%.3fZ-u");
    put(
        &cloud,
        &key.to_string(),
        &records(Reason::RetriesExhausted, &[row("recent")]),
    );
    let namespaces = ResponseTemplate::new(200)
        .insert_header("date", theirs.to_rfc2822().replace("+0000", "GMT"))
        .set_body_json(json!({
            "success": true, "errors": [], "result": [{"id": "kv-id", "title": "tailrace-fallback"}],
        }));
    cloud.fault_after(0, "/namespaces", 1, When::Before, namespaces);
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    each_once(&cloud, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_deleted_is_replayed_again_harmlessly() {
    let cloud = Cloud::start().await;
    put(
        &cloud,
        "dead-letter/2026-11-22T00:00:00.000Z-u",
        &records(Reason::RetriesExhausted, &[row("d")]),
    );
    cloud.outage("DELETE");
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!((ran.code, kv_keys(&cloud).len()), (1, 1), "{ran:?}");
    ran.says("replayed, but not taken away");
    cloud.state().faults.clear();
    assert_eq!(cloud.run(&["replay", "--from", "kv"]).await.code, 0);
    assert!(kv_keys(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_deleted_ends_the_run() {
    let cloud = Cloud::start().await;
    // One that the database rejects beside three good ones.
    for (n, level) in ["loud", "info", "info", "info"].into_iter().enumerate() {
        let key = format!("dead-letter/2026-11-22T00:00:00.{n:03}Z-u");
        let row = row(&format!("d{n}")).level(level);
        put(&cloud, &key, &records(Reason::Rejected, &[row]));
    }
    cloud.outage("DELETE");
    let ran = cloud.run_local(&["replay"]).await;
    assert_eq!((ran.code, kv_keys(&cloud).len()), (1, 4), "{ran:?}");
    ran.says("replayed 3 dead letters (3 records)");
    ran.says("left 3: replayed, but not taken away yet");
    ran.warns("CHECK constraint");
}

#[tokio::test(flavor = "multi_thread")]
async fn locally_letters_go_from_kv_into_the_database() {
    let cloud = Cloud::start().await;
    let good = [row("g1"), row("g2")];
    put(
        &cloud,
        "dead-letter/2026-11-22T00:00:00.000Z-a",
        &records(Reason::RetriesExhausted, &good),
    );
    put(
        &cloud,
        "dead-letter/2026-11-22T00:00:00.001Z-b",
        &records(Reason::Rejected, &[row("bad").level("loud")]),
    );
    put(
        &cloud,
        "dead-letter/2026-11-22T00:00:00.002Z-c",
        &letter(Reason::Undecodable, DeadLetterPayload::Body("x".to_owned())),
    );
    put(
        &cloud,
        "envelope/2026-11-22T00:00:00.003Z-d",
        &envelope(&[row("e1")]),
    );
    // Stored before, as after a run that was killed.
    cloud.insert(&good[0]);
    let ran = cloud.run_local(&["replay", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.says("4 dead letters");
    let ran = cloud.run_local(&["replay"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 2 dead letters (3 records) to the local database");
    ran.says("left 1: a body that is not an envelope; only a queue takes it");
    ran.warns("CHECK constraint");
    ran.warns("violates the schema");
    let keys = kv_keys(&cloud);
    assert_eq!(keys.len(), 2, "{keys:?}");
    let ran = cloud.run_local(&["logs", "--json"]).await;
    let mut stored: Vec<_> = ran
        .json()
        .iter()
        .map(|row| row["log_id"].as_str().unwrap().to_owned())
        .collect();
    stored.sort_unstable();
    assert_eq!(stored, ["e1", "g1", "g2"]);
    assert_eq!(ran.json()[0]["context"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failure_keeps_from_being_replayed_is_counted_as_left() {
    let cloud = Cloud::start().await;
    for n in 0..50 {
        let key = format!("dead-letter/2026-11-22T00:00:00.{n:03}Z-u");
        let letter = records(Reason::RetriesExhausted, &[row(&format!("d{n}"))]);
        put(&cloud, &key, &letter);
    }
    // 20 keys are worked on together, and this is of the second 20: the others of those are replayed.
    cloud.outage("00.020Z-u");
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 39 dead letters");
    ran.says("left 11: not delivered");
    assert_eq!(kv_keys(&cloud).len(), 11);
    each_once(&cloud, 39);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_stays_and_is_counted_as_left() {
    let cloud = Cloud::start().await;
    for n in 0..30 {
        let key = format!("dead-letter/2026-11-22T00:00:00.{n:03}Z-u");
        let letter = records(Reason::RetriesExhausted, &[row(&format!("d{n}"))]);
        put(&cloud, &key, &letter);
    }
    let ran = cloud
        .run(&["replay", "--from", "kv", "--export", "/dev/full"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("--export /dev/full");
    ran.says("replayed 0 dead letters");
    ran.says("left 20: could not be published");
    ran.says("left 10: not delivered");
    assert_eq!(kv_keys(&cloud).len(), 30);
}
