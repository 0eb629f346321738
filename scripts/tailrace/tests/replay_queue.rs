//! `replay` of the dead-letter queue as a user runs it, against a stand-in whose queues lease, expire, redeliver and fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use base64::Engine as _;
use log_record::{DeadLetter, DeadLetterPayload, Reason};
use serde_json::Value;
use serde_json::value::RawValue;
use support::letters::{
    DLQ, cloud_of, cloud_of_one_apart, delivered, each_at_least_once, each_once, envelope, kv_keys,
    leased, left, letter, letter_apart, published, put, records, row,
};
use support::{Cloud, Ran, When, failure, signal_from_inside};
use wiremock::ResponseTemplate;

#[tokio::test(flavor = "multi_thread")]
async fn every_letter_comes_back_once_and_the_queue_is_empty() {
    for concurrency in ["1", "8"] {
        let cloud = cloud_of(730).await;
        let ran = cloud.run(&["replay", "--concurrency", concurrency]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(
            ran.stdout,
            "replayed 730 dead letters (730 records) to tail-logs\n"
        );
        assert_eq!(left(&cloud), 0);
        each_once(&cloud, 730);
        // Packed together, not a message for each.
        assert!(cloud.state().queues["tail-logs"].published.len() <= 30);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_the_platform_moved_are_sent_as_they_are() {
    let cloud = Cloud::start().await;
    let body = envelope(&[row("a"), row("b")]);
    cloud.state().enqueue(DLQ, &body);
    // As a producer that sends JSON would have had it: base64 over this API.
    let encoded = base64::engine::general_purpose::STANDARD.encode(envelope(&[row("c")]));
    let now = chrono::Utc::now().timestamp_millis() - 1000;
    cloud
        .state()
        .enqueue_as(DLQ, &encoded, "json", now - 60_000);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(cloud.state().queues["tail-logs"].published[0], body);
    each_once(&cloud, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_again_stays_unless_it_is_named() {
    let cloud = Cloud::start().await;
    let undecodable = letter(
        Reason::Undecodable,
        DeadLetterPayload::Body("garbage".to_owned()),
    );
    let newer = r#"{"v":2,"records":[]}"#;
    {
        let mut state = cloud.state();
        state.enqueue(DLQ, &undecodable);
        state.enqueue(DLQ, newer);
        state.enqueue(DLQ, "not an envelope at all");
        state.enqueue_as(DLQ, "//79", "bytes", 0);
        // An old version of the Worker did not know this version; this tool does.
        let readable = envelope(&[row("now readable")]);
        state.enqueue(
            DLQ,
            &letter(
                Reason::UnsupportedVersion,
                DeadLetterPayload::Body(readable),
            ),
        );
        state.enqueue(DLQ, &records(Reason::Rejected, &[row("ok")]));
    }
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 2 dead letters");
    ran.says("left 4: a body that is no envelope");
    assert_eq!((left(&cloud), leased(&cloud)), (4, 0));
    each_once(&cloud, 2);
    // Named, they are sent as they came.
    let ran = cloud
        .run(&[
            "replay",
            "--reason",
            "undecodable",
            "--reason",
            "unsupported-version",
        ])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(left(&cloud), 1, "bytes cannot be published over this API");
    ran.says("left 1: not text");
    let sent = cloud.state().queues["tail-logs"].published.clone();
    for body in ["garbage", newer, "not an envelope at all"] {
        assert!(sent.iter().any(|sent| sent == body), "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_reasons_asked_for_and_no_more_than_the_limit() {
    let cloud = cloud_of(5).await;
    for n in 0..3 {
        let body = records(Reason::Rejected, &[row(&format!("x{n}"))]);
        cloud.state().enqueue(DLQ, &body);
    }
    let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 3 dead letters");
    ran.says("left 5: not of a reason asked for");
    assert_eq!((left(&cloud), leased(&cloud)), (5, 0));
    let ran = cloud.run(&["replay", "--limit", "2"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 3), "{ran:?}");
    ran.says("left 3: beyond --limit");
    ran.says("replayed 2 dead letters");
    let ran = cloud.run(&["replay", "--limit", "3"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_by_reason_age_and_worker_and_changes_nothing() {
    let cloud = cloud_of(150).await;
    {
        let mut state = cloud.state();
        let now = chrono::Utc::now();
        let recent = DeadLetter::new(
            Reason::Rejected,
            "why",
            1,
            now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            DeadLetterPayload::Records(vec![
                RawValue::from_string(row("w").worker("writer").wire()).unwrap(),
            ]),
        );
        state.enqueue(DLQ, &recent.encode().unwrap());
        state.enqueue(DLQ, &envelope(&[row("m1"), row("m2")]));
    }
    let ran = cloud.run(&["replay", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for expected in [
        "152 dead letters",
        "nothing was changed",
        "150  retries_exhausted (given up by log-writer)",
        "1  retries_exhausted (moved by the platform)",
        "1  rejected",
        "2  under an hour",
        "152  api",
        "1  writer",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    assert_eq!((left(&cloud), leased(&cloud)), (152, 0));
    assert!(published(&cloud).is_empty());
    let acked = cloud
        .state()
        .calls
        .iter()
        .any(|call| call.contains("/batch"));
    assert!(!acked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_exports_the_reasons_asked_for() {
    let cloud = cloud_of(5).await;
    let odd = records(Reason::Rejected, &[row("odd")]);
    cloud.state().enqueue(DLQ, &odd);
    put(&cloud, "dead-letter/2026-11-22T00:00:00.000Z-a", &odd);
    put(
        &cloud,
        "dead-letter/2026-11-22T00:00:00.001Z-b",
        &records(Reason::RetriesExhausted, &[row("other")]),
    );
    for (from, others) in [("queue", 5), ("kv", 1)] {
        let dry = [
            "replay",
            "--dry-run",
            "--reason",
            "rejected",
            "--from",
            from,
        ];
        let ran = cloud.run(&dry).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.starts_with("1 dead letter at"), "{}", ran.stdout);
        let left = format!("left {others}: not of a reason asked for");
        ran.says(&left);
        assert!(!ran.stdout.contains("retries_exhausted"), "{}", ran.stdout);
        let ran = cloud.run(&[&dry[..], &["--export", "-"]].concat()).await;
        assert_eq!(ran.json().len(), 1);
        assert_eq!(ran.json()[0]["reason"], "rejected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_letter_seen_is_exported_before_it_is_taken_away() {
    let cloud = cloud_of(3).await;
    let body = letter(
        Reason::Undecodable,
        DeadLetterPayload::Body("garbage".to_owned()),
    );
    cloud.state().enqueue(DLQ, &body);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letters.ndjson");
    let ran = cloud
        .run(&["replay", "--export", file.to_str().unwrap()])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["records"][0]["log_id"], "r0");
    assert_eq!(lines[0]["reason"], "retries_exhausted");
    assert_eq!(lines[3]["body"], "garbage");
    // A run that cannot begin leaves an earlier export, which may be the only copy there is.
    let file = file.to_str().unwrap();
    let ran = cloud
        .run(&["replay", "--export", file, "--dead-letter-queue", "nope"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    // So does one that has seen nothing when it fails.
    cloud.fault_after(1, "/keys", 5, When::Before, failure(500, 0, "down"));
    let ran = cloud
        .run(&["replay", "--export", file, "--from", "kv"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    // One that finds nothing says so in the file as well.
    let ran = cloud
        .run(&["replay", "--export", file, "--from", "kv"])
        .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "");
    // To standard output, the summary makes way.
    let ran = cloud.run(&["replay", "--dry-run", "--export", "-"]).await;
    assert_eq!(ran.json().len(), 1);
    // A file that cannot be made: nothing is touched.
    let nowhere = folder.path().join("missing").join("letters.ndjson");
    let ran = cloud
        .run(&["replay", "--export", nowhere.to_str().unwrap()])
        .await;
    assert_eq!(ran.code, 2);
    assert_eq!(left(&cloud), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_not_taken_away_and_given_back_at_once() {
    let cloud = cloud_of(150).await;
    let ran = cloud.run(&["replay", "--export", "/dev/full"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("--export /dev/full");
    assert_eq!((left(&cloud), leased(&cloud)), (150, 0), "{ran:?}");
    assert!(published(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_messages_than_asked_for_are_neither_lost_nor_taken() {
    let cloud = cloud_of(250).await;
    cloud.state().surplus = 30;
    let ran = cloud.run(&["replay", "--limit", "20"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 20 dead letters");
    ran.says("left 230: beyond --limit");
    assert_eq!((left(&cloud), leased(&cloud)), (230, 0));
    each_once(&cloud, 20);
    let ran = cloud.run(&["replay", "--dry-run", "--limit", "20"]).await;
    assert!(ran.stdout.starts_with("20 dead letters"), "{}", ran.stdout);
    ran.says("left 210: beyond --limit");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_queue_says_so() {
    let cloud = Cloud::start().await;
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.warns("the dead-letter queue is empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_named_with_the_next_step() {
    let cloud = cloud_of(1).await;
    let ran = cloud.run(&["replay", "--dead-letter-queue", "nope"]).await;
    assert_eq!(ran.code, 1);
    ran.warns("no queue named \"nope\"");
    ran.warns("--dead-letter-queue");
    let ran = cloud.run(&["replay", "--env", "staging"]).await;
    ran.warns("no queue named \"tail-logs-staging\"");
    let ran = cloud
        .run(&["replay", "--from", "kv", "--fallback", "nope"])
        .await;
    ran.warns("no KV namespace named \"nope\"");
    cloud.state().queues.get_mut(DLQ).unwrap().pull_consumer = false;
    let ran = cloud.run(&["replay"]).await;
    ran.warns("no HTTP pull consumer");
    ran.warns("consumer http add");
    let mut command = cloud.command(&["replay"]);
    let ran: Ran = command
        .env("CLOUDFLARE_API_TOKEN", "wrong")
        .output()
        .await
        .unwrap()
        .into();
    ran.warns("CLOUDFLARE_API_TOKEN");
    assert_eq!(left(&cloud), 1);
    for arguments in [
        vec!["replay", "--reason", "boredom"],
        vec!["replay", "--limit", "0"],
        vec!["replay", "--local", "--from", "queue"],
    ] {
        assert_eq!(cloud.run(&arguments).await.code, 2, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_failures_of_each_call_are_ridden_out() {
    for call in ["/messages/pull", "/messages/batch", "/messages/ack"] {
        for when in [When::Before, When::After] {
            let cloud = cloud_of(250).await;
            let throttled = failure(429, 10013, "rate limited").insert_header("retry-after", "1");
            cloud.fault(call, 1, when, throttled);
            cloud.fault(call, 1, when, ResponseTemplate::new(503));
            if call == "/messages/pull" && when == When::After {
                // Messages leased by an answer that never came return when their leases run out.
                cloud.hook("/messages/pull", |state| state.expire_leases(DLQ));
            }
            let ran = cloud.run(&["replay", "--concurrency", "1"]).await;
            assert_eq!(ran.code, 0, "{call} {ran:?}");
            assert_eq!(left(&cloud), 0);
            // An answer lost after the fact means publishing again: twice on the queue, once in D1.
            each_at_least_once(&cloud, 250);
            if (call, when) != ("/messages/batch", When::After) {
                each_once(&cloud, 250);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_that_was_not_published() {
    let cloud = cloud_of(250).await;
    // The first call works, everything after it does not.
    cloud.outage_after(1, "/id-tail-logs/messages/batch");
    let ran = cloud.run(&["replay", "--concurrency", "1"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 100 dead letters");
    ran.says("left 100: could not be published");
    ran.says("left 50: not delivered");
    ran.warns("could not publish to the queue");
    assert_eq!(
        (left(&cloud), leased(&cloud)),
        (150, 0),
        "given back at once"
    );
    // Later it works, and every record has been published once.
    cloud.state().faults.clear();
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_over_several_messages_is_acknowledged_only_when_all_are_published() {
    let cloud = Cloud::start().await;
    let rows: Vec<_> = (0..8)
        .map(|n| {
            let mut row = row(&format!("big{n}"));
            row.message = "x".repeat(100_000);
            row
        })
        .collect();
    let body = records(Reason::RetriesExhausted, &rows);
    cloud.state().enqueue(DLQ, &body);
    cloud.outage_after(1, "/messages/batch");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    cloud.state().faults.clear();
    assert_eq!(cloud.run(&["replay"]).await.code, 0);
    each_at_least_once(&cloud, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_run_out_while_publishing_lose_and_double_nothing() {
    for concurrency in ["1", "4"] {
        let cloud = cloud_of(450).await;
        // Every publication takes longer than the lease: the queue delivers the same messages again.
        cloud.hook("/id-tail-logs/messages/batch", |state| {
            state.expire_leases(DLQ);
        });
        let ran = cloud.run(&["replay", "--concurrency", concurrency]).await;
        assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
        each_once(&cloud, 450);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_pulls_are_published_once() {
    let cloud = cloud_of(120).await;
    // Each pull's leases are forgotten at once, so that every pull brings the same messages.
    cloud.hook("/messages/pull", |state| state.expire_leases(DLQ));
    let ran = cloud.run(&["replay", "--concurrency", "8"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_that_are_taken_in_part_are_made_up_for() {
    let cloud = cloud_of(130).await;
    cloud.state().refuse_acks = 30;
    // The leases of what was not acknowledged run out in time: it is delivered again, and only acknowledged.
    cloud.hook("/messages/ack", |state| state.expire_leases(DLQ));
    let ran = cloud.run(&["replay", "--concurrency", "1"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 130);
    // And where they do not, it is said.
    let cloud = cloud_of(10).await;
    cloud.state().refuse_acks = 3;
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 3), "{ran:?}");
    ran.says("replayed 10 dead letters");
    ran.says("left 3: replayed, but not taken away yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_of_what_is_gone_do_not_make_up_for_those_that_were_not_taken() {
    let cloud = cloud_of(10).await;
    {
        let mut state = cloud.state();
        let ids = state.queues[DLQ].messages.iter().map(|m| m.id.clone());
        let ids: Vec<_> = ids.take(3).collect();
        state.never_acked = ids;
    }
    // Everything is delivered a second time while it is in flight, and so acknowledged twice.
    cloud.hook("/messages/pull", |state| state.expire_leases(DLQ));
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 3), "{ran:?}");
    ran.says("replayed 10 dead letters");
    ran.says("left 3: replayed, but not taken away yet");
    assert!(!ran.stdout.contains("not delivered"), "{}", ran.stdout);
    each_once(&cloud, 10);
}

/// How many messages there are is told with a pull, and may be out of date when it arrives: acks were quicker.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_acks_have_overtaken_leaves_nothing_behind() {
    let slow = std::time::Duration::from_millis(400);
    let cloud = cloud_of(120).await;
    cloud.state().delays.push(("/messages/pull", slow));
    let ran = cloud.run(&["replay", "--limit", "120"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    // Here all that is pulled while the letters are published are these same letters.
    let cloud = cloud_of(10).await;
    cloud.state().delays.push(("/messages/pull", slow));
    cloud.state().delays.push(("/messages/batch", slow * 7 / 2));
    cloud.hook("/messages/pull", |state| state.expire_leases(DLQ));
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_acks_leaves_letters_that_replay_again_harmlessly() {
    let cloud = cloud_of(20).await;
    cloud.outage("/messages/ack");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 20), "{ran:?}");
    ran.warns("could not acknowledge");
    cloud.state().faults.clear();
    cloud.state().expire_leases(DLQ);
    assert_eq!(cloud.run(&["replay"]).await.code, 0);
    assert_eq!(left(&cloud), 0);
    each_at_least_once(&cloud, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_come_back_while_replaying_do_not_make_it_endless() {
    let cloud = cloud_of(20).await;
    // What is replayed is rejected again at once.
    let reject = |state: &mut support::api::State| {
        let bodies = std::mem::take(&mut state.queues.get_mut("tail-logs").unwrap().messages);
        for message in bodies {
            let rows: Vec<_> = serde_json::from_str::<Value>(&message.body).unwrap()["records"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| RawValue::from_string(row.to_string()).unwrap())
                .collect();
            let body = letter(Reason::Rejected, DeadLetterPayload::Records(rows));
            let soon = chrono::Utc::now().timestamp_millis() + 5_000;
            state.enqueue_as(DLQ, &body, "text", soon);
        }
    };
    cloud.hook("/id-tail-logs/messages/batch", reject);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("came to the queue after the replay began");
    each_once(&cloud, 20);
    assert_eq!(leased(&cloud), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_never_costs_a_message_its_life() {
    let cloud = cloud_of(30).await;
    cloud.state().queues.get_mut(DLQ).unwrap().max_retries = 2;
    for _ in 0..10 {
        let ran = cloud.run(&["replay", "--dry-run"]).await;
        assert!(ran.stdout.starts_with("30 dead letters"), "{ran:?}");
        ran.warns("--message-retries 100");
        let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
        assert!(ran.stdout.contains("left 30"), "{ran:?}");
    }
    assert_eq!(cloud.state().queues[DLQ].deleted.len(), 0);
    assert_eq!(left(&cloud), 30);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    each_once(&cloud, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_few_deliveries_left_is_put_back_before_its_last() {
    let cloud = delivered(3, 89).await;
    let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 3), "{ran:?}");
    ran.says("left 3: not of a reason asked for");
    ran.says("3 dead letters with few deliveries left, put at the end of the queue anew");
    let attempts = |cloud: &Cloud| -> Vec<u32> {
        let state = cloud.state();
        state.queues[DLQ]
            .messages
            .iter()
            .map(|message| message.attempts)
            .collect()
    };
    assert_eq!(attempts(&cloud), [0, 0, 0]);
    let ran = cloud.run(&["replay", "--dry-run"]).await;
    assert!(!ran.stdout.contains("put at the end"), "{}", ran.stdout);
    assert_eq!(attempts(&cloud), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_and_is_on_its_last_delivery_is_put_back_at_once_and_met_once() {
    for attempts in [98, 99, 100] {
        let cloud = delivered(250, attempts).await;
        let child = cloud.spawn(&["replay", "--reason", "rejected"]);
        let pid = child.id().unwrap();
        // The first pull is looked through when the second is answered.
        let mut pulls = 0;
        cloud.hook("/messages/pull", move |_| {
            pulls += 1;
            if pulls == 2 {
                signal_from_inside(pid, "-KILL");
            }
        });
        child.wait_with_output().await.unwrap();
        let counted = |attempts: u32| {
            let state = cloud.state();
            let messages = state.queues[DLQ].messages.iter();
            messages
                .filter(|message| message.attempts == attempts)
                .count()
        };
        if attempts > 98 {
            assert_eq!(counted(0), 100, "put back");
            assert_eq!(left(&cloud), 250, "and taken away");
        }
        cloud.state().hooks.clear();
        cloud.state().expire_leases(DLQ);
        // Those of the second pull, of which the process never knew, had none left.
        let lost = if attempts == 100 { 100 } else { 0 };
        let kept = 250 - lost;
        let ran = cloud.run(&["replay", "--dry-run"]).await;
        let expected = format!("{kept} dead letters at");
        assert!(ran.stdout.starts_with(&expected), "{}", ran.stdout);
        assert!(!ran.stdout.contains("left "), "{}", ran.stdout);
        assert_eq!(cloud.state().queues[DLQ].deleted.len(), lost);
        assert_eq!(cloud.run(&["replay"]).await.code, 0);
        each_once(&cloud, kept);
    }
}

/// One that deletes what was looked at once: each look puts all of it back, and none is endless.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_without_retries_loses_nothing_either() {
    for max_retries in [0, 1] {
        let cloud = cloud_of(150).await;
        cloud.state().queues.get_mut(DLQ).unwrap().max_retries = max_retries;
        for _ in 0..3 {
            let ran = cloud.run(&["replay", "--dry-run"]).await;
            assert!(ran.stdout.starts_with("150 dead letters"), "{ran:?}");
            assert!(!ran.stdout.contains("left "), "{ran:?}");
        }
        let ran = cloud.run(&["replay"]).await;
        assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
        assert!(cloud.state().queues[DLQ].deleted.is_empty());
        each_once(&cloud, 150);
    }
}

/// The second Ctrl-C comes while the letters are nowhere but in the process, on their way back or to `tail-logs`.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_waits_for_what_would_be_lost_and_a_third_does_not() {
    for (interrupts, arguments) in [
        (2, vec!["replay", "--reason", "rejected"]),
        (2, vec!["replay"]),
        (3, vec!["replay", "--reason", "rejected"]),
    ] {
        let cloud = delivered(20, 100).await;
        let child = cloud.spawn(&arguments);
        let pid = child.id().unwrap();
        // The first try at publishing fails after the interrupts; the next one comes soon.
        let mut first = true;
        cloud.fault("/messages/batch", 1, When::Before, failure(500, 0, "down"));
        cloud.before("/messages/batch", move |_| {
            if std::mem::take(&mut first) {
                (0..interrupts).for_each(|_| signal_from_inside(pid, "-INT"));
            }
        });
        let ran: Ran = child.wait_with_output().await.unwrap().into();
        // Whatever ends it first: the interrupt, or that nothing is left to do.
        assert!([1, 130].contains(&ran.code), "{ran:?}");
        ran.warns("20 dead letters are on the last delivery");
        cloud.state().hooks.clear();
        cloud.state().expire_leases(DLQ);
        cloud.run(&["replay"]).await;
        let kept = if interrupts == 2 { 20 } else { 0 };
        each_at_least_once(&cloud, kept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_comes_again_on_its_last_delivery_while_in_flight_is_put_back() {
    let cloud = delivered(10, 98).await;
    cloud.outage("/id-tail-logs/messages/batch");
    let mut pulls = 0;
    cloud.hook("/messages/pull", move |state| {
        pulls += 1;
        if pulls < 2 {
            state.expire_leases(DLQ);
        }
    });
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 10), "{ran:?}");
    let state = cloud.state();
    assert!(state.queues[DLQ].messages.iter().all(|m| m.attempts == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_back_is_named() {
    let cloud = delivered(2, 100).await;
    cloud.state().enqueue_as(DLQ, "//79", "bytes", 0);
    cloud.state().queues.get_mut(DLQ).unwrap().messages[2].attempts = 100;
    cloud.outage("/messages/batch");
    let ran = cloud.run(&["replay", "--dry-run"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("2 dead letters are on the last delivery and could not be put back");
    ran.warns("1 dead letter is on the last delivery and no text");
    ran.warns("--export keeps a copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_kept_in_kv_is_fetched_from_there() {
    let cloud = cloud_of_one_apart().await;
    put(&cloud, "body/2", "huge garbage");
    for key in ["body/2", "body/gone"] {
        let letter = letter_apart(Reason::Undecodable, key);
        cloud.state().enqueue(DLQ, &letter);
    }
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let body = envelope(&[row("from kv")]);
    assert_eq!(cloud.state().queues["tail-logs"].published, [body]);
    ran.says("left 1: a body that is no envelope");
    ran.says("left 1: its body was kept in KV and has expired");
    assert_eq!(
        kv_keys(&cloud),
        ["body/2"],
        "a body goes when its letter does"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_kv_outlives_an_ack_that_was_not_taken() {
    let cloud = cloud_of_one_apart().await;
    cloud.state().refuse_acks = 1;
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    cloud.state().expire_leases(DLQ);
    // Without the body the letter could never be replayed, nor taken away.
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_at_least_once(&cloud, 1);
    assert!(kv_keys(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_kv_goes_when_a_later_ack_of_its_letter_is_taken() {
    let cloud = cloud_of_one_apart().await;
    cloud.state().refuse_acks = 1;
    cloud.hook("/messages/ack", |state| state.expire_leases(DLQ));
    let ran = cloud.run(&["replay", "--concurrency", "1"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    assert!(kv_keys(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_fetched_leaves_its_letter_and_no_other() {
    let cloud = cloud_of(3).await;
    let letter = letter_apart(Reason::UnsupportedVersion, "body/1");
    cloud.state().enqueue(DLQ, &letter);
    cloud.outage("/values/");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 3 dead letters");
    ran.says("left 1: could not be published");
    assert_eq!((left(&cloud), leased(&cloud)), (1, 0), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_an_unreadable_record_stays_whole() {
    let cloud = Cloud::start().await;
    let body = letter(
        Reason::Rejected,
        DeadLetterPayload::Records(vec![
            RawValue::from_string(row("fine").wire()).unwrap(),
            RawValue::from_string(r#"["no record"]"#.to_owned()).unwrap(),
        ]),
    );
    cloud.state().enqueue(DLQ, &body);
    let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    ran.says("left 1: holds a record that cannot be read");
    assert!(published(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_finishes_the_batch_in_hand_and_gives_the_rest_back() {
    let cloud = cloud_of(1000).await;
    let child = cloud.spawn(&["replay", "--concurrency", "1"]);
    let pid = child.id().unwrap();
    let mut interrupted = false;
    let interrupt = move |_: &mut support::api::State| {
        if !std::mem::replace(&mut interrupted, true) {
            signal_from_inside(pid, "-INT");
        }
    };
    cloud.hook("/id-tail-logs/messages/batch", interrupt);
    let ran: Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 100 dead letters");
    ran.says("left 900: not reached");
    ran.warns("run it again to go on");
    assert_eq!((left(&cloud), leased(&cloud)), (900, 0));
    cloud.state().hooks.clear();
    assert_eq!(cloud.run(&["replay"]).await.code, 0);
    each_once(&cloud, 1000);
}
