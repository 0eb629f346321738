//! Letters that are there twice, with one body in KV.

use log_record::Reason;

use crate::support::Cloud;
use crate::support::letters::{
    DLQ, cloud_of_one_apart, each_at_least_once, kv_keys, left, letter_apart, records, row,
};

/// A dead-letter queue where one message was given up twice: two letters name the same body, and `between` others are
/// pulled in between.
async fn cloud_of_copies(between: usize) -> Cloud {
    let cloud = cloud_of_one_apart().await;
    for n in 0..between {
        let body = records(Reason::Rejected, &[row(&format!("r{n}"))]);
        cloud.state().enqueue(DLQ, &body);
    }
    let copy = letter_apart(Reason::UnsupportedVersion, "body/1");
    cloud.state().enqueue(DLQ, &copy);
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_letter_whose_body_was_published_goes_too() {
    let cloud = cloud_of_copies(99).await;
    let ran = cloud
        .run(&["replay", "--concurrency", "1", "--export", "-"])
        .await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    ran.warns("replayed 101 dead letters (101 records)");
    assert_eq!(ran.json().len(), 101, "each with its body");
    each_at_least_once(&cloud, 100);
    assert!(kv_keys(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_kv_outlives_every_letter_that_names_it() {
    // The ack of the first is not taken, whatever is said to that of its copy.
    let cloud = cloud_of_copies(0).await;
    let first = cloud.state().queues[DLQ].messages[0].id.clone();
    cloud.state().never_acked.push(first);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    assert_eq!(kv_keys(&cloud), ["body/1"]);
    // The copy is on its way when the first is gone, and does not arrive.
    let cloud = cloud_of_copies(99).await;
    let slow = std::time::Duration::from_millis(500);
    cloud.state().delays.push(("/messages/batch", slow));
    cloud.outage_after(1, "/id-tail-logs/messages/batch");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    assert_eq!(kv_keys(&cloud), ["body/1"]);
    cloud.state().faults.clear();
    assert_eq!(cloud.run(&["replay"]).await.code, 0);
    assert!(kv_keys(&cloud).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_came_after_the_run_began_keeps_its_body() {
    for between in [0, 99] {
        let cloud = cloud_of_copies(between).await;
        let soon = chrono::Utc::now().timestamp_millis() + 60_000;
        let mut copy = cloud
            .state()
            .queues
            .get_mut(DLQ)
            .unwrap()
            .messages
            .pop()
            .unwrap();
        copy.timestamp_ms = soon;
        cloud
            .state()
            .queues
            .get_mut(DLQ)
            .unwrap()
            .messages
            .push(copy);
        let ran = cloud.run(&["replay", "--concurrency", "1"]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!((left(&cloud), kv_keys(&cloud).len()), (1, 1));
    }
}
