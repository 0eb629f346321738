//! The letters that are replayed, and those that stay.

use base64::Engine as _;
use log_record::{DeadLetterPayload, Reason};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::api::State;
use crate::support::letters::{
    DLQ, cloud_of, each_once, envelope, leased, left, letter, published, records, row,
};
use crate::support::{Cloud, Ran};

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
    ran.says("left 3: a body that is not an envelope");
    ran.says("left 1: not text");
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
async fn a_letter_too_large_for_a_message_stays() {
    let cloud = Cloud::start().await;
    let mut large = row("large");
    large.message = "x".repeat(200_000);
    for row in [large, row("small")] {
        let body = records(Reason::Rejected, &[row]);
        cloud.state().enqueue(DLQ, &body);
    }
    let ran = cloud.run(&["replay", "--limit", "1"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    ran.says("replayed 1 dead letter");
    ran.says("left 1: too large for a message");
    assert_eq!(published(&cloud).len(), 1);
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
    let dry = ["replay", "--dry-run", "--limit", "20"];
    let ran = cloud.run(&[&dry[..], &["--all"]].concat()).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.starts_with("20 dead letters"), "{}", ran.stdout);
    ran.says("left 210: beyond --limit");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_come_back_do_not_make_a_replay_endless() {
    let cloud = cloud_of(20).await;
    // What is replayed is rejected again at once.
    let reject = |state: &mut State| {
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
async fn the_summary_as_json_tells_the_state_of_each() {
    let cloud = cloud_of(2).await;
    let odd = cloud.state().enqueue(DLQ, "not an envelope");
    let ran = cloud.run(&["replay", "--dry-run", "-o", "json"]).await;
    let [dry] = ran.json().try_into().unwrap();
    assert_eq!((ran.code, left(&cloud)), (0, 3), "{ran:?}");
    assert_eq!(
        (&dry["look"], &dry["seen"]),
        (&json!("harmless"), &json!(3))
    );
    assert_eq!(dry["left"], json!({"only_counted": 3}));
    assert_eq!(dry["groups"]["records_by_worker"], json!({"api": 2}));
    let ran = cloud.run(&["replay", "--json"]).await;
    let [summary] = ran.json().try_into().unwrap();
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    assert_eq!(
        (&summary["look"], &summary["replayed"], &summary["records"]),
        (&json!(null), &json!(2), &json!(2))
    );
    assert_eq!(summary["left"], json!({"no_envelope": 1}));
    let letters = summary["letters"].as_object().unwrap();
    let of = |state: &str| letters.values().filter(|one| one["state"] == state).count();
    assert_eq!((letters.len(), of("gone"), of("stays")), (3, 2, 1));
    let stays =
        json!({"reason": "undecodable", "state": "stays", "why": "no_envelope", "records": 0});
    assert_eq!(letters[&odd], stays);
    // The export is what goes to standard output then.
    let export = ["replay", "--dry-run", "--json", "--export", "-"];
    let ran = cloud.run(&export).await;
    assert_eq!(ran.json()[0]["body"], "not an envelope");
    ran.warns("1 dead letter at");
}
