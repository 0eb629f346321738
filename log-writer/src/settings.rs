//! The Worker's settings, read from its vars. Blank is not set; a malformed value keeps the default and is named, so that
//! no setting can stop the Worker.

use std::collections::BTreeMap;

use log_record::Level;
use log_record::archive::Rows;
use log_record::limits::{FALLBACK_DAYS, QUEUE_RETENTION_SECONDS_MAX};
use pipeline_settings::table;
use worker_runtime::{LogLine, Malformed, SettingsReader};

/// Seconds that KV keeps what no queue took.
pub const FALLBACK_TTL_SECONDS: u64 = FALLBACK_DAYS as u64 * 24 * 60 * 60;

/// Seconds that KV keeps the body that a dead letter names: the letter may lie in KV itself before it comes to its
/// queue, and without its body it is lost.
pub const BODY_TTL_SECONDS: u64 = FALLBACK_TTL_SECONDS + QUEUE_RETENTION_SECONDS_MAX;

/// The deliveries of a message until the platform itself moves it to the dead-letter queue, without a reason: one, and
/// `max_retries` in `wrangler/log-writer.toml`.
pub const PLATFORM_DELIVERIES: u32 = 101;

/// The first place for dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the dead-letter queue, and to KV where it refuses.
    Queue,
    /// To KV at once: for local development, where the runtime drops what is sent to a queue without a consumer.
    Kv,
}

/// The delay before a message is delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Not at all: nothing is wrong with it, the invocation had no time for it.
    None,
    /// As long as its deliveries so far say.
    Growing,
    /// Eight times as long, as if it had been delivered three times more: the other side asks for a pause.
    Long,
}

/// The settings of log-writer; `pipeline_settings::table` says what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `RETENTION_DAYS`
    pub retention_days: u32,
    /// `ROWS`
    pub rows: Rows,
    /// `ARCHIVE_DAYS`; never less than `retention_days`.
    pub archive_days: u32,
    /// `DEAD_LETTERS`
    pub dead_letters: Route,
    /// `MAX_ATTEMPTS`. With the defaults of the two delays below: 10 + 20 + … + 320 seconds, then 9 × 600, is 1 h 40 min.
    pub max_attempts: u32,
    /// `RETRY_BASE_SECONDS`
    pub retry_base_seconds: u32,
    /// `RETRY_MAX_SECONDS`
    pub retry_max_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self::read(|_| None).0
    }
}

impl Settings {
    /// Reads the settings with `find`, which returns the text of a var by its name; returns those that were malformed
    /// beside them.
    pub fn read(find: impl Fn(&str) -> Option<String>) -> (Self, Vec<Malformed>) {
        let mut reader = SettingsReader::new(find);
        let retention_days = reader.read_number(&table::RETENTION_DAYS);
        let settings = Self {
            retention_days,
            rows: reader.read(&table::ROWS, Rows::All, |text| text.parse().ok()),
            archive_days: reader.read_number(&table::ARCHIVE_DAYS).max(retention_days),
            dead_letters: reader.read(&table::DEAD_LETTERS, Route::Queue, |text| match text {
                "queue" => Some(Route::Queue),
                "kv" => Some(Route::Kv),
                _ => None,
            }),
            max_attempts: reader.read_number(&table::MAX_ATTEMPTS),
            retry_base_seconds: reader.read_number(&table::RETRY_BASE_SECONDS),
            retry_max_seconds: reader.read_number(&table::RETRY_MAX_SECONDS),
        };
        (settings, reader.finish())
    }

    /// Makes every record a row, for a Worker without an archive to hold the others; returns the warning about it.
    #[must_use]
    pub fn without_archive(&mut self) -> Option<LogLine> {
        if self.rows == Rows::All {
            return None;
        }
        self.rows = Rows::All;
        let message =
            "ROWS is index, but there is not a binding ARCHIVE: every record becomes a row";
        let used = BTreeMap::from([("rows", self.rows)]);
        Some(LogLine::new(Level::Warn, "archive_missing", message, &used))
    }

    /// Returns how long a message that was delivered `attempts` times stays away, in seconds.
    #[must_use]
    pub fn retry_delay_seconds(&self, attempts: u32, delay: Delay) -> u32 {
        let more = match delay {
            Delay::None => return 0,
            Delay::Growing => 0,
            Delay::Long => 3,
        };
        2_u32
            .checked_pow(attempts.saturating_sub(1).saturating_add(more))
            .and_then(|factor| self.retry_base_seconds.checked_mul(factor))
            .unwrap_or(u32::MAX)
            .min(self.retry_max_seconds)
    }

    /// Returns the time that `deliveries` of one message take, in seconds, where each fails at once.
    #[must_use]
    pub fn patience_seconds(&self, deliveries: u32) -> u64 {
        (1..deliveries)
            .map(|attempts| u64::from(self.retry_delay_seconds(attempts, Delay::Growing)))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> (Settings, Vec<&'static str>) {
        let (settings, malformed) = Settings::read(|name| {
            vars.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        });
        let names = malformed.iter().map(|each| each.setting).collect();
        (settings, names)
    }

    #[test]
    fn without_vars_the_defaults_hold() {
        assert_eq!(read(&[]), (Settings::default(), vec![]));
        assert_eq!(
            read(&[("RETENTION_DAYS", " ")]),
            (Settings::default(), vec![])
        );
        let default = Settings::default();
        assert_eq!((default.retention_days, default.archive_days), (7, 30));
    }

    #[test]
    fn good_values_are_taken() {
        let (settings, malformed) = read(&[
            ("RETENTION_DAYS", " 365 "),
            ("ROWS", "index"),
            ("ARCHIVE_DAYS", "30"),
            ("DEAD_LETTERS", "kv"),
            ("MAX_ATTEMPTS", "3"),
            ("RETRY_BASE_SECONDS", "1"),
            ("RETRY_MAX_SECONDS", "86400"),
        ]);
        assert_eq!(malformed, Vec::<&str>::new());
        assert_eq!(
            settings,
            Settings {
                retention_days: 365,
                rows: Rows::Index,
                archive_days: 365,
                dead_letters: Route::Kv,
                max_attempts: 3,
                retry_base_seconds: 1,
                retry_max_seconds: 86_400
            }
        );
    }

    #[test]
    fn a_malformed_value_is_named_and_the_default_holds() {
        for value in ["0", "366", "-1", "7.5", "week"] {
            let read = read(&[("RETENTION_DAYS", value)]);
            assert_eq!(
                read,
                (Settings::default(), vec!["RETENTION_DAYS"]),
                "{value}"
            );
        }
        let (settings, malformed) = read(&[("DEAD_LETTERS", "nowhere"), ("MAX_ATTEMPTS", "101")]);
        assert_eq!(settings, Settings::default());
        assert_eq!(malformed, ["DEAD_LETTERS", "MAX_ATTEMPTS"]);
    }

    #[test]
    fn without_an_archive_every_record_is_a_row() {
        let (mut settings, _) = read(&[("ROWS", "index")]);
        let line = settings.without_archive().unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(line.level, Level::Warn);
        assert!(line.json.contains(r#""rows":"all"}"#), "{}", line.json);
        assert_eq!(settings.without_archive(), None);
    }

    #[test]
    fn the_default_attempts_ride_out_more_than_an_hour() {
        let settings = Settings::default();
        assert_eq!(settings.patience_seconds(settings.max_attempts), 6_030);
        // 15 h 50 min, after which the platform moves the message to the dead-letter queue.
        assert_eq!(settings.patience_seconds(PLATFORM_DELIVERIES), 57_030);
    }

    #[test]
    fn the_delay_grows_with_the_attempts_up_to_its_limit() {
        let settings = Settings::default();
        let delays: Vec<u32> = (1..=9)
            .map(|n| settings.retry_delay_seconds(n, Delay::Growing))
            .collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(settings.retry_delay_seconds(1, Delay::Long), 80);
        assert_eq!(settings.retry_delay_seconds(u32::MAX, Delay::Long), 600);
        assert_eq!(settings.retry_delay_seconds(9, Delay::None), 0);
    }
}
