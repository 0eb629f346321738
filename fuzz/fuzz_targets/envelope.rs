//! Raw bytes as a queue message or a dead letter: an answer, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_record::{DeadLetter, Envelope};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(envelope) = Envelope::decode(text) {
            for view in &envelope.records {
                let _ = view.to_record();
            }
        }
        if let Ok(letter) = DeadLetter::decode(text) {
            let again = letter.encode().expect("a dead letter can be written");
            DeadLetter::decode(&again).expect("what was written reads back");
        }
    }
});
