//! The Worker's settings, read from its vars. A bad value is a warning and the default, never a refusal to start.

use log_record::limits::{QUEUE_RETENTION_SECONDS_MAX, RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX};

/// Where dead letters go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the dead-letter queue, and to KV where it refuses.
    Queue,
    /// To KV at once: for local development, where the runtime drops what is sent to a queue without a consumer.
    Kv,
}

/// How log-writer is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `RETENTION_DAYS`: how long logs are kept, 1 to 365 days; 7.
    pub retention_days: u32,
    /// `DEAD_LETTERS`: `queue` or `kv`; `queue`.
    pub dead_letters: Route,
    /// `MAX_ATTEMPTS`: how often a message is delivered before its records become dead letters, 1 to 100 (the
    /// platform's own limit); 16. With the two delays below: 10 + 20 + … + 320 seconds, then 9 × 600, is 1 h 40 min.
    pub max_attempts: u32,
    /// `RETRY_BASE_SECONDS`: the delay before the second delivery, doubled before each further one; 1 to 3,600; 10.
    pub retry_base_seconds: u32,
    /// `RETRY_MAX_SECONDS`: the longest such delay; 1 to 43,200 (the platform's own limit); 600.
    pub retry_max_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention_days: RETENTION_DAYS_DEFAULT,
            dead_letters: Route::Queue,
            max_attempts: 16,
            retry_base_seconds: 10,
            retry_max_seconds: 600,
        }
    }
}

impl Settings {
    /// Reads the settings with `var`, which finds a var by name. The second value names the vars that were no good and
    /// for which the default stands.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> (Self, Vec<&'static str>) {
        let mut bad = Vec::new();
        let default = Self::default();
        let mut number = |name: &'static str, most: u32, default: u32| {
            let Some(text) = var(name) else {
                return default;
            };
            match text.trim().parse() {
                Ok(value) if (1..=most).contains(&value) => value,
                _ => {
                    bad.push(name);
                    default
                }
            }
        };
        let retention_days = number("RETENTION_DAYS", RETENTION_DAYS_MAX, default.retention_days);
        let max_attempts = number("MAX_ATTEMPTS", 100, default.max_attempts);
        let retry_base_seconds = number("RETRY_BASE_SECONDS", 3_600, default.retry_base_seconds);
        let retry_max_seconds = number("RETRY_MAX_SECONDS", 43_200, default.retry_max_seconds);
        let dead_letters = match var("DEAD_LETTERS").as_deref().map(str::trim) {
            None | Some("queue") => Route::Queue,
            Some("kv") => Route::Kv,
            Some(_) => {
                bad.push("DEAD_LETTERS");
                Route::Queue
            }
        };
        let settings = Self {
            retention_days,
            dead_letters,
            max_attempts,
            retry_base_seconds,
            retry_max_seconds,
        };
        (settings, bad)
    }

    /// How long KV keeps what falls back to it: a day longer than the logs themselves, in seconds.
    #[must_use]
    pub fn fallback_ttl_seconds(&self) -> u64 {
        (u64::from(self.retention_days) + 1) * 24 * 60 * 60
    }

    /// How long KV keeps the body that a dead letter names, in seconds: the letter may lie in KV itself before it comes to
    /// its queue, and without its body it is lost.
    #[must_use]
    pub fn body_ttl_seconds(&self) -> u64 {
        self.fallback_ttl_seconds() + QUEUE_RETENTION_SECONDS_MAX
    }

    /// How long a message that was delivered `attempts` times stays away, in seconds; eight times as long, as if it had
    /// failed three times more, where `pause` is asked for.
    #[must_use]
    pub fn retry_delay_seconds(&self, attempts: u32, pause: bool) -> u32 {
        let doublings = attempts
            .saturating_sub(1)
            .saturating_add(if pause { 3 } else { 0 });
        2_u32
            .checked_pow(doublings)
            .and_then(|factor| self.retry_base_seconds.checked_mul(factor))
            .unwrap_or(u32::MAX)
            .min(self.retry_max_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> (Settings, Vec<&'static str>) {
        Settings::read(|name| {
            vars.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_vars_the_defaults_stand() {
        assert_eq!(read(&[]), (Settings::default(), vec![]));
        assert_eq!(Settings::default().retention_days, 7);
    }

    #[test]
    fn good_values_are_taken() {
        let (settings, bad) = read(&[
            ("RETENTION_DAYS", " 365 "),
            ("DEAD_LETTERS", "kv"),
            ("MAX_ATTEMPTS", "3"),
            ("RETRY_BASE_SECONDS", "1"),
            ("RETRY_MAX_SECONDS", "2"),
        ]);
        assert_eq!(bad, Vec::<&str>::new());
        assert_eq!(
            settings,
            Settings {
                retention_days: 365,
                dead_letters: Route::Kv,
                max_attempts: 3,
                retry_base_seconds: 1,
                retry_max_seconds: 2
            }
        );
    }

    #[test]
    fn a_bad_value_is_named_and_the_default_stands() {
        for value in ["0", "366", "-1", "7.5", "week", ""] {
            let (settings, bad) = read(&[("RETENTION_DAYS", value)]);
            assert_eq!(
                (settings, bad),
                (Settings::default(), vec!["RETENTION_DAYS"]),
                "{value:?}"
            );
        }
        let (settings, bad) = read(&[("DEAD_LETTERS", "nowhere"), ("MAX_ATTEMPTS", "101")]);
        assert_eq!(
            (settings, bad),
            (Settings::default(), vec!["MAX_ATTEMPTS", "DEAD_LETTERS"])
        );
    }

    #[test]
    fn the_default_attempts_ride_out_more_than_an_hour() {
        let settings = Settings::default();
        let total: u32 = (1..settings.max_attempts)
            .map(|attempts| settings.retry_delay_seconds(attempts, false))
            .sum();
        assert!(total > 3_600 * 3 / 2, "{total} s");
    }

    #[test]
    fn the_delay_grows_with_the_attempts_up_to_its_limit() {
        let settings = Settings::default();
        let delays: Vec<u32> = (1..=9)
            .map(|n| settings.retry_delay_seconds(n, false))
            .collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(settings.retry_delay_seconds(1, true), 80);
        assert_eq!(settings.retry_delay_seconds(u32::MAX, true), 600);
    }

    #[test]
    fn what_falls_back_outlives_the_logs() {
        let (settings, _) = read(&[("RETENTION_DAYS", "30")]);
        assert_eq!(settings.fallback_ttl_seconds(), 31 * 86_400);
    }
}
