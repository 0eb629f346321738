//! Looking before leasing: a peek is not a delivery.

use log_record::{DeadLetterPayload, Reason};
use wiremock::ResponseTemplate;

use crate::support::letters::{DLQ, cloud_of, each_once, left, letter, published, records, row};
use crate::support::{Cloud, When, failure};

/// Deliveries of all messages.
fn deliveries(cloud: &Cloud) -> u32 {
    let state = cloud.state();
    let messages = state.queues[DLQ].messages.iter();
    messages.map(|message| message.attempts).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_leased_where_nothing_would_be_replayed() {
    let cloud = cloud_of(5).await;
    let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("left 5: not of a reason asked for");
    assert_eq!(deliveries(&cloud), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_letter_is_taken_by_its_id_without_a_delivery() {
    let cloud = cloud_of(3).await;
    let body = DeadLetterPayload::Body("garbage".to_owned());
    let garbage = letter(Reason::Undecodable, body);
    let id = cloud.state().enqueue(DLQ, &garbage);
    let one = ["replay", "--message", &id];
    let ran = cloud.run(&[&one[..], &["--dry-run"]].concat()).await;
    assert_eq!((ran.code, left(&cloud)), (0, 4), "{ran:?}");
    ran.says("1 dead letter at");
    // Named, it is sent as it came.
    let ran = cloud.run(&one).await;
    assert_eq!((ran.code, left(&cloud)), (1, 3), "{ran:?}");
    ran.says("replayed 1 dead letter (0 records)");
    ran.says("left 3: not the dead letter that --message names");
    assert_eq!(cloud.state().queues["tail-logs"].published, ["garbage"]);
    assert_eq!(deliveries(&cloud), 0);
    let ran = cloud.run(&one).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns(&format!("there is no dead letter \"{id}\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_letter_that_a_look_does_not_show_is_pulled() {
    let cloud = cloud_of(250).await;
    let id = cloud.state().queues[DLQ].messages[240].id.clone();
    let ran = cloud.run(&["replay", "--message", &id]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 249), "{ran:?}");
    ran.says("replayed 1 dead letter (1 record)");
    ran.says("left 249: not the dead letter that --message names");
    assert_eq!(published(&cloud).keys().collect::<Vec<_>>(), ["r240"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_be_deleted_is_said_to_be_there() {
    let cloud = cloud_of(1).await;
    let id = cloud.state().queues[DLQ].messages[0].id.clone();
    cloud.state().never_acked.push(id.clone());
    let ran = cloud.run(&["replay", "--message", &id]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    ran.says("left 1: replayed, but not taken away yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_cannot_look_leases_and_says_so() {
    let cloud = cloud_of(3).await;
    let unknown = failure(404, 7000, "No route for that URI");
    cloud.fault("/messages/peek", 9, When::Before, unknown);
    let ran = cloud.run(&["replay", "--dry-run"]).await;
    assert_eq!((ran.code, deliveries(&cloud)), (0, 3), "{ran:?}");
    ran.says("3 dead letters at");
    ran.says("each was leased and given back, which is a delivery");
    assert_eq!(cloud.run(&["replay"]).await.code, 0);
    each_once(&cloud, 3);
}

/// A look tells of messages where neither a pull nor a count does.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_delivered_is_left_even_without_a_count() {
    let cloud = cloud_of(3).await;
    cloud.state().sparse = true;
    let nothing = serde_json::json!({"success": true, "errors": null, "result": null});
    let nothing = ResponseTemplate::new(200).set_body_json(nothing);
    cloud.fault("/messages/pull", 99, When::Before, nothing);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 3), "{ran:?}");
    ran.says("left 3: not delivered to this run");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_letter_of_kv_is_taken_by_its_key() {
    let cloud = Cloud::start().await;
    for n in 0..3 {
        let key = format!("dead-letter/2026-11-22T00:00:00.00{n}Z-u");
        let letter = records(Reason::Rejected, &[row(&format!("d{n}"))]);
        cloud.state().kv.insert(key, letter.into_bytes());
    }
    let key = "dead-letter/2026-11-22T00:00:00.001Z-u";
    let one = ["replay", "--from", "kv", "--message", key];
    let ran = cloud.run(&one).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("left 2: not the dead letter that --message names");
    assert_eq!(published(&cloud).keys().collect::<Vec<_>>(), ["d1"]);
}
