//! Raw bytes as trace events, as JSON and as the glue's frame: nothing panics, and every message that comes of them can
//! be read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_record::Envelope;
use tail_ingest::{Frames, Settings, normalize_and_pack, normalize_json};

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
        let mut frames = Frames::new(&settings, 1, 2);
        frames.read(text);
        for body in frames.finish().bodies {
            for view in Envelope::decode(&body.text).expect("a message is an envelope").records {
                view.to_record().expect("a record reads back");
            }
        }
    }
});
