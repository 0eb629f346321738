//! Letters that were delivered often: the platform deletes none of them for having been looked at.

use log_record::Reason;

use crate::support::letters::{DLQ, cloud_of, delivered, each_once, left, records, row};
use crate::support::{Cloud, Pid};

/// Deliveries of each message.
fn attempts(cloud: &Cloud) -> Vec<u32> {
    let state = cloud.state();
    let messages = state.queues[DLQ].messages.iter();
    messages.map(|message| message.attempts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_never_costs_a_message_its_life() {
    let cloud = cloud_of(130).await;
    cloud.state().queues.get_mut(DLQ).unwrap().max_retries = 2;
    for _ in 0..10 {
        let ran = cloud.run(&["replay", "--dry-run", "--all"]).await;
        assert!(ran.stdout.starts_with("130 dead letters"), "{ran:?}");
        ran.warns("--message-retries 100");
        cloud.state().expire_leases(DLQ);
        let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
        assert!(ran.stdout.contains("left 130"), "{ran:?}");
        cloud.state().expire_leases(DLQ);
    }
    assert_eq!(cloud.state().queues[DLQ].deleted.len(), 0);
    assert_eq!(left(&cloud), 130);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    each_once(&cloud, 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_few_deliveries_left_is_given_back_and_named() {
    let cloud = delivered(120, 94).await;
    let run = Pid::default();
    // The first pull is looked through when the second is answered: what it brought is given back by then.
    let mut pulls = 0;
    let signalled = run.clone();
    cloud.hook("/messages/pull", move |_| {
        pulls += 1;
        if pulls == 2 {
            signalled.signal_from_inside("-KILL");
        }
    });
    let left_ones = ["replay", "--reason", "rejected", "--concurrency", "1"];
    let child = cloud.spawn_as(&run, &left_ones);
    child.wait_with_output().await.unwrap();
    let given_back = |cloud: &Cloud| {
        let state = cloud.state();
        let messages = state.queues[DLQ].messages.iter();
        let delayed = messages.filter(|message| message.lease.as_deref() == Some("delayed"));
        delayed.count()
    };
    assert_eq!(given_back(&cloud), 100);
    cloud.state().hooks.clear();
    cloud.state().expire_leases(DLQ);
    let ran = cloud.run(&left_ones).await;
    assert_eq!((ran.code, left(&cloud)), (1, 120), "{ran:?}");
    ran.says("left 120: not of a reason asked for");
    ran.says("120 dead letters with few deliveries left: m1 (4), ");
    ran.says(", …; `tailrace replay --message ID` publishes one");
    assert_eq!(given_back(&cloud), 120);
    assert_eq!(attempts(&cloud), [96; 120]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_names_what_has_few_deliveries_left() {
    let cloud = delivered(2, 93).await;
    let ran = cloud.run(&["replay", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.says(
        "2 dead letters with few deliveries left: m1 (7), m2 (7); `tailrace replay --message ID`",
    );
    assert_eq!(attempts(&cloud), [93, 93]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_on_its_last_delivery_is_put_back_at_once() {
    for attempts in [99, 100] {
        let cloud = delivered(250, attempts).await;
        let run = Pid::default();
        // The first pull is looked through when the second is answered.
        let mut pulls = 0;
        let signalled = run.clone();
        cloud.hook("/messages/pull", move |_| {
            pulls += 1;
            if pulls == 2 {
                signalled.signal_from_inside("-KILL");
            }
        });
        let arguments = ["replay", "--reason", "rejected", "--concurrency", "1"];
        let child = cloud.spawn_as(&run, &arguments);
        child.wait_with_output().await.unwrap();
        let anew = self::attempts(&cloud);
        assert_eq!(
            anew.iter().filter(|attempts| **attempts == 0).count(),
            100,
            "put back"
        );
        assert_eq!(left(&cloud), 250, "and taken away");
        cloud.state().hooks.clear();
        cloud.state().expire_leases(DLQ);
        // Those of the second pull, of which the process never knew, had none left.
        let lost = if attempts == 100 { 100 } else { 0 };
        let kept = 250 - lost;
        let ran = cloud.run(&["replay", "--dry-run", "--all"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let expected = format!("{kept} dead letters at");
        assert!(ran.stdout.starts_with(&expected), "{}", ran.stdout);
        assert!(!ran.stdout.contains("left "), "{}", ran.stdout);
        assert_eq!(cloud.state().queues[DLQ].deleted.len(), lost);
        assert_eq!(cloud.run(&["replay"]).await.code, 0);
        each_once(&cloud, kept);
    }
}

/// Two that are the same to the letter, as where one message was given up twice: each is a dead letter of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_the_body_of_one_put_back_is_counted() {
    let cloud = cloud_of(0).await;
    let body = records(Reason::RetriesExhausted, &[row("same")]);
    for _ in 0..150 {
        cloud.state().enqueue(DLQ, &body);
    }
    for message in &mut cloud.state().queues.get_mut(DLQ).unwrap().messages {
        message.attempts = 99;
    }
    // The first pull's are put back before the second pull brings the others.
    let ran = cloud.run(&["replay", "--reason", "rejected"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 150), "{ran:?}");
    ran.says("left 150: not of a reason asked for");
    ran.says("150 dead letters without a delivery left, put back as new messages");
    assert!(!ran.stdout.contains("not delivered"), "{ran:?}");
}

/// One that deletes what was looked at once: each look puts all of it back, and none is endless.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_without_retries_loses_nothing_either() {
    for max_retries in [0, 1] {
        let cloud = cloud_of(150).await;
        cloud.state().queues.get_mut(DLQ).unwrap().max_retries = max_retries;
        for _ in 0..3 {
            let ran = cloud.run(&["replay", "--dry-run", "--all"]).await;
            assert!(ran.stdout.starts_with("150 dead letters"), "{ran:?}");
            assert!(!ran.stdout.contains("left "), "{ran:?}");
        }
        let ran = cloud.run(&["replay"]).await;
        assert_eq!((ran.code, left(&cloud)), (0, 0), "{ran:?}");
        assert!(cloud.state().queues[DLQ].deleted.is_empty());
        each_once(&cloud, 150);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_delivery_that_cannot_be_published_is_put_back() {
    let cloud = delivered(10, 99).await;
    cloud.outage("/id-tail-logs/messages/batch");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 10), "{ran:?}");
    assert_eq!(attempts(&cloud), [0; 10]);
}

/// Publishing may take long, and may be the end of the process.
#[tokio::test(flavor = "multi_thread")]
async fn what_stays_is_put_back_before_others_are_published() {
    let cloud = delivered(3, 99).await;
    cloud.state().enqueue(DLQ, "not an envelope");
    cloud.state().queues.get_mut(DLQ).unwrap().messages[3].attempts = 99;
    let run = Pid::default();
    let signalled = run.clone();
    cloud.before("/id-tail-logs/messages/batch", move |_| {
        signalled.signal_from_inside("-KILL");
    });
    let child = cloud.spawn_as(&run, &["replay"]);
    child.wait_with_output().await.unwrap();
    let state = cloud.state();
    let mut messages = state.queues[DLQ].messages.iter();
    assert!(messages.any(|one| one.body == "not an envelope" && one.attempts == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_back_is_named() {
    let cloud = delivered(2, 100).await;
    cloud.state().enqueue_as(DLQ, "//79", "bytes", 0);
    cloud.state().queues.get_mut(DLQ).unwrap().messages[2].attempts = 100;
    cloud.outage("/messages/batch");
    let ran = cloud.run(&["replay", "--dry-run", "--all"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("3 dead letters are on the last delivery and could not be put back (only text can)");
    ran.warns("--export keeps a copy");
    ran.says("3 dead letters with few deliveries left: m1 (0), m2 (0), m3 (0)");
}
