//! Letters whose body is kept in KV.

use log_record::Reason;

use crate::support::letters::{
    DLQ, cloud_of, cloud_of_one_apart, each_at_least_once, envelope, kv_keys, leased, left,
    letter_apart, put, row,
};

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
async fn a_body_in_kv_that_is_no_text_is_said_to_be_that() {
    let cloud = cloud_of_one_apart().await;
    let letter = letter_apart(Reason::UnsupportedVersion, "body/1");
    put(&cloud, "dead-letter/2026-11-22T00:00:00.000Z-u", &letter);
    cloud
        .state()
        .kv
        .insert("body/1".to_owned(), vec![0xff, 0xfe]);
    for from in ["queue", "kv"] {
        let ran = cloud.run(&["replay", "--from", from]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.says("left 1: not text");
    }
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
