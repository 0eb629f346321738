//! Timestamps as text, `2026-11-23T17:57:06.376Z`, and as milliseconds since 1970. Reading the clock is `ports`' business.
//!
//! Digit by digit: chrono's own parsing and formatting know many more forms, and take more room than the whole drain.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

/// One day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The last millisecond of a year of four digits.
const LAST_MS: u64 = 253_402_300_799_999;

/// `ms` as ISO-8601, UTC, milliseconds; what is later than the year 9999 as its end.
#[must_use]
pub fn iso(ms: u64) -> String {
    let ms = i64::try_from(ms.min(LAST_MS)).unwrap_or_default();
    let time = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.timestamp_subsec_millis(),
    )
}

/// The milliseconds since 1970 that `text` names; `None` where it is not of this form, or an earlier time.
#[must_use]
pub fn parse_ms(text: &str) -> Option<u64> {
    /// `0` stands for any digit.
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let text: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let mut fields = [0_u32; 7];
    let mut field = fields.iter_mut();
    let mut number = field.next()?;
    for (byte, form) in text.iter().zip(FORM) {
        if *form == b'0' && byte.is_ascii_digit() {
            *number = *number * 10 + u32::from(byte - b'0');
        } else if byte != form {
            return None;
        } else if let Some(next) = field.next() {
            number = next;
        }
    }
    let [year, month, day, hour, minute, second, ms] = fields;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let time = date.and_hms_milli_opt(hour, minute, second, ms)?;
    u64::try_from(time.and_utc().timestamp_millis()).ok()
}

/// The earliest of `timestamps`, as [`parse_ms`] gives it.
pub fn earliest_ms<'a>(timestamps: impl Iterator<Item = &'a str> + Clone) -> Option<u64> {
    // Being of one form, they sort as text: usually one is parsed, not all.
    let of_this_length = timestamps.clone().filter(|text| text.len() == 24);
    parse_ms(of_this_length.min()?).or_else(|| timestamps.filter_map(parse_ms).min())
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
            assert_eq!(iso(ms), text);
            assert_eq!(parse_ms(text), Some(ms));
        }
        assert_eq!(iso(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_such_time_is_none() {
        for text in [
            "",
            "yesterday",
            "1969-12-31T23:59:59.999Z",
            "2026-02-29T00:00:00.000Z",
            "2026-11-23T24:00:00.000Z",
            "2026-11-23T17:57:06.376",
            "2026-11-23T17:57:06.376z",
            "2026-11-23T17:57:06.37Z",
            "2026-11-23T17:57:06.3760Z",
            "2026-11-23 17:57:06.376Z",
            "+026-11-23T17:57:06.376Z",
        ] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }

    #[test]
    fn the_earliest_is_found_among_what_is_none() {
        let late = "2026-11-23T17:57:06.376Z";
        let early = "2026-11-23T17:57:06.375Z";
        let earliest = |texts: &[&str]| earliest_ms(texts.iter().copied());
        assert_eq!(earliest(&[late, early, late]), parse_ms(early));
        assert_eq!(
            earliest(&[late, "", "0000-00-00T00:00:00.000Z", early, "a"]),
            parse_ms(early)
        );
        assert_eq!(earliest(&["yesterday"]), None);
    }
}
