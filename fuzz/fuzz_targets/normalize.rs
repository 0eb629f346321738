//! Raw bytes as trace events, as JSON and as the glue's frame: nothing panics, and every message that comes of them can
//! be read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_record::Envelope;
use tail_ingest::{Settings, normalize_and_pack, normalize_frame, normalize_json};

fuzz_target!(|data: &[u8]| {
    let settings = Settings::default();
    if let Ok(normalized) = normalize_and_pack(data, &settings, 1, 2) {
        for body in &normalized.bodies {
            Envelope::decode(&body.text).expect("a message is an envelope");
        }
        let (records, counts) = normalize_json(data, &settings, 1, 2).expect("records read back");
        assert_eq!(records.len(), counts.records);
        assert_eq!(counts, normalized.counts);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        for body in normalize_frame(text, &settings, 1, 2).0.bodies {
            for view in Envelope::decode(&body.text).expect("a message is an envelope").records {
                view.to_record().expect("a record reads back");
            }
        }
    }
});
