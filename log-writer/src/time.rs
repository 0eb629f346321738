//! Timestamps as text and as milliseconds since 1970. Reading the clock is `ports`' business.

use chrono::{DateTime, SecondsFormat};

/// One day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// `ms` as ISO-8601, UTC, milliseconds: `2026-11-23T17:57:06.376Z`.
#[must_use]
pub fn iso(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(ms)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The milliseconds since 1970 that `text` names; `None` where it is no such timestamp, or an earlier one.
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
        assert_eq!(iso(1_795_456_626_376), "2026-11-23T17:57:06.376Z");
        assert_eq!(
            parse_ms("2026-11-23T17:57:06.376Z"),
            Some(1_795_456_626_376)
        );
        assert_eq!(parse_ms("yesterday"), None);
        assert_eq!(parse_ms("1969-12-31T23:59:59.999Z"), None);
    }
}
