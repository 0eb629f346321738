//! Properties of any input: nothing panics, no limit is exceeded, order is kept, nothing is lost.
#![allow(clippy::unwrap_used, clippy::string_slice)]

use log_record::envelope::Pushed;
use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{Envelope, EnvelopeBuilder};
use proptest::prelude::*;

fn row(message: &str) -> String {
    serde_json::to_string(&(
        "id",
        "w",
        "r",
        "c",
        "info",
        message,
        serde_json::json!({}),
        "t",
        1,
    ))
    .unwrap()
}

proptest! {
    #[test]
    fn a_damaged_envelope_is_refused_or_read_without_panic(cut in 0usize..400, noise in "[\\[\\]{}\",:a-z0-9\\\\]{0,8}") {
        let golden = include_str!("golden/v1/envelope.json");
        let cut = golden.floor_char_boundary(cut);
        let text = format!("{}{noise}{}", &golden[..cut], &golden[cut..]);
        let _ = Envelope::decode(&text);
    }

    #[test]
    fn packing_keeps_order_and_every_record_within_the_limit(
        sizes in prop::collection::vec(prop_oneof![0usize..200, 30_000usize..130_000], 0..30),
    ) {
        let rows: Vec<String> = sizes
            .iter()
            .enumerate()
            .map(|(index, size)| row(&format!("{index} {}", "é".repeat(size / 2))))
            .collect();
        let mut builder = EnvelopeBuilder::new();
        let (mut bodies, mut too_large) = (Vec::new(), 0);
        for row in &rows {
            match builder.push(row) {
                Pushed::Added => {}
                Pushed::TooLarge => too_large += 1,
                Pushed::Full => {
                    bodies.extend(builder.finish());
                    prop_assert_eq!(builder.push(row), Pushed::Added);
                }
            }
        }
        bodies.extend(builder.finish());
        prop_assert!(bodies.iter().all(|body| body.len() <= MESSAGE_BODY_BYTES));
        let packed: Vec<String> = bodies
            .iter()
            .flat_map(|body| {
                let envelope = Envelope::decode(body).unwrap();
                envelope.records.iter().map(|view| view.raw().to_owned()).collect::<Vec<_>>()
            })
            .collect();
        let fitting: Vec<&String> = rows.iter().filter(|row| row.len() <= RECORD_BYTES).collect();
        prop_assert_eq!(packed.iter().collect::<Vec<_>>(), fitting);
        prop_assert_eq!(too_large, rows.iter().filter(|row| row.len() > RECORD_BYTES).count());
        // As few messages as fit, one after another: no two neighbours would have gone into one.
        for pair in bodies.windows(2) {
            let next = Envelope::decode(&pair[1]).unwrap().records[0].raw().len();
            prop_assert!(pair[0].len() + 1 + next > MESSAGE_BODY_BYTES);
        }
    }
}
