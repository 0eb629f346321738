//! Dead letters, and what a replay made of them.

use std::collections::BTreeMap;

use log_record::{DeadLetter, DeadLetterPayload, Envelope, EnvelopeBuilder, Reason};
use serde_json::value::RawValue;

use super::{Cloud, Row};

/// The queue that is replayed.
pub const DLQ: &str = "tail-logs-dlq";

pub fn envelope(rows: &[Row]) -> String {
    let mut builder = EnvelopeBuilder::new();
    for row in rows {
        builder.push(&row.wire());
    }
    builder.finish().unwrap()
}

pub fn letter(reason: Reason, payload: DeadLetterPayload) -> String {
    let failed_at = "2026-11-23T00:00:00.000Z";
    DeadLetter::new(reason, "why", 4, failed_at, payload)
        .encode()
        .unwrap()
}

pub fn records(reason: Reason, rows: &[Row]) -> String {
    let raw = rows
        .iter()
        .map(|row| RawValue::from_string(row.wire()).unwrap())
        .collect();
    letter(reason, DeadLetterPayload::Records(raw))
}

pub fn row(name: &str) -> Row {
    let mut row = Row::line(0, name);
    name.clone_into(&mut row.log_id);
    row
}

/// Times that each record was published to `tail-logs`.
pub fn published(cloud: &Cloud) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for body in &cloud.state().queues["tail-logs"].published {
        for record in Envelope::decode(body).unwrap().records {
            *counts.entry(record.log_id().to_owned()).or_default() += 1;
        }
    }
    counts
}

pub fn left(cloud: &Cloud) -> usize {
    cloud.state().queues[DLQ].messages.len()
}

pub fn leased(cloud: &Cloud) -> usize {
    cloud.state().queues[DLQ]
        .messages
        .iter()
        .filter(|message| message.lease.is_some())
        .count()
}

/// A dead-letter queue of `count` letters of one record each: `r0`, `r1`, ….
pub async fn cloud_of(count: usize) -> Cloud {
    let cloud = Cloud::start().await;
    for n in 0..count {
        let body = records(Reason::RetriesExhausted, &[row(&format!("r{n}"))]);
        cloud.state().enqueue(DLQ, &body);
    }
    cloud
}

/// As [`cloud_of`], of letters that were delivered `attempts` times.
pub async fn delivered(count: usize, attempts: u32) -> Cloud {
    let cloud = cloud_of(count).await;
    for message in &mut cloud.state().queues.get_mut(DLQ).unwrap().messages {
        message.attempts = attempts;
    }
    cloud
}

/// A letter whose body is in KV under `key`.
pub fn letter_apart(reason: Reason, key: &str) -> String {
    letter(reason, DeadLetterPayload::BodyKey(key.to_owned()))
}

/// A dead-letter queue of one letter, whose body is in KV and readable by now.
pub async fn cloud_of_one_apart() -> Cloud {
    let cloud = Cloud::start().await;
    put(&cloud, "body/1", &envelope(&[row("from kv")]));
    let letter = letter_apart(Reason::UnsupportedVersion, "body/1");
    cloud.state().enqueue(DLQ, &letter);
    cloud
}

pub fn each_once(cloud: &Cloud, count: usize) {
    let published = published(cloud);
    assert_eq!(published.len(), count);
    assert!(published.values().all(|times| *times == 1), "{published:?}");
}

pub fn each_at_least_once(cloud: &Cloud, count: usize) {
    assert_eq!(published(cloud).len(), count);
}

pub fn put(cloud: &Cloud, key: &str, value: &str) {
    cloud
        .state()
        .kv
        .insert(key.to_owned(), value.as_bytes().to_vec());
}

pub fn kv_keys(cloud: &Cloud) -> Vec<String> {
    cloud.state().kv.keys().cloned().collect()
}
