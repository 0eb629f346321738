//! Calls that fail: nothing is taken away that was not published.

use log_record::Reason;
use wiremock::ResponseTemplate;

use crate::support::letters::{
    DLQ, cloud_of, each_at_least_once, each_once, leased, left, records, row,
};
use crate::support::{Cloud, When, failure};

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
async fn a_divided_letter_is_acknowledged_when_all_is_published() {
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
async fn an_outage_of_acks_leaves_letters_that_replay_again() {
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
