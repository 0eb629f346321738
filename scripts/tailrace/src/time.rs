//! Times as people write and read them. Stored times are ISO-8601, UTC, milliseconds, so that they sort as text.

use chrono::{
    DateTime, Duration, Local, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc,
};

use crate::Error;

/// In which zone times are read and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// This machine's.
    Local,
    /// UTC.
    Utc,
}

/// Reads an age before `now` (`45s`, `15m`, `2h`, `7d`, `1w`), or a time: `2026-11-23`, `2026-11-23T10:00` (in `zone`),
/// or with seconds, or with an offset (`…Z`, `…+01:00`), which wins over `zone`.
///
/// # Errors
/// [`Error::Usage`] naming `option`.
pub fn parse(
    option: &str,
    text: &str,
    now: DateTime<Utc>,
    zone: Zone,
) -> Result<DateTime<Utc>, Error> {
    let bad = || {
        Error::Usage(format!(
            "{option}: \"{text}\" is no time; write an age like 15m, 2h or 7d, or a time like 2026-11-23T10:00"
        ))
    };
    let text = text.trim();
    if let Some(age) = age(text) {
        return now.checked_sub_signed(age).ok_or_else(bad);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let naive = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .or_else(|| {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN))
    })
    .ok_or_else(bad)?;
    match zone {
        Zone::Utc => Ok(naive.and_utc()),
        // Where the clocks go back an hour happens twice: the earlier one shows more.
        Zone::Local => match Local.from_local_datetime(&naive) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Ok(time.to_utc()),
            LocalResult::None => Err(bad()),
        },
    }
}

fn age(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    (count >= 0)
        .then(|| count.checked_mul(seconds))
        .flatten()
        .and_then(Duration::try_seconds)
}

/// The stored form: `2026-11-23T17:57:06.376Z`.
#[must_use]
pub fn stored(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A stored time for a person: `2026-11-23 18:57:06.376`, with a `Z` in UTC. What is no time is shown as it is.
#[must_use]
pub fn shown(stored: &str, zone: Zone) -> String {
    match (DateTime::parse_from_rfc3339(stored), zone) {
        (Ok(time), Zone::Utc) => time.to_utc().format("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
        (Ok(time), Zone::Local) => time
            .with_timezone(&Local)
            .format("%Y-%m-%d %H:%M:%S%.3f")
            .to_string(),
        (Err(_), _) => stored.to_owned(),
    }
}

/// Milliseconds of a stored time since 1970, if it is one.
#[must_use]
pub fn millis(stored: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(stored)
        .ok()
        .map(|time| time.timestamp_millis())
}

/// An age for a person, in its largest sensible unit: `3 s`, `12 min`, `5 h`, `2 d`.
#[must_use]
pub fn age_shown(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-23T17:57:06.376Z")
            .unwrap()
            .to_utc()
    }

    fn parsed(text: &str) -> Option<String> {
        parse("--since", text, now(), Zone::Utc).ok().map(stored)
    }

    #[test]
    fn ages_count_back_from_now() {
        assert_eq!(parsed("15m").as_deref(), Some("2026-11-23T17:42:06.376Z"));
        assert_eq!(parsed("2h").as_deref(), Some("2026-11-23T15:57:06.376Z"));
        assert_eq!(parsed("7d").as_deref(), Some("2026-11-16T17:57:06.376Z"));
    }

    #[test]
    fn times_are_read_to_the_minute_the_second_and_the_day_and_an_offset_wins() {
        assert_eq!(
            parsed("2026-11-23T10:00").as_deref(),
            Some("2026-11-23T10:00:00.000Z")
        );
        assert_eq!(
            parsed("2026-11-23 10:00:01.5").as_deref(),
            Some("2026-11-23T10:00:01.500Z")
        );
        assert_eq!(
            parsed("2026-11-23").as_deref(),
            Some("2026-11-23T00:00:00.000Z")
        );
        assert_eq!(
            parsed("2026-11-23T10:00:00+02:00").as_deref(),
            Some("2026-11-23T08:00:00.000Z")
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "m",
            "-5m",
            "5y",
            "yesterday",
            "99999999999999999999d",
            "2026-13-01",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn a_local_time_survives_being_shown_and_read_again() {
        let shown = shown(&stored(now()), Zone::Local);
        let read = parse("--since", &shown, now(), Zone::Local).unwrap();
        assert_eq!(read, now());
    }
}
