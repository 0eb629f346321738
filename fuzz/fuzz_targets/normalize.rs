//! Raw bytes as trace events: nothing panics, and every message that is made of them can be read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_record::Envelope;
use tail_ingest::{Settings, normalize_and_pack, normalize_json};

fuzz_target!(|data: &[u8]| {
    let settings = Settings::default();
    if let Ok(normalized) = normalize_and_pack(data, &settings, 1, 2) {
        for body in &normalized.bodies {
            let envelope = Envelope::decode(&body.text).expect("a message is an envelope");
            for view in &envelope.records {
                view.to_record().expect("a record reads back");
            }
        }
        let (records, counts) = normalize_json(data, &settings, 1, 2).expect("records read back");
        assert_eq!(records.len(), counts.records);
        assert_eq!(counts, normalized.counts);
        assert_eq!(counts.unwritable, 0);
    }
});
