//! The level that a plain text begins with, as text formats of loggers write it.

use log_record::Level;

use super::level::without_offset;

/// The words that state a level at the beginning of a text: `error: …` as winston writes it, `12:00:01 [ERR] …` as text
/// formats have it. In lower or upper case alone, so that the text of an error (`Error: …`) is not one.
const TEXT_LEVELS: [(&str, Level); 17] = [
    ("warn", Level::Warn),
    ("wrn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("erro", Level::Error),
    ("eror", Level::Error),
    ("fatal", Level::Error),
    ("fata", Level::Error),
    ("ftl", Level::Error),
    ("severe", Level::Error),
    ("critical", Level::Error),
    ("crit", Level::Error),
    ("alert", Level::Error),
    ("emerg", Level::Error),
    ("emergency", Level::Error),
    ("panic", Level::Error),
];

/// The number of words among which a text's level is looked for: a date, a time, an offset, and a name between dashes or
/// a process's number may come before it.
const TEXT_LEVEL_WORDS: usize = 7;

/// Returns the level, warn or error, that a plain text states at its beginning: a word in capitals or in brackets, or one
/// with a colon; nothing before it but times, a name in brackets (a thread, a module), and a logger's name between dashes,
/// as Python has it.
pub(crate) fn text_level(text: &str) -> Option<Level> {
    let mut words = text
        .split_ascii_whitespace()
        .take(TEXT_LEVEL_WORDS)
        .peekable();
    let mut before = "";
    let mut has_time = false;
    let mut is_logfmt = false;
    while let Some(word) = words.next() {
        let next = words.peek().copied().unwrap_or_default();
        let is_first = before.is_empty();
        let is_logger = before == "-" && next == "-";
        before = word;
        if let Some((name, value)) = split_logfmt(word) {
            if matches!(name, "level" | "lvl" | "severity") {
                return Level::from_alias(without_offset(value.trim_matches('"')))
                    .filter(|level| *level >= Level::Warn);
            }
            is_logfmt = true;
            continue;
        }
        if is_logfmt {
            return None;
        }
        if is_first && let Some(level) = klog_level(word, next) {
            return Some(level);
        }
        if let Some(level) = word_level(word, has_time) {
            return Some(level);
        }
        let is_name = word.starts_with('[') && word.trim_end_matches(':').ends_with(']');
        let is_zone = matches!(word, "AM" | "PM" | "UTC" | "GMT" | "-" | "|");
        // Ruby: `E, [2026-11-25T10:00:00.001 #123] ERROR -- : …`.
        let is_initial = is_first && matches!(word, "E," | "F," | "W,");
        let is_count =
            is_first && word.len() < 10 && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_time = is_time(word) && !is_count;
        has_time |= is_time;
        if !(is_time
            || is_initial
            || is_name && (is_first || has_time)
            || has_time && (is_logger || is_zone))
        {
            return None;
        }
    }
    None
}

/// Returns the name and the value of a word of logfmt: `level=error`.
fn split_logfmt(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    is_name.then_some((name, value))
}

/// Returns the level of Kubernetes' klog: `E1125 10:00:00.000001 …`, a letter, month and day, then the time.
fn klog_level(word: &str, next: &str) -> Option<Level> {
    let (letter, date) = word.split_at_checked(1)?;
    let is_date = date.len() == 4 && date.bytes().all(|byte| byte.is_ascii_digit());
    let level = match letter {
        "E" | "F" => Level::Error,
        "W" => Level::Warn,
        _ => return None,
    };
    (is_date && is_time(next) && next.contains(':')).then_some(level)
}

/// Returns the level, warn or error, that a word of a text spells.
fn word_level(word: &str, has_time: bool) -> Option<Level> {
    let is_upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    let whole = word.trim_matches(['[', ']', '(', ')', ':', '|', '<', '>']);
    let bare = match (whole.split_once([':', '/', '[']), whole.rsplit_once('.')) {
        // Python: `ERROR:shop.db:no stock`. Celery: `ERROR/MainProcess]`. logrus: `ERRO[0000]`.
        (Some((level, _)), _) if is_upper(level) => level,
        // Monolog: `[2026-11-25T10:00:00+00:00] app.ERROR: …`.
        (_, Some((_, level))) if has_time && word.ends_with(':') && is_upper(level) => level,
        _ => whole,
    };
    let is_one_case = !bare.bytes().any(|byte| byte.is_ascii_lowercase())
        || !bare.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_one_case || !(bare.len() < word.len() || is_upper(bare)) {
        return None;
    }
    TEXT_LEVELS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(bare))
        .map(|(_, level)| *level)
}

/// Returns whether `word` is a date, a time (`3:04PM`), a part of one, or a process's number.
fn is_time(word: &str) -> bool {
    let bare = word.trim_matches(['[', ']', '(', ')', ':', '|', '<', '>']);
    let bare = bare
        .strip_suffix("AM")
        .or_else(|| bare.strip_suffix("PM"))
        .unwrap_or(bare);
    bare.bytes().any(|byte| byte.is_ascii_digit())
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-+:./,#TZ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                "2026-11-25 14:08:01,018 - shop.db - ERROR - no stock",
                Some(Level::Error),
            ),
            (
                "[Nest] 123  - 11/25/2026, 2:08:01 PM    WARN [Orders] low stock",
                Some(Level::Warn),
            ),
            ("2026-11-25 14:08:01,018 - shop.db - INFO - no ERROR", None),
            ("- shop - ERROR counts", None),
            (
                "time=2026-11-25T10:00:00Z level=error msg=m",
                Some(Level::Error),
            ),
            ("level=info msg=\"level=error\"", None),
            ("3:04PM ERR boom", Some(Level::Error)),
            (
                "10:00:00.001 [main] ERROR com.acme.Shop -- boom",
                Some(Level::Error),
            ),
            ("[main] ERROR com.acme.Shop - boom", Some(Level::Error)),
            ("[orders] error: no stock", Some(Level::Error)),
            (
                "2026-11-25T10:00:00.001Z [db] warn: slow",
                Some(Level::Warn),
            ),
            (
                "[2026-11-25T10:00:00.001+00:00] app.ERROR: boom {} []",
                Some(Level::Error),
            ),
            (
                "E, [2026-11-25T10:00:00.001 #123] ERROR -- : boom",
                Some(Level::Error),
            ),
            (
                "2026-11-25 10:00:00.001 | ERROR    | m:f:7 - boom",
                Some(Level::Error),
            ),
            (
                "[2026-11-25 10:00:00,001: ERROR/MainProcess] boom",
                Some(Level::Error),
            ),
            (
                "2026-11-25 10:00:00.001 UTC [123] ERROR:  boom",
                Some(Level::Error),
            ),
            ("ERRO[0000] boom", Some(Level::Error)),
            ("crit: Shop.Orders[0]", Some(Level::Error)),
            (
                "E1125 10:00:00.000001 1 file.go:7] boom",
                Some(Level::Error),
            ),
            ("W1125 10:00:00.000001 1 file.go:7] low", Some(Level::Warn)),
            ("time=2026-11-25 level=ERROR+4 msg=m", Some(Level::Error)),
            (
                "ts=2026-11-25 caller=main.go:7 level=error msg=m",
                Some(Level::Error),
            ),
            ("t=2026-11-25 lvl=eror msg=m", Some(Level::Error)),
            ("a=1 ERROR", None),
            ("retry=3 level=high", None),
            ("E1125 is a shelf", None),
            ("12 ERROR lines", None),
            ("1795600000000 ERROR boom", Some(Level::Error)),
            ("10:00 [main] INFO shop - ERROR count 0", None),
            ("[db] connected, ERROR count 0", None),
            ("app.ERROR: counts", None),
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
}
