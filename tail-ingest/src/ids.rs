//! Ids from one random seed per call and the times of the records: no random source and no clock here.
//!
//! A `log_id` is a UUID of version 7: the record's own millisecond, then its position within the invocation in the
//! 20 bits that follow, then 54 bits of the seed. So records of one millisecond sort as they were logged, and the same
//! id never comes twice from one call.

use uuid::{Builder, Uuid};

/// Positions that the id can tell apart; an invocation of at most 256 KiB of trace has far fewer records.
const POSITION_BITS: u32 = 20;

/// Random numbers from a seed (SplitMix64): each seed gives its own sequence.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Returns the sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a UUID of version 7: `ms`, and 74 random bits. Where ids that are made one after another also sort like that, an
    /// index takes the rows of a batch on a few of its pages and not each on another.
    pub(crate) fn uuid(&mut self, ms: u64) -> Uuid {
        let [_, _, _, _, _, _, bytes @ ..] =
            (u128::from(self.number()) << 64 | u128::from(self.number())).to_be_bytes();
        Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid()
    }
}

/// Returns the id of the record at `position` of an invocation, logged at `ms`. `random` is the invocation's own number.
pub(crate) fn log_id(ms: u64, position: u64, random: u64) -> Uuid {
    // 12 bits, two for the variant (which the builder overwrites), 8 bits, 54 bits: 76 bits in 80.
    let high = (position >> 8) & 0xfff;
    let low = position & 0xff;
    // Positions beyond the bits go on in the random part, so that they stay distinct.
    let tail = (random ^ (position >> POSITION_BITS)) & ((1 << 54) - 1);
    let value = (u128::from(high) << 64) | u128::from(low << 54) | u128::from(tail);
    let mut bytes = [0_u8; 10];
    for (to, from) in bytes
        .iter_mut()
        .zip(value.to_be_bytes().into_iter().skip(6))
    {
        *to = from;
    }
    Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_version_7_and_sort_by_time_then_position() {
        let mut random = Random::new(7);
        let mut last = String::new();
        for ms in [1, 1_795_456_626_376, 1_795_456_626_377] {
            for position in [
                0,
                1,
                255,
                256,
                257,
                4_095,
                4_096,
                70_000,
                (1 << POSITION_BITS) - 1,
            ] {
                let id = log_id(ms, position, random.number());
                assert_eq!(id.get_version_num(), 7);
                assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
                assert!(id.to_string() > last, "{id} after {last}");
                last = id.to_string();
            }
        }
    }

    #[test]
    fn ids_are_distinct_across_positions_and_invocations() {
        let mut random = Random::new(1);
        let (one, other) = (random.number(), random.number());
        let ids: BTreeSet<_> = (0..5_000)
            .chain([1 << 20, 1 << 21])
            .flat_map(|position| [log_id(5, position, one), log_id(5, position, other)])
            .collect();
        assert_eq!(ids.len(), 2 * 5_002);
        assert_ne!(random.uuid(5), random.uuid(5));
        assert!(random.uuid(5) < random.uuid(6));
    }
}
