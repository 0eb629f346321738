//! Leases that run out and acks that are not taken: what comes again is published once, and what is left is counted.

use crate::support::letters::{DLQ, cloud_of, each_once, left};

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_run_out_lose_and_double_nothing() {
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
    // Where they do not, the acks are sent again: that does no harm.
    let cloud = cloud_of(10).await;
    cloud.state().refuse_acks = 3;
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
    each_once(&cloud, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_of_what_is_gone_do_not_count_for_others() {
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

/// The number of messages is told with a pull, and may be out of date when it arrives: acks were quicker.
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
