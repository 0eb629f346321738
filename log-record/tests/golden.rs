//! Version 1 of the wire format, byte for byte: what is read and what is written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use log_record::{
    DeadLetter, DeadLetterPayload, DecodeError, Envelope, EnvelopeBuilder, LogRecord, Reason,
};

const ENVELOPE: &str = include_str!("golden/v1/envelope.json");
const RECORDS: &str = include_str!("golden/v1/records.ndjson");
const DEAD_LETTER_RECORDS: &str = include_str!("golden/v1/dead_letter_records.json");
const DEAD_LETTER_BODY: &str = include_str!("golden/v1/dead_letter_body.json");
const DEAD_LETTER_BODY_KEY: &str = include_str!("golden/v1/dead_letter_body_key.json");

/// Golden files end in the newline that editors add; messages do not.
fn golden(text: &str) -> &str {
    text.trim_end_matches('\n')
}

fn records() -> Vec<LogRecord> {
    RECORDS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn records_write_the_golden_envelope() {
    let mut builder = EnvelopeBuilder::new();
    for record in records() {
        builder.push(&record.to_row());
    }
    assert_eq!(builder.finish().as_deref(), Some(golden(ENVELOPE)));
}

#[test]
fn the_golden_envelope_reads_as_the_records() {
    let envelope = Envelope::decode(golden(ENVELOPE)).unwrap();
    let read: Vec<String> = envelope
        .records
        .iter()
        .map(|view| serde_json::to_string(&view.to_record().unwrap()).unwrap())
        .collect();
    assert_eq!(read, RECORDS.lines().collect::<Vec<_>>());
    assert_eq!(
        envelope.records[0].log_id(),
        "0193579c-2f68-7000-8000-000000000000"
    );
    assert_eq!(envelope.records[0].timestamp(), "2026-11-23T17:57:06.376Z");
}

#[test]
fn dead_letters_read_and_write_their_golden_files() {
    for (text, reason) in [
        (DEAD_LETTER_RECORDS, Reason::Rejected),
        (DEAD_LETTER_BODY, Reason::Undecodable),
        (DEAD_LETTER_BODY_KEY, Reason::UnsupportedVersion),
    ] {
        let letter = DeadLetter::decode(golden(text)).unwrap();
        assert_eq!(letter.reason, reason);
        assert_eq!(letter.encode().unwrap(), golden(text));
    }
    let letter = DeadLetter::decode(golden(DEAD_LETTER_RECORDS)).unwrap();
    let DeadLetterPayload::Records(rows) = &letter.payload else {
        panic!("no records in {letter:?}");
    };
    let envelope = golden(ENVELOPE);
    assert!(rows.iter().all(|row| envelope.contains(row.get())));
}

#[test]
fn a_newer_version_is_never_guessed_at() {
    assert_eq!(
        Envelope::decode(r#"{"v":2,"lines":"anything"}"#).unwrap_err(),
        DecodeError::UnsupportedVersion { found: 2 }
    );
    let newer = golden(DEAD_LETTER_BODY).replace(r#"{"v":1"#, r#"{"v":2"#);
    assert!(DeadLetter::decode(&newer).is_err());
}
