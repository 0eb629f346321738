//! Trace events as JSON text: from the Worker's glue, from `tailrace normalize`, from tests.

use log_record::{LogRecord, RecordError, RecordView};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::json::Json;
use crate::normalize::{Counts, Normalizer};
use crate::pack::{Body, Packer, RowCollector, RowWriter};
use crate::settings::Settings;

/// The reason why text was not read as trace events. Says where, never what.
#[derive(Debug, Error)]
pub enum InputError {
    /// Not UTF-8.
    #[error("not UTF-8 from byte {0} on")]
    NotText(usize),
    /// Not JSON.
    #[error("not JSON at line {line}, column {column}: {problem}")]
    NotJson {
        /// The line at which reading stopped, from 1.
        line: usize,
        /// The column at which reading stopped, from 1.
        column: usize,
        /// The problem, in serde's words.
        problem: String,
    },
    /// A record that was made does not read back: a bug.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The records of one call, packed as the Worker sends them.
#[derive(Clone, Debug, Default)]
pub struct Normalized {
    /// The message bodies.
    pub bodies: Vec<Body>,
    /// The number of records by what became of them.
    pub counts: Counts,
}

/// Makes records of `input`: JSON values one after another, each a trace event or an array of them. `seed` is random for
/// each call (ids come from it), `now_ms` the time for events that tell none.
///
/// # Errors
/// [`InputError`] where `input` is not JSON text. Whatever JSON it is, it gives records.
pub fn normalize_json(
    input: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
) -> Result<(Vec<LogRecord>, Counts), InputError> {
    let (collector, counts) = write_rows(input, settings, seed, now_ms, RowCollector::default())?;
    let records = collector
        .rows
        .iter()
        .map(|row| {
            let raw: &RawValue = serde_json::from_str(row).map_err(|_| RecordError::Shape)?;
            RecordView::new(raw)?.to_record()
        })
        .collect::<Result<_, _>>()?;
    Ok((records, counts))
}

/// Makes records of `input` as [`normalize_json`] does, and packs them as the Worker sends them.
///
/// # Errors
/// As [`normalize_json`].
pub fn normalize_and_pack(
    input: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
) -> Result<Normalized, InputError> {
    let (packer, counts) = write_rows(input, settings, seed, now_ms, Packer::default())?;
    Ok(Normalized {
        bodies: packer.finish(),
        counts,
    })
}

fn write_rows<W: RowWriter>(
    input: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
    rows: W,
) -> Result<(W, Counts), InputError> {
    let text = str::from_utf8(input).map_err(|error| InputError::NotText(error.valid_up_to()))?;
    let mut normalizer = Normalizer::new(settings, seed, now_ms, rows);
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = Json::from(value.map_err(|error| InputError::NotJson {
            line: error.line(),
            column: error.column(),
            problem: error.to_string(),
        })?);
        if value.is_array() {
            for element in value.elements() {
                normalizer.write_item(element);
            }
        } else {
            normalizer.write_item(value);
        }
    }
    Ok((normalizer.rows, normalizer.counts))
}
