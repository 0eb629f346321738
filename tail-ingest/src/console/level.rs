//! The level that a structured line states: the members that loggers put it in, and the spellings they use.
//! `log_record::Level::from_alias` has the names; docs/configuration.md shows both.

use log_record::Level;

use super::names::canonical;
use super::terminal_escapes::strip_terminal_escapes;
use crate::json::Json;

/// The members that state a level, best first, in canonical form (see `names`): `level`, `severity`, `log_level`,
/// `logLevel` and `log.level`, `severityText`, `levelname`, `level_name`, `lvl`, and Serilog's `@l`.
const LEVEL_NAMES: [&str; 7] = [
    "level",
    "severity",
    "loglevel",
    "severitytext",
    "levelname",
    "lvl",
    "@l",
];

/// The texts that make `status` a level, as Datadog has it. Most loggers' `status` is something else.
const STATUS_LEVELS: [(&str, Level); 10] = [
    ("emergency", Level::Error),
    ("alert", Level::Error),
    ("critical", Level::Error),
    ("error", Level::Error),
    ("warning", Level::Warn),
    ("warn", Level::Warn),
    ("notice", Level::Info),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Debug),
];

/// The place of an object among the arguments: numbers count in the line itself alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first argument.
    Line,
    /// An object beside other arguments.
    Payload,
}

/// The level that an object states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum StatedLevel {
    /// No member is a level's.
    #[default]
    Absent,
    /// A level's member holds text that is not in the table.
    Unknown,
    /// A level, and the index of the member that states it, where it is one of the object's own.
    Known(Level, Option<usize>),
}

/// The shapes of objects in which some members mean something else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    /// GELF: `short_message` and `version`. Its levels are syslog's numbers.
    is_gelf: bool,
    /// consola: `type`, and `args` as a list.
    is_consola: bool,
}

/// Finds the level that `members` state.
pub(crate) fn find_level<N: AsRef<str>>(members: &[(N, Json<'_>)], place: Place) -> StatedLevel {
    let shape = Shape::of(members);
    let mut found: Option<(usize, Level, Option<usize>)> = None;
    let mut has_unknown = false;
    let mut offer = |rank: usize, level: Level, index: Option<usize>| {
        if found.is_none_or(|(best, ..)| rank < best) {
            found = Some((rank, level, index));
        }
    };
    for (index, (name, value)) in members.iter().enumerate() {
        let name = name.as_ref();
        let canonical = canonical(name);
        let canonical = canonical.as_str();
        if let Some(rank) = LEVEL_NAMES.iter().position(|known| *known == canonical) {
            match read_level(*value, place, shape) {
                Some(level) => offer(rank, level, Some(index)),
                None => has_unknown |= is_unknown_text(*value),
            }
            continue;
        }
        let nested = match canonical {
            // Elastic Common Schema; tslog; roarr.
            "log" => value.get("level"),
            "meta" if name == "_meta" => value.get("logLevelName"),
            "context" => value.get("logLevel"),
            _ => None,
        };
        if let Some(level) = nested.and_then(|nested| read_level(nested, place, shape)) {
            offer(LEVEL_NAMES.len(), level, None);
        }
        if canonical == "severitynumber"
            && let Some(level) = severity_number(*value)
        {
            offer(LEVEL_NAMES.len() + 1, level, Some(index));
        }
        if name == "type"
            && shape.is_consola
            && let Some(level) = value.as_text().and_then(|text| Level::from_alias(&text))
        {
            offer(LEVEL_NAMES.len() + 2, level, Some(index));
        }
        if name == "status"
            && let Some(level) = value.as_text().and_then(|text| status_level(&text))
        {
            offer(LEVEL_NAMES.len() + 3, level, Some(index));
        }
    }
    match found {
        Some((_, level, index)) => StatedLevel::Known(level, index),
        None if has_unknown => StatedLevel::Unknown,
        None => StatedLevel::Absent,
    }
}

impl Shape {
    fn of<N: AsRef<str>>(members: &[(N, Json<'_>)]) -> Self {
        let get = |wanted: &str| {
            members
                .iter()
                .find(|(name, _)| name.as_ref() == wanted)
                .map(|(_, value)| *value)
        };
        Self {
            is_gelf: get("short_message").is_some() && get("version").is_some(),
            is_consola: get("type").is_some() && get("args").is_some_and(Json::is_array),
        }
    }
}

/// The words that state a level at the beginning of a text: `error: …` as winston writes it, `12:00:01 [ERR] …` as text
/// formats have it. In lower or upper case alone, so that the text of an error (`Error: …`) is not one.
const TEXT_LEVELS: [(&str, Level); 12] = [
    ("warn", Level::Warn),
    ("wrn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("fatal", Level::Error),
    ("ftl", Level::Error),
    ("severe", Level::Error),
    ("critical", Level::Error),
    ("alert", Level::Error),
    ("emerg", Level::Error),
    ("panic", Level::Error),
];

/// The number of words among which a text's level is looked for: a date, a time and an offset may come before it.
const TEXT_LEVEL_WORDS: usize = 4;

/// Returns the level, warn or error, that a plain text states at its beginning: a word in capitals or in brackets, or one
/// with a colon; nothing but times before it.
pub(crate) fn text_level(text: &str) -> Option<Level> {
    for word in text.split_ascii_whitespace().take(TEXT_LEVEL_WORDS) {
        // logfmt: `time=… level=error msg=…`.
        if let Some(level) = word.strip_prefix("level=") {
            return Level::from_alias(level.trim_matches('"'))
                .filter(|level| *level >= Level::Warn);
        }
        if ["time=", "ts=", "timestamp="]
            .iter()
            .any(|name| word.starts_with(name))
        {
            continue;
        }
        let whole = word.trim_matches(['[', ']', '(', ')', ':', '|', '<', '>']);
        // Python: `ERROR:shop.db:no stock`.
        let bare = match whole.split_once(':') {
            Some((level, _)) if level.bytes().all(|byte| byte.is_ascii_uppercase()) => level,
            _ => whole,
        };
        let is_one_case = !bare.bytes().any(|byte| byte.is_ascii_lowercase())
            || !bare.bytes().any(|byte| byte.is_ascii_uppercase());
        let is_marked =
            bare.len() < word.len() || bare.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_one_case
            && is_marked
            && let Some((_, level)) = TEXT_LEVELS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(bare))
        {
            return Some(*level);
        }
        let is_time = bare.bytes().any(|byte| byte.is_ascii_digit())
            && bare
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-+:./,TZ".contains(&byte));
        if !is_time {
            return None;
        }
    }
    None
}

/// Returns the level that `value` spells: a name in any case, with colours or spaces around it, or a number.
fn read_level(value: Json<'_>, place: Place, shape: Shape) -> Option<Level> {
    let text = value.display();
    let text = strip_terminal_escapes(&text);
    let text = text.trim();
    if value.is_string()
        && let Some(level) = Level::from_alias(without_offset(text))
    {
        return Some(level);
    }
    if place == Place::Payload || !(value.is_string() || value.is_number()) {
        return None;
    }
    let number = text.parse::<u8>().ok()?;
    if shape.is_gelf {
        return syslog_level(number);
    }
    Some(match number {
        10 | 20 => Level::Debug,
        30 => Level::Info,
        40 => Level::Warn,
        50 | 60 => Level::Error,
        _ => return None,
    })
}

/// Returns the name in a level of Go's `slog`, which writes those between its own as `WARN+2`.
fn without_offset(text: &str) -> &str {
    text.rsplit_once(['+', '-'])
        .filter(|(_, offset)| {
            !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map_or(text, |(name, _)| name)
}

/// Returns whether `value` is text that could name a level.
fn is_unknown_text(value: Json<'_>) -> bool {
    value.as_text().is_some_and(|text| !text.trim().is_empty())
}

/// RFC 5424, section 6.2.1.
fn syslog_level(number: u8) -> Option<Level> {
    Some(match number {
        0..=3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        7 => Level::Debug,
        _ => return None,
    })
}

/// OpenTelemetry's log data model, field `SeverityNumber`.
fn severity_number(value: Json<'_>) -> Option<Level> {
    Some(match value.text().parse::<u8>().ok()? {
        1..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warn,
        17..=24 => Level::Error,
        _ => return None,
    })
}

fn status_level(text: &str) -> Option<Level> {
    STATUS_LEVELS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level_of(object: &str, place: Place) -> Option<Level> {
        let members: Vec<_> = Json::parse(object).unwrap().members().collect();
        match find_level(&members, place) {
            StatedLevel::Known(level, _) => Some(level),
            StatedLevel::Absent | StatedLevel::Unknown => None,
        }
    }

    #[test]
    fn every_place_and_spelling_is_read() {
        for (object, level) in [
            (r#"{"level":"\u001b[31merror\u001b[39m"}"#, Level::Error),
            (r#"{"level":" error "}"#, Level::Error),
            (r#"{"level":"30"}"#, Level::Info),
            (r#"{"level":50}"#, Level::Error),
            (r#"{"log_level":"warn"}"#, Level::Warn),
            (r#"{"logLevel":"warn"}"#, Level::Warn),
            (r#"{"log.level":"warn"}"#, Level::Warn),
            (r#"{"log":{"level":"WARN"}}"#, Level::Warn),
            (r#"{"severityText":"WARN"}"#, Level::Warn),
            (r#"{"severityNumber":17}"#, Level::Error),
            (r#"{"levelname":"ERROR"}"#, Level::Error),
            (r#"{"level_name":"ERROR","level":400}"#, Level::Error),
            (r#"{"lvl":"error"}"#, Level::Error),
            (r#"{"@l":"Warning"}"#, Level::Warn),
            (r#"{"level":"WARN+2"}"#, Level::Warn),
            (r#"{"level":"DEBUG-4"}"#, Level::Debug),
            (r#"{"_meta":{"logLevelName":"ERROR"}}"#, Level::Error),
            (r#"{"context":{"logLevel":50}}"#, Level::Error),
            (r#"{"type":"error","level":0,"args":["x"]}"#, Level::Error),
            (
                r#"{"level":3,"short_message":"m","version":"1.1"}"#,
                Level::Error,
            ),
            (r#"{"status":"error"}"#, Level::Error),
            (r#"{"status":"error","severity":"INFO"}"#, Level::Info),
        ] {
            assert_eq!(level_of(object, Place::Line), Some(level), "{object}");
        }
    }

    #[test]
    fn a_text_may_begin_with_its_level() {
        for (text, level) in [
            ("error: no stock", Some(Level::Error)),
            ("ERROR no stock", Some(Level::Error)),
            ("[warn] low stock", Some(Level::Warn)),
            (
                "2026-11-25 14:08:01.364\tERROR\t/worker.js:31921\tm",
                Some(Level::Error),
            ),
            (
                "2026-11-25 14:08:01.018 +00:00 [WRN] text: m",
                Some(Level::Warn),
            ),
            ("ERROR:shop.db:no stock", Some(Level::Error)),
            (
                "time=2026-11-25T10:00:00Z level=error msg=m",
                Some(Level::Error),
            ),
            ("level=info msg=\"level=error\"", None),
            ("https://shop.test/error is gone", None),
            ("Error: boom", None),
            ("error handling is on", None),
            ("no error: fine", None),
            ("info: fine", None),
            ("", None),
        ] {
            assert_eq!(text_level(text), level, "{text}");
        }
    }

    #[test]
    fn other_values_are_data() {
        for object in [
            r#"{"level":17}"#,
            r#"{"level":55}"#,
            r#"{"level":3}"#,
            r#"{"level":{"a":1}}"#,
            r#"{"level":true}"#,
            r#"{"status":"success"}"#,
            r#"{"status":"paid"}"#,
            r#"{"status":500}"#,
            r#"{"type":"error"}"#,
        ] {
            assert_eq!(level_of(object, Place::Line), None, "{object}");
        }
        assert_eq!(level_of(r#"{"level":50}"#, Place::Payload), None);
        assert_eq!(level_of(r#"{"level":"50"}"#, Place::Payload), None);
        assert_eq!(
            level_of(r#"{"level":"warn"}"#, Place::Payload),
            Some(Level::Warn)
        );
    }

    #[test]
    fn text_that_is_not_a_level_is_told_from_data() {
        let stated = |object: &str| {
            let members: Vec<_> = Json::parse(object).unwrap().members().collect();
            find_level(&members, Place::Line)
        };
        assert_eq!(stated(r#"{"level":"loud"}"#), StatedLevel::Unknown);
        assert_eq!(stated(r#"{"level":17}"#), StatedLevel::Absent);
        assert_eq!(
            stated(r#"{"status":"paid","type":"x"}"#),
            StatedLevel::Absent
        );
    }
}
