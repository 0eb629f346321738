//! Milliseconds as ISO-8601 text: UTC, milliseconds, `2026-11-23T17:57:06.376Z`.

use chrono::{DateTime, Datelike as _, Timelike as _};

/// The last millisecond that four digits of a year can name: 9999-12-31T23:59:59.999Z.
pub(crate) const LAST_MS: u64 = 253_402_300_799_999;

/// A time as text without quotes: `2026-11-23T17:57:06.376Z`.
pub(crate) type Text = [u8; 24];

/// Writes timestamps; most of a call's fall into the same second, whose text is kept.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// The second, and its text up to the point before the milliseconds: `2026-11-23T17:57:06.`.
    cached: Option<(u64, [u8; 20])>,
}

impl Clock {
    /// `ms` since 1970, at most [`LAST_MS`], as text.
    pub(crate) fn text(&mut self, ms: u64) -> Text {
        let ms = ms.min(LAST_MS);
        let second = ms / 1_000;
        let prefix = match self.cached {
            Some((cached, prefix)) if cached == second => prefix,
            _ => prefix(second),
        };
        self.cached = Some((second, prefix));
        let ms = u32::try_from(ms % 1_000).unwrap_or_default();
        let mut text = [b'Z'; 24];
        if let Some(start) = text.first_chunk_mut() {
            *start = prefix;
        }
        let [.., hundreds, tens, ones, _] = &mut text;
        (*hundreds, *tens, *ones) = (digit(ms / 100), digit(ms / 10), digit(ms));
        text
    }
}

/// `second` since 1970 as text. By digits, because chrono's own formatting is a tenth of the whole Worker.
fn prefix(second: u64) -> [u8; 20] {
    // In range, so there is such a time.
    let time =
        DateTime::from_timestamp(i64::try_from(second).unwrap_or_default(), 0).unwrap_or_default();
    let year = u32::try_from(time.year()).unwrap_or_default();
    let (month, day) = (time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    [
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
        b'T',
        digit(hour / 10),
        digit(hour),
        b':',
        digit(minute / 10),
        digit(minute),
        b':',
        digit(second / 10),
        digit(second),
        b'.',
    ]
}

/// The last decimal digit of `number`.
fn digit(number: u32) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

/// A JSON number token of milliseconds since 1970 as whole milliseconds, if it names a time that can be stored.
pub(crate) fn from_token(token: &str) -> Option<u64> {
    let whole = if let Some(whole) = digits(token) {
        whole
    } else if let Ok(whole) = token.parse::<u64>() {
        whole
    } else {
        let number = crate::json::number(token).filter(|number| *number >= 0.0)?;
        // Checked against the range below; the fraction of a millisecond is not stored.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = number.floor() as u64;
        whole
    };
    (whole <= LAST_MS).then_some(whole)
}

/// The usual token: a few digits.
fn digits(token: &str) -> Option<u64> {
    if !(1..=15).contains(&token.len()) {
        return None;
    }
    token.bytes().try_fold(0, |number: u64, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        let mut clock = Clock::default();
        for (ms, text) in [
            (1_795_456_626_376, "2026-11-23T17:57:06.376Z"),
            (1_795_456_626_001, "2026-11-23T17:57:06.001Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_010, "2000-02-29T00:00:00.010Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(str::from_utf8(&clock.text(ms)).unwrap(), text);
        }
    }

    #[test]
    fn only_storable_numbers_are_times() {
        assert_eq!(from_token("1795456626376"), Some(1_795_456_626_376));
        assert_eq!(from_token("1795456626376.75"), Some(1_795_456_626_376));
        for token in [
            "-1",
            "null",
            "\"1\"",
            "1e300",
            "{}",
            "253402300800000",
            "",
            "NaN",
        ] {
            assert_eq!(from_token(token), None, "{token}");
        }
    }
}
