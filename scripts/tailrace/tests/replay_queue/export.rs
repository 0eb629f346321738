//! Letters shown by a dry run, and exported before they are taken away.

use log_record::{DeadLetter, DeadLetterPayload, Reason};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::letters::{
    DLQ, cloud_of, envelope, leased, left, letter, published, put, records, row,
};
use crate::support::{Cloud, When, failure};

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_changes_nothing() {
    let cloud = cloud_of(150).await;
    {
        let mut state = cloud.state();
        let now = chrono::Utc::now();
        let recent = DeadLetter::new(
            Reason::Rejected,
            "why",
            1,
            now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            DeadLetterPayload::Records(vec![
                RawValue::from_string(row("w").worker("writer").wire()).unwrap(),
            ]),
        );
        state.enqueue(DLQ, &recent.encode().unwrap());
        state.enqueue(DLQ, &envelope(&[row("m1"), row("m2")]));
    }
    // A look costs no delivery, and shows no more than the head of the queue.
    let ran = cloud.run(&["replay", "--dry-run"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("100 dead letters at");
    ran.says("nothing was changed; saw only the first 100");
    let attempts = |cloud: &Cloud| -> Vec<u32> {
        let state = cloud.state();
        let messages = state.queues[DLQ].messages.iter();
        messages.map(|message| message.attempts).collect()
    };
    assert_eq!(attempts(&cloud), [0; 152]);
    // All of them are leased only where that is asked for, and it is said.
    let ran = cloud.run(&["replay", "--dry-run", "--all"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(attempts(&cloud), [1; 152]);
    for expected in [
        "152 dead letters",
        "each was leased and given back, which is a delivery",
        "150  retries_exhausted (given up by log-writer)",
        "1  retries_exhausted (moved by the platform)",
        "1  rejected",
        "2  0 to 1 hour",
        "152  api",
        "1  writer",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    assert_eq!((left(&cloud), leased(&cloud)), (152, 0));
    assert!(published(&cloud).is_empty());
    let acked = cloud
        .state()
        .calls
        .iter()
        .any(|call| call.contains("/batch"));
    assert!(!acked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_exports_the_reasons_asked_for() {
    let cloud = cloud_of(5).await;
    let odd = records(Reason::Rejected, &[row("odd")]);
    cloud.state().enqueue(DLQ, &odd);
    put(&cloud, "dead-letter/2026-11-22T00:00:00.000Z-a", &odd);
    put(
        &cloud,
        "dead-letter/2026-11-22T00:00:00.001Z-b",
        &records(Reason::RetriesExhausted, &[row("other")]),
    );
    for (from, others) in [("queue", 5), ("kv", 1)] {
        let dry = [
            "replay",
            "--dry-run",
            "--reason",
            "rejected",
            "--from",
            from,
        ];
        let ran = cloud.run(&dry).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.starts_with("1 dead letter at"), "{}", ran.stdout);
        let left = format!("left {others}: not of a reason asked for");
        ran.says(&left);
        assert!(!ran.stdout.contains("retries_exhausted"), "{}", ran.stdout);
        let ran = cloud.run(&[&dry[..], &["--export", "-"]].concat()).await;
        assert_eq!(ran.json().len(), 1);
        assert_eq!(ran.json()[0]["reason"], "rejected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_letter_seen_is_exported_before_it_is_taken_away() {
    let cloud = cloud_of(3).await;
    let body = letter(
        Reason::Undecodable,
        DeadLetterPayload::Body("garbage".to_owned()),
    );
    cloud.state().enqueue(DLQ, &body);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letters.ndjson");
    let ran = cloud
        .run(&["replay", "--export", file.to_str().unwrap()])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["records"][0]["log_id"], "r0");
    assert_eq!(lines[0]["reason"], "retries_exhausted");
    assert_eq!(lines[3]["body"], "garbage");
    // A run that cannot begin leaves an earlier export, which may be the only copy there is.
    let file = file.to_str().unwrap();
    let ran = cloud
        .run(&["replay", "--export", file, "--dead-letter-queue", "nope"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    // So does one that has seen nothing when it fails.
    cloud.fault_after(1, "/keys", 5, When::Before, failure(500, 0, "down"));
    let ran = cloud
        .run(&["replay", "--export", file, "--from", "kv"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    // One that finds nothing says so in the file as well.
    let ran = cloud
        .run(&["replay", "--export", file, "--from", "kv"])
        .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "");
    // To standard output, the summary makes way.
    let ran = cloud.run(&["replay", "--dry-run", "--export", "-"]).await;
    assert_eq!(ran.json().len(), 1);
    // A file that cannot be made: nothing is touched.
    let nowhere = folder.path().join("missing").join("letters.ndjson");
    let ran = cloud
        .run(&["replay", "--export", nowhere.to_str().unwrap()])
        .await;
    assert_eq!(ran.code, 2);
    assert_eq!(left(&cloud), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_exported_in_base64() {
    let cloud = cloud_of(0).await;
    cloud.state().enqueue_as(DLQ, "//79", "bytes", 0);
    put(&cloud, "envelope/2026-11-22T00:00:00.000Z-u", "");
    for value in cloud.state().kv.values_mut() {
        *value = vec![0xff, 0xfe, 0xfd];
    }
    for from in ["queue", "kv"] {
        let ran = cloud
            .run(&["replay", "--dry-run", "--from", from, "--export", "-"])
            .await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.json()[0]["body_base64"], "//79");
        // It cannot be sent, whatever is asked for.
        let ran = cloud.run(&["replay", "--from", from]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.says("left 1: not text");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_given_back_at_once() {
    let cloud = cloud_of(150).await;
    let ran = cloud.run(&["replay", "--export", "/dev/full"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.warns("--export /dev/full");
    assert_eq!((left(&cloud), leased(&cloud)), (150, 0), "{ran:?}");
    assert!(published(&cloud).is_empty());
}
