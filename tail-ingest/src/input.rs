//! Trace events as JSON text, from whoever has them as such: `tailrace normalize`, tests. The Worker's own way in is
//! `frame`.

use log_record::{LogRecord, RecordError, RecordView};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::frame::{self, Frame};
use crate::json;
use crate::normalize::{Counts, Normalizer, Sink};
use crate::pack::{Body, Packer, Rows};
use crate::settings::Settings;
use crate::trace::TraceItem;

/// Why text was not read as trace events. Says where, never what.
#[derive(Debug, Error)]
pub enum InputError {
    /// Not UTF-8.
    #[error("not UTF-8 from byte {0} on")]
    NotText(usize),
    /// Not JSON.
    #[error("not JSON at line {line}, column {column}: {problem}")]
    NotJson {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1.
        column: usize,
        /// What was expected there.
        problem: String,
    },
    /// A record that was made could not be read back: a bug here, not in the input.
    #[error("a record cannot be read back: {0}")]
    Unreadable(#[from] RecordError),
}

/// The records of one call, packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normalized {
    /// Message bodies, in order.
    pub bodies: Vec<Body>,
    /// What became of the events.
    pub counts: Counts,
}

/// The records that the Worker would store for `input`: a JSON array of trace events, a single one, or one a line.
///
/// `seed` is random for each call (ids come from it), `now_ms` the time for events that tell none.
///
/// # Errors
/// [`InputError`] where `input` is not JSON text. Whatever JSON it is, it gives records.
pub fn normalize_json(
    input: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
) -> Result<(Vec<LogRecord>, Counts), InputError> {
    let (rows, counts) = run(input, settings, seed, now_ms, Rows::default())?;
    let records = rows
        .rows
        .iter()
        .map(|row| {
            let raw: &RawValue = serde_json::from_str(row).map_err(|_| RecordError::Shape)?;
            RecordView::new(raw)?.to_record()
        })
        .collect::<Result<_, _>>()?;
    Ok((records, counts))
}

/// The same, packed as the Worker sends it.
///
/// # Errors
/// As [`normalize_json`].
pub fn normalize_and_pack(
    input: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
) -> Result<Normalized, InputError> {
    let (packer, counts) = run(input, settings, seed, now_ms, Packer::default())?;
    Ok(Normalized {
        bodies: packer.finish(),
        counts,
    })
}

/// The events of one call as the Worker's glue hands them over, text by text.
pub struct Frames<'s>(Normalizer<'s, Packer>);

impl<'s> Frames<'s> {
    /// `seed` is random for each call (ids come from it), `now_ms` the time for events that tell none.
    #[must_use]
    pub fn new(settings: &'s Settings, seed: u64, now_ms: u64) -> Self {
        Self(Normalizer::new(settings, seed, now_ms, Packer::default()))
    }

    /// Makes records of `text`, whatever it is.
    pub fn read(&mut self, text: &str) -> Frame {
        frame::read(text, |item| self.0.item(item))
    }

    /// The records, packed.
    #[must_use]
    pub fn finish(self) -> Normalized {
        Normalized {
            bodies: self.0.sink.finish(),
            counts: self.0.counts,
        }
    }
}

fn run<S: Sink>(
    input: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
    sink: S,
) -> Result<(S, Counts), InputError> {
    let text = str::from_utf8(input).map_err(|error| InputError::NotText(error.valid_up_to()))?;
    let mut normalizer = Normalizer::new(settings, seed, now_ms, sink);
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let token = value
            .map_err(|error| InputError::NotJson {
                line: error.line(),
                column: error.column(),
                problem: error.to_string(),
            })?
            .get();
        if json::is_array(token) {
            for element in json::elements(token) {
                normalizer.item(&TraceItem::read(element));
            }
        } else {
            normalizer.item(&TraceItem::read(token));
        }
    }
    Ok((normalizer.sink, normalizer.counts))
}
