//! Answers as the official fixtures and types of the SDKs allow them.

use crate::support::Cloud;
use crate::support::letters::{DLQ, cloud_of, each_once, left};

#[tokio::test(flavor = "multi_thread")]
async fn null_and_absent_members_are_read_as_nothing() {
    let cloud = cloud_of(150).await;
    cloud.state().sparse = true;
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 150);
    // An empty pull has no result at all.
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.warns("the dead-letter queue is empty");
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_is_named_with_the_command_that_resumes_it() {
    let cloud = cloud_of(1).await;
    cloud.state().queues.get_mut(DLQ).unwrap().paused = true;
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    ran.warns("the deliveries of the queue \"tail-logs-dlq\" are paused");
    ran.warns("npx wrangler queues resume-delivery tail-logs-dlq");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_among_more_than_a_page_of_others() {
    let cloud = Cloud::start().await;
    cloud.state().other_namespaces = 250;
    let ran = cloud.run(&["replay", "--from", "kv"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for n in 0..150 {
        cloud
            .state()
            .queues
            .entry(format!("other-{n:03}"))
            .or_default();
    }
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = cloud.run(&["replay", "--dead-letter-queue", "nope"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("no queue named \"nope\"");
    ran.warns("there are: other-000");
}
