//! Letters that were delivered often: the platform deletes none of them for having been looked at.

use log_record::Reason;

use crate::support::letters::{DLQ, cloud_of, delivered, each_once, left, records, row};
use crate::support::{Cloud, Pid};

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
        let child = cloud.spawn_as(&run, &["replay", "--reason", "rejected"]);
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

/// Two that are the same to the letter, as where one message was given up twice: each is a dead letter of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_the_body_of_one_that_was_put_back_is_counted() {
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
    ran.says("150 dead letters with few deliveries left");
    assert!(!ran.stdout.contains("not delivered"), "{ran:?}");
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
