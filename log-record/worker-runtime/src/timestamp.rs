//! Timestamps: milliseconds since 1970, and their text, ISO-8601 in UTC with milliseconds: `2026-11-23T17:57:06.376Z`.
//! Reading the time is [`crate::Clock`]'s work.

use chrono::{DateTime, SecondsFormat, Utc};

/// One day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The last millisecond of a year of four digits.
pub const LAST_MS: u64 = 253_402_300_799_999;

/// Returns `ms` as text; what is later than the year 9999 becomes its end.
#[must_use]
pub fn format_ms(ms: u64) -> String {
    let ms = i64::try_from(ms.min(LAST_MS)).unwrap_or_default();
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns the milliseconds since 1970 that an RFC 3339 text names; `None` for any other text, and for earlier times.
#[must_use]
pub fn parse_ms(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_milliseconds_are_the_same_time() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_010, "2000-02-29T00:00:00.010Z"),
            (1_795_456_626_376, "2026-11-23T17:57:06.376Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(format_ms(ms), text);
            assert_eq!(parse_ms(text), Some(ms));
        }
        assert_eq!(format_ms(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in [
            "",
            "yesterday",
            "1969-12-31T23:59:59.999Z",
            "2026-02-29T00:00:00.000Z",
            "2026-11-23T24:00:00.000Z",
            "2026-11-23T17:57:06.376",
        ] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }
}
