use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

proptest! {
    #[test]
    fn bodies_name_every_letter_with_a_record_in_them(
        sizes in prop::collection::vec(prop::collection::vec(1_usize..60_000, 1..6), 0..12)
    ) {
        let row = |letter, index, size| format!("[\"{letter}.{index}\",\"{}\"]", "x".repeat(size));
        let letters: Vec<_> = sizes.iter().enumerate().map(|(letter, sizes)| {
            let rows = sizes.iter().enumerate().map(|(index, size)| row(letter, index, *size));
            Content::Records(rows.map(|row| RawValue::from_string(row).unwrap()).collect())
        }).collect();
        let (bodies, unfit) = pack_letters(letters.iter());
        prop_assert!(unfit.is_empty());
        for (letter, sizes) in sizes.iter().enumerate() {
            let own: Vec<_> = bodies.iter().filter(|one| one.1.contains(&letter)).collect();
            for index in 0..sizes.len() {
                let id = format!("[\"{letter}.{index}\",");
                prop_assert_eq!(own.iter().filter(|one| one.0.contains(&id)).count(), 1);
            }
        }
    }
}
