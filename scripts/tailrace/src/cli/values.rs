//! Options that take one of a few words.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use log_record::{Level, Reason};
use pipeline_settings::{Worker, table};

use crate::query::Kind;
use crate::time::Zone;

/// Reads one of a few words; completions and complaints list them.
#[derive(Clone)]
pub(super) struct OneOf<T: 'static> {
    names: fn() -> Vec<&'static str>,
    read: fn(&str) -> Option<T>,
}

/// Levels, under any of the names that loggers give them.
pub(super) const LEVELS: OneOf<Level> = OneOf {
    names: || Level::ALL.map(Level::as_str).to_vec(),
    read: Level::from_alias,
};

/// Kinds of records.
pub(super) const KINDS: OneOf<Kind> = OneOf {
    names: || Kind::ALL.map(Kind::as_str).to_vec(),
    read: |text| Kind::ALL.into_iter().find(|kind| kind.as_str() == text),
};

/// Reasons of dead letters; hyphens do for underscores.
pub(super) const REASONS: OneOf<Reason> = OneOf {
    names: || Reason::ALL.map(Reason::as_str).to_vec(),
    read: |text| {
        let text = text.replace('-', "_");
        Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
    },
};

impl<T: Clone + Send + Sync> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        value.to_str().and_then(self.read).ok_or_else(|| {
            PossibleValuesParser::new((self.names)())
                .parse_ref(command, argument, value)
                .err()
                .unwrap_or_else(|| clap::Error::new(ErrorKind::InvalidValue))
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.names)().into_iter().map(PossibleValue::new)))
    }
}

/// Reads the name of a time zone.
pub(super) fn zone(name: &str) -> Result<Zone, String> {
    Zone::parse(name)
}

/// Reads `NAME=VALUE`, where `NAME` is one of tail-ingest's settings.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "it is not NAME=VALUE, as in MIN_LEVEL=warn".to_owned())?;
    let name = name.trim().to_ascii_uppercase();
    let known = || table::of_worker(Worker::TailIngest).map(|setting| setting.name);
    if known().any(|known| known == name) {
        return Ok((name, value.to_owned()));
    }
    let known: Vec<_> = known().collect();
    let known = known.join(", ");
    Err(format!("tail-ingest has no setting {name}; it has {known}"))
}

/// Reads a number of records; `all` is every one.
pub(super) fn count_or_all(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    text.parse()
        .map_err(|_| "write a whole number, or all".to_owned())
}
