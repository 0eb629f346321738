//! Times as people write and read them. Stored times are ISO-8601, UTC, milliseconds, so that they sort as text.
//!
//! `jiff` does the arithmetic: it knows which local times occur twice, and which never.

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::Error;

/// The zone in which times are read and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// This machine's.
    Local,
    /// UTC.
    Utc,
    /// Another one, by its name in the time zone database.
    Named(TimeZone),
}

impl Zone {
    /// Reads the name of a zone: `utc`, `local`, or a name such as `Europe/Berlin`.
    ///
    /// # Errors
    /// A sentence that names the zone.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "utc" | "z" => Ok(Self::Utc),
            "local" => Ok(Self::Local),
            _ => TimeZone::get(name)
                .map(Self::Named)
                .map_err(|_| format!("the time zone database has no \"{name}\"; write a name like Europe/Berlin, or utc")),
        }
    }

    fn rules(&self) -> TimeZone {
        match self {
            Self::Local => TimeZone::system(),
            Self::Utc => TimeZone::UTC,
            Self::Named(zone) => zone.clone(),
        }
    }
}

/// The end of a window that a time stands for. It decides which of two instants a local time means where clocks go back:
/// the one that makes the window longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// `--since`.
    Start,
    /// `--until`.
    End,
}

/// Reads a time, in any of these forms:
///
/// - an age before `now`: `45s`, `15m`, `1h30m`, `2 hours ago`, `7d`, where a day is 24 hours;
/// - `now`, `today`, `yesterday`: the latter two at their midnight in `zone`;
/// - a time of day, `10:15` or `10:15:30`: the latest that has passed in `zone`;
/// - `2026-11-23`, `2026-11-23T10:00`, with or without seconds, with a space for the `T`: in `zone`, unless an offset
///   (`Z`, `+01:00`) follows;
/// - seconds (10 digits) or milliseconds (13 digits) since 1970.
///
/// A local time that clocks skip moves forward by what they skip.
///
/// # Errors
/// [`Error::Usage`] naming `option`.
pub fn parse(
    option: &str,
    text: &str,
    now: Timestamp,
    zone: &Zone,
    edge: Edge,
) -> Result<Timestamp, Error> {
    let trimmed = text.trim();
    let rules = zone.rules();
    instant(trimmed, now, &rules, edge).ok_or_else(|| {
        Error::Usage(format!(
            "{option}: \"{text}\" is not a time; write an age like 15m or 1h30m, a time of day like 10:15, yesterday, or \
             2026-11-23T10:00"
        ))
    })
}

fn instant(text: &str, now: Timestamp, rules: &TimeZone, edge: Edge) -> Option<Timestamp> {
    let today = rules.to_datetime(now).date();
    let midnight = |date: jiff::civil::Date| resolve(date.at(0, 0, 0, 0), rules, edge);
    match text.to_ascii_lowercase().as_str() {
        "now" => return Some(now),
        "today" => return midnight(today),
        "yesterday" => return midnight(today.yesterday().ok()?),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok()?;
        return match text.len() {
            10 => Timestamp::from_second(number).ok(),
            13 => Timestamp::from_millisecond(number).ok(),
            _ => None,
        };
    }
    if let Some(age) = parse_age(text) {
        return now.checked_sub(age).ok();
    }
    let bytes = text.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
    if bytes.iter().all(is_plain)
        && matches!(
            (bytes.get(1), bytes.get(2)),
            (Some(b':'), _) | (_, Some(b':'))
        )
    {
        let padded = if bytes.get(1) == Some(&b':') {
            format!("0{text}")
        } else {
            text.to_owned()
        };
        let time: Time = padded.parse().ok()?;
        let at = resolve(today.to_datetime(time), rules, edge)?;
        return if at <= now {
            Some(at)
        } else {
            resolve(today.yesterday().ok()?.to_datetime(time), rules, edge)
        };
    }
    // Every other form begins with a year: `jiff` alone would read `1015` as a time of day.
    if bytes.get(4) != Some(&b'-') {
        return None;
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    resolve(text.parse::<DateTime>().ok()?, rules, edge)
}

/// Returns the instant of a local time. A time that clocks skip moves forward.
fn resolve(local: DateTime, rules: &TimeZone, edge: Edge) -> Option<Timestamp> {
    let ambiguous = rules.to_ambiguous_timestamp(local);
    match (ambiguous.offset(), edge) {
        (AmbiguousOffset::Fold { .. }, Edge::Start) => ambiguous.earlier(),
        (AmbiguousOffset::Fold { .. }, Edge::End) => ambiguous.later(),
        _ => ambiguous.compatible(),
    }
    .ok()
}

/// An age: `15m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(i64);

impl Age {
    /// Returns the age of so many seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Returns its whole seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

impl std::str::FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_age(text)
            .map(|age| Self(age.as_secs()))
            .ok_or_else(|| format!("\"{text}\" is not an age; write 15m, 1h30m or 7d"))
    }
}

impl<'de> serde::Deserialize<'de> for Age {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads an age such as `15m`, `1h30m` or `2 hours ago`; a day is 24 hours. Months and years have no fixed length, so
/// they are not ages.
#[must_use]
pub fn parse_age(text: &str) -> Option<jiff::SignedDuration> {
    let text = text.trim();
    let text = text.strip_suffix("ago").map_or(text, str::trim_end);
    // `jiff` would take `9:15:30` for a duration.
    if !text.starts_with(|first: char| first.is_ascii_digit()) || text.contains(':') {
        return None;
    }
    let span: Span = text.parse().ok()?;
    let age = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (!age.is_negative()).then_some(age)
}

/// Returns the stored form: `2026-11-23T17:57:06.376Z`.
#[must_use]
pub fn stored(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Returns the stored form of milliseconds since 1970.
#[must_use]
pub fn stored_ms(millis: i64) -> String {
    stored(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Returns a stored time for a person: `2026-11-23 18:57:06.376`, with a `Z` in UTC. A text that is not a time is
/// returned as it is.
#[must_use]
pub fn shown(stored: &str, zone: &Zone) -> String {
    let Ok(time) = stored.parse::<Timestamp>() else {
        return stored.to_owned();
    };
    let local = zone.rules().to_datetime(time);
    let utc = if *zone == Zone::Utc { "Z" } else { "" };
    format!("{}{utc}", local.strftime("%Y-%m-%d %H:%M:%S.%3f"))
}

/// Returns the milliseconds of a stored time since 1970, if it is one.
#[must_use]
pub fn millis(stored: &str) -> Option<i64> {
    stored
        .parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Returns an age for a person, in its largest sensible unit: `3 s`, `12 min`, `5 h`, `2 d`.
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

    const NOW: &str = "2026-11-23T17:57:06.376Z";

    fn read(text: &str, now: &str, zone: &str, edge: Edge) -> Option<String> {
        let zone = Zone::parse(zone).unwrap();
        parse("--since", text, now.parse().unwrap(), &zone, edge)
            .ok()
            .map(stored)
    }

    fn since(text: &str, zone: &str) -> Option<String> {
        read(text, NOW, zone, Edge::Start)
    }

    #[test]
    fn ages_count_back_from_now_and_a_day_is_24_hours() {
        for (text, expected) in [
            ("15m", "2026-11-23T17:42:06.376Z"),
            ("2h", "2026-11-23T15:57:06.376Z"),
            ("1h30m", "2026-11-23T16:27:06.376Z"),
            ("90s", "2026-11-23T17:55:36.376Z"),
            ("2 hours ago", "2026-11-23T15:57:06.376Z"),
            ("1 hour 5 minutes ago", "2026-11-23T16:52:06.376Z"),
            ("7d", "2026-11-16T17:57:06.376Z"),
            ("1w", "2026-11-16T17:57:06.376Z"),
            ("now", NOW),
        ] {
            assert_eq!(since(text, "utc").as_deref(), Some(expected), "{text}");
        }
        // Clocks went back in between.
        let now = "2026-10-25T12:00:00Z";
        let read = read("1d", now, "Europe/Berlin", Edge::Start);
        assert_eq!(read.as_deref(), Some("2026-10-24T12:00:00.000Z"));
    }

    #[test]
    fn times_are_read_to_the_day_the_minute_and_the_second() {
        for (text, expected) in [
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
            ("2026-11-23T10:00", "2026-11-23T10:00:00.000Z"),
            ("2026-11-23 10:00:01.5", "2026-11-23T10:00:01.500Z"),
            ("2026-11-23T10:00Z", "2026-11-23T10:00:00.000Z"),
            ("2026-11-23T10:00+02:00", "2026-11-23T08:00:00.000Z"),
            ("2026-11-23 10:00:00+02:00", "2026-11-23T08:00:00.000Z"),
            ("1795456800", "2026-11-23T18:00:00.000Z"),
            ("1795456800123", "2026-11-23T18:00:00.123Z"),
        ] {
            assert_eq!(since(text, "utc").as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn days_and_times_of_day_are_those_of_the_zone() {
        for (text, zone, expected) in [
            ("today", "utc", "2026-11-23T00:00:00.000Z"),
            ("yesterday", "utc", "2026-11-22T00:00:00.000Z"),
            ("yesterday", "Europe/Berlin", "2026-11-21T23:00:00.000Z"),
            ("yesterday", "America/New_York", "2026-11-22T05:00:00.000Z"),
            // It is 18:57 in Berlin, 12:57 in New York.
            ("18:00", "Europe/Berlin", "2026-11-23T17:00:00.000Z"),
            ("18:00", "America/New_York", "2026-11-22T23:00:00.000Z"),
            ("9:15:30", "America/New_York", "2026-11-23T14:15:30.000Z"),
        ] {
            assert_eq!(
                since(text, zone).as_deref(),
                Some(expected),
                "{text} {zone}"
            );
        }
    }

    #[test]
    fn a_local_time_that_occurs_twice_makes_the_window_longer() {
        for (text, zone, earlier, later) in [
            (
                "2026-10-25T02:30",
                "Europe/Berlin",
                "2026-10-25T00:30:00.000Z",
                "2026-10-25T01:30:00.000Z",
            ),
            (
                "2026-11-01T01:30",
                "America/New_York",
                "2026-11-01T05:30:00.000Z",
                "2026-11-01T06:30:00.000Z",
            ),
        ] {
            let read = |edge| read(text, NOW, zone, edge);
            assert_eq!(read(Edge::Start).as_deref(), Some(earlier), "{zone}");
            assert_eq!(read(Edge::End).as_deref(), Some(later), "{zone}");
        }
    }

    #[test]
    fn a_local_time_that_clocks_skip_moves_forward() {
        for (text, zone, expected) in [
            (
                "2026-03-29T02:30",
                "Europe/Berlin",
                "2026-03-29T01:30:00.000Z",
            ),
            (
                "2026-03-08T02:30",
                "America/New_York",
                "2026-03-08T07:30:00.000Z",
            ),
        ] {
            for edge in [Edge::Start, Edge::End] {
                let read = read(text, NOW, zone, edge);
                assert_eq!(read.as_deref(), Some(expected), "{zone}");
            }
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "m",
            "-5m",
            "5y",
            "1mo",
            "tomorrow",
            "99999999999999999999d",
            "2026-13-01",
            "1015",
            "123456",
            "25:00",
            "10:15+01:00",
            "ago",
        ] {
            assert_eq!(since(text, "utc"), None, "{text}");
        }
    }

    #[test]
    fn a_local_time_survives_being_shown_and_read_again() {
        for zone in ["Europe/Berlin", "America/New_York", "utc"] {
            let shown = shown(NOW, &Zone::parse(zone).unwrap());
            assert_eq!(since(&shown, zone).as_deref(), Some(NOW), "{shown}");
        }
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(shown(NOW, &berlin), "2026-11-23 18:57:06.376");
    }

    #[test]
    fn an_unknown_zone_is_refused() {
        assert!(Zone::parse("Europe/Atlantis").is_err());
    }
}
