//! Letters whose body is kept in KV.

use log_record::Reason;

use crate::support::letters::{
    DLQ, cloud_of, cloud_of_one_apart, each_at_least_once, envelope, kv_keys, leased, left,
    letter_apart, put, row,
};
use crate::support::{Cloud, Ran};

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
    ran.says("left 1: a body that is not an envelope");
    ran.says("left 1: its body was kept in KV and is gone from there");
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
    let id = cloud.state().queues[DLQ].messages[0].id.clone();
    cloud.state().never_acked.push(id);
    let ran = cloud.run(&["replay"]).await;
    assert_eq!((ran.code, left(&cloud)), (1, 1), "{ran:?}");
    cloud.state().never_acked.clear();
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
async fn a_body_that_cannot_be_fetched_leaves_its_letter_alone() {
    let cloud = cloud_of(3).await;
    let letter = letter_apart(Reason::UnsupportedVersion, "body/1");
    cloud.state().enqueue(DLQ, &letter);
    cloud.outage("/values/");
    let ran = cloud.run(&["replay"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 3 dead letters");
    ran.says("left 1: its body was kept in KV and could not be read there");
    assert_eq!((left(&cloud), leased(&cloud)), (1, 0), "{ran:?}");
}

/// A cloud of letters that keep their bodies apart, on the queue and in KV: an envelope, and what is none.
async fn cloud_of_bodies() -> Cloud {
    let cloud = Cloud::start().await;
    put(&cloud, "body/1", &envelope(&[row("from kv")]));
    put(&cloud, "body/2", "huge garbage");
    for n in 1..=2 {
        let letter = letter_apart(Reason::Undecodable, &format!("body/{n}"));
        cloud.state().enqueue(DLQ, &letter);
        let key = format!("dead-letter/2026-11-22T00:00:00.00{n}Z-u");
        put(&cloud, &key, &letter);
    }
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_kv_is_exported_with_its_letter() {
    for from in ["queue", "kv"] {
        let cloud = cloud_of_bodies().await;
        // One that is left, since it came after the run began.
        let soon = chrono::Utc::now().timestamp_millis() + 60_000;
        let later = letter_apart(Reason::Undecodable, "body/2");
        cloud.state().enqueue_as(DLQ, &later, "text", soon);
        let letters = if from == "queue" { 3 } else { 2 };
        let keys = kv_keys(&cloud);
        let named = ["--reason", "undecodable"];
        let export = ["replay", "--from", from, "--export", "-"];
        let ran = cloud.run(&[&export[..], &["--dry-run"]].concat()).await;
        assert_eq!((ran.code, kv_keys(&cloud)), (0, keys), "{ran:?}");
        let whole = |ran: &Ran| {
            let lines = ran.json();
            assert_eq!(lines.len(), letters, "{ran:?}");
            assert_eq!(lines[0]["records"][0]["log_id"], "from kv");
            assert_eq!(lines[0]["body_key"], "body/1");
            for line in &lines[1..] {
                assert_eq!(line["body"], "huge garbage");
                assert_eq!(line["body_key"], "body/2");
            }
        };
        let in_order = |mut ran: Ran| {
            let mut lines: Vec<_> = ran.stdout.lines().collect();
            lines.sort_by_key(|line| line.contains("huge garbage"));
            ran.stdout = lines.join("\n");
            ran
        };
        whole(&in_order(ran));
        let ran = cloud.run(&[&export[..], &named].concat()).await;
        assert_eq!(ran.code, i32::from(from == "queue"), "{ran:?}");
        whole(&in_order(ran));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_without_a_body_is_said_to_be_that() {
    for from in ["queue", "kv"] {
        for gone in [true, false] {
            let cloud = cloud_of_bodies().await;
            let (lacks, left_why) = if gone {
                cloud.state().kv.remove("body/1");
                let left = "left 1: its body was kept in KV and";
                ("the export lacks 1 body: gone from KV", left)
            } else {
                // The other one is not tried after that.
                cloud.outage("body%2F1");
                let left = "left 2: its body was kept in KV and could not be read";
                ("the export lacks 2 bodies: not read from KV", left)
            };
            let dry = ["replay", "--from", from, "--dry-run"];
            let ran = cloud.run(&[&dry[..], &["--export", "-"]].concat()).await;
            assert_eq!(ran.code, 1, "{from} {gone} {ran:?}");
            ran.warns(lacks);
            assert_eq!(ran.json()[0]["body_key"], "body/1");
            // Which a real run leaves.
            let ran = cloud
                .run(&["replay", "--from", from, "--export", "-"])
                .await;
            assert_eq!(ran.code, 1, "{from} {gone} {ran:?}");
            ran.warns(lacks);
            ran.warns(left_why);
            let letters = kv_keys(&cloud);
            let letters = letters.iter().filter(|key| key.starts_with("dead-letter/"));
            assert_eq!((left(&cloud), letters.count()), (2, 2), "{ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_exports_nothing_needs_no_bodies() {
    let cloud = cloud_of_bodies().await;
    for from in ["queue", "kv"] {
        cloud.state().calls.clear();
        let ran = cloud.run(&["replay", "--dry-run", "--from", from]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let state = cloud.state();
        let mut called = state.calls.iter();
        assert!(!called.any(|call| call.contains("body")));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_exported_stays() {
    let cloud = cloud_of_one_apart().await;
    let ran = cloud.run(&["replay", "--export", "/dev/full"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("--export /dev/full");
    assert_eq!((left(&cloud), leased(&cloud)), (1, 0), "{ran:?}");
    assert_eq!(kv_keys(&cloud), ["body/1"]);
}
