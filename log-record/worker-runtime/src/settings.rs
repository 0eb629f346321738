//! Reads a Worker's settings (wrangler `vars`). Blank is not set; a malformed value keeps the default and is named, so
//! that no setting can stop a Worker.

use log_record::Level;
use pipeline_settings::Setting;
use serde::Serialize;
use thiserror::Error;

use crate::LogLine;

/// A setting that was not understood, and the value that is used instead.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[error("setting {setting} is not {expected}: {used} is used instead")]
pub struct Malformed {
    /// The setting's name.
    pub setting: &'static str,
    /// A description of good values, to stand after "is not".
    pub expected: String,
    /// The value that is used instead.
    pub used: String,
}

impl Malformed {
    /// Returns the warning. The value itself is not in it: it could be a secret in the wrong place.
    #[must_use]
    pub fn to_line(&self) -> LogLine {
        LogLine::new(Level::Warn, "malformed_setting", &self.to_string(), self)
    }
}

/// Reads settings one after the other and collects those that are malformed.
#[derive(Debug)]
pub struct SettingsReader<F> {
    find: F,
    malformed: Vec<Malformed>,
}

impl<F: Fn(&str) -> Option<String>> SettingsReader<F> {
    /// Returns a reader over `find`, which returns the text of a var by its name, or `None` where it is not set.
    pub fn new(find: F) -> Self {
        Self {
            find,
            malformed: Vec::new(),
        }
    }

    /// Returns `setting` as `parse` understands it; `default` where it is not set or malformed.
    pub fn read<T>(
        &mut self,
        setting: &'static Setting,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(text) = (self.find)(setting.name) else {
            return default;
        };
        let text = text.trim();
        if text.is_empty() {
            return default;
        }
        parse(text).unwrap_or_else(|| {
            self.malformed.push(Malformed {
                setting: setting.name,
                expected: setting.values.describe(),
                used: match setting.default {
                    "" => "none".to_owned(),
                    default => default.to_owned(),
                },
            });
            default
        })
    }

    /// Returns `setting`, a whole number.
    pub fn read_number(&mut self, setting: &'static Setting) -> u32 {
        let values = setting.values;
        let default = values.read_number(setting.default).unwrap_or_default();
        self.read(setting, default, |text| values.read_number(text))
    }

    /// Returns `setting`, which is on or off.
    pub fn read_switch(&mut self, setting: &'static Setting) -> bool {
        self.read(setting, setting.default == "on", |text| {
            match text.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" => Some(true),
                "off" | "false" | "no" | "0" => Some(false),
                _ => None,
            }
        })
    }

    /// Returns the settings that were malformed, in the order of reading.
    #[must_use]
    pub fn finish(self) -> Vec<Malformed> {
        self.malformed
    }
}

#[cfg(test)]
mod tests {
    use pipeline_settings::table::{REDACT_FIELDS, RETRY_BASE_SECONDS};

    use super::*;

    fn reader(value: Option<&str>) -> SettingsReader<impl Fn(&str) -> Option<String>> {
        let value = value.map(str::to_owned);
        SettingsReader::new(move |_| value.clone())
    }

    #[test]
    fn blank_is_not_set() {
        for value in [None, Some(""), Some("  ")] {
            let mut reader = reader(value);
            assert_eq!(reader.read_number(&RETRY_BASE_SECONDS), 10);
            assert!(reader.read_switch(&REDACT_FIELDS));
            assert_eq!(reader.finish(), []);
        }
    }

    #[test]
    fn numbers_and_switches_are_read() {
        assert_eq!(reader(Some(" 9 ")).read_number(&RETRY_BASE_SECONDS), 9);
        for (text, on) in [("ON", true), ("true", true), ("0", false), ("off", false)] {
            assert_eq!(reader(Some(text)).read_switch(&REDACT_FIELDS), on, "{text}");
        }
    }

    #[test]
    fn a_malformed_value_keeps_the_default_and_is_named() {
        for text in ["0", "3601", "-1", "7.5", "week"] {
            let mut reader = reader(Some(text));
            assert_eq!(reader.read_number(&RETRY_BASE_SECONDS), 10);
            let malformed = reader.finish();
            assert_eq!(
                malformed[0].to_string(),
                "setting RETRY_BASE_SECONDS is not a whole number from 1 to 3600: 10 is used instead"
            );
            assert!(!malformed[0].to_line().json.contains("week"));
        }
    }
}
