//! The level that a structured line states: the members that loggers put it in, and the spellings they use.
//! `log_record::Level::from_alias` has the names; docs/configuration.md shows both.

use log_record::Level;

use super::names::{Member, Role, find_member};
use super::terminal_escapes::strip_terminal_escapes;
use crate::json::Json;

/// The rank of a level in a place that has no name of a level's; those of [`Role::Level`] come before.
const NESTED_RANK: usize = 7;

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

/// Finds the level that `members` state.
pub(crate) fn find_level(members: &[Member<'_>], place: Place) -> StatedLevel {
    let mut found: Option<(usize, Level, Option<usize>)> = None;
    let mut has_unknown = false;
    let mut offer = |rank: usize, level: Option<Level>, index: Option<usize>| {
        if let Some(level) = level
            && found.is_none_or(|(best, ..)| rank < best)
        {
            found = Some((rank, level, index));
        }
    };
    let nested_level = |nested: Option<Json<'_>>| read_level(nested?, place, members);
    for (index, member) in members.iter().enumerate() {
        let value = member.value;
        match (member.role, member.name.as_ref()) {
            (Role::Level(rank), _) if value.is_object() => {
                offer(rank, nested_level(level_name(value)), None);
            }
            (Role::Level(rank), _) => {
                let level = read_level(value, place, members);
                has_unknown |= level.is_none() && is_unknown_text(value);
                offer(rank, level, Some(index));
            }
            (Role::Log, _) => offer(NESTED_RANK, nested_level(value.get("level")), None),
            (Role::Meta, _) => offer(NESTED_RANK, nested_level(value.get("logLevelName")), None),
            (Role::Context, _) => {
                let level = nested_level(find_member(&member.inner, "logLevel"));
                offer(NESTED_RANK, level, None);
            }
            (Role::SeverityNumber, _) => {
                offer(NESTED_RANK + 1, severity_number(value), Some(index));
            }
            // Python's loguru.
            (Role::Other, "record") => {
                let level = value.get("level").and_then(level_name);
                offer(NESTED_RANK, nested_level(level), None);
            }
            (Role::Other, "type") if is_consola(members) => {
                let level = value.as_text().and_then(|text| Level::from_alias(&text));
                offer(NESTED_RANK + 2, level, Some(index));
            }
            (Role::Other, "status") => {
                let level = value.as_text().and_then(|text| status_level(&text));
                offer(NESTED_RANK + 3, level, Some(index));
            }
            _ => {}
        }
    }
    match found {
        Some((_, level, index)) => StatedLevel::Known(level, index),
        None if has_unknown => StatedLevel::Unknown,
        None => StatedLevel::Absent,
    }
}

/// Returns the name of a level that is an object: that of loguru, or of log4js.
fn level_name(level: Json<'_>) -> Option<Json<'_>> {
    level
        .get("name")
        .or_else(|| level.get("levelStr"))
        .filter(|name| name.is_string())
}

/// Returns whether `members` are those of GELF: `short_message` and `version`. Its levels are syslog's numbers.
fn is_gelf(members: &[Member<'_>]) -> bool {
    find_member(members, "short_message").is_some() && find_member(members, "version").is_some()
}

/// Returns whether `members` are those of consola: `type`, and `args` as a list.
fn is_consola(members: &[Member<'_>]) -> bool {
    find_member(members, "args").is_some_and(Json::is_array)
}

/// Returns the level that `value` spells: a name in any case, with colours or spaces around it, or a number.
fn read_level(value: Json<'_>, place: Place, members: &[Member<'_>]) -> Option<Level> {
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
    if is_gelf(members) {
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
pub(super) fn without_offset(text: &str) -> &str {
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
    use super::super::names::read_members;
    use super::*;

    fn level_of(object: &str, place: Place) -> Option<Level> {
        let (_, members) = read_members(object).unwrap();
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
            (r#"{"@level":"error","@message":"m"}"#, Level::Error),
            (r#"{"level":{"name":"ERROR","no":40}}"#, Level::Error),
            (r#"{"level":{"levelStr":"WARN"}}"#, Level::Warn),
            (r#"{"record":{"level":{"name":"ERROR"}}}"#, Level::Error),
            (r#"{"level":"ERRO","msg":"m"}"#, Level::Error),
            (r#"{"lvl":"dbug"}"#, Level::Debug),
            (r#"{"level":"CONFIG"}"#, Level::Debug),
        ] {
            assert_eq!(level_of(object, Place::Line), Some(level), "{object}");
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
            let (_, members) = read_members(object).unwrap();
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
