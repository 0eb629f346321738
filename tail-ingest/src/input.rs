//! Trace events as JSON text: from the Worker's glue, from `tailrace normalize`, from tests.

use log_record::{LogRecord, RecordError, RecordView};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::json::Json;
use crate::normalize::{Counts, Normalizer};
use crate::pack::{Body, Packer, RowCollector, RowWriter};
use crate::settings::Settings;
use crate::trace_item::Texts;

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
    let input = (read_text(input)?, Texts::default());
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
    pack_rows(
        (read_text(input)?, Texts::default()),
        settings,
        seed,
        now_ms,
    )
}

/// Makes records of `encoded`, trace events as `edge/glue.js` encodes them, and packs them.
///
/// # Errors
/// As [`normalize_json`].
pub fn pack_encoded(
    encoded: &[u8],
    settings: &Settings,
    seed: u64,
    now_ms: u64,
) -> Result<Normalized, InputError> {
    pack_rows(Texts::split(read_text(encoded)?), settings, seed, now_ms)
}

fn read_text(input: &[u8]) -> Result<&str, InputError> {
    str::from_utf8(input).map_err(|error| InputError::NotText(error.valid_up_to()))
}

fn pack_rows(
    input: (&str, Texts<'_>),
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

/// Makes rows of JSON text and the texts that crossed beside it.
fn write_rows<'i, W: RowWriter>(
    (json, mut texts): (&'i str, Texts<'i>),
    settings: &Settings,
    seed: u64,
    now_ms: u64,
    rows: W,
) -> Result<(W, Counts), InputError> {
    let mut normalizer = Normalizer::new(settings, seed, now_ms, rows);
    for value in serde_json::Deserializer::from_str(json).into_iter::<&RawValue>() {
        let value = Json::from(value.map_err(|error| InputError::NotJson {
            line: error.line(),
            column: error.column(),
            problem: error.to_string(),
        })?);
        if value.is_array() {
            for element in value.elements() {
                normalizer.write_item(element, &mut texts);
            }
        } else {
            normalizer.write_item(value, &mut texts);
        }
    }
    Ok((normalizer.rows, normalizer.counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = r#"[{"scriptName":"shop","logs":[
        {"timestamp":1,"level":"log","message":["{\"level\":\"warn\",\"message\":\"a\"}"]},
        {"timestamp":1,"level":"log","message":[7,"b"]},
        {"timestamp":1,"level":"log","message":["c",""]},
        {"timestamp":1,"level":"log","message":[]}]},{}]"#;

    /// [`EVENTS`] as the glue encodes them.
    const ENCODED: &str = concat!(
        r#"[{"scriptName":"shop","logs":[{"timestamp":1,"level":"log","tailrace:texts":1},"#,
        r#"{"timestamp":1,"level":"log","message":[7,"b"]},"#,
        r#"{"timestamp":1,"level":"log","tailrace:texts":2},"#,
        r#"{"timestamp":1,"level":"log","message":[]}]},{}]"#,
        "\0{\"level\":\"warn\",\"message\":\"a\"}\0c\0",
    );

    fn pack(encoded: &str) -> Vec<Body> {
        let packed = pack_encoded(encoded.as_bytes(), &Settings::default(), 7, 1);
        packed.unwrap().bodies
    }

    #[test]
    fn texts_beside_the_json_are_arguments() {
        let settings = Settings::default();
        let whole = normalize_and_pack(EVENTS.as_bytes(), &settings, 7, 1).unwrap();
        assert_eq!(pack(ENCODED), whole.bodies);
        assert_eq!(pack(EVENTS), whole.bodies);
    }

    #[test]
    fn a_wrong_number_of_texts_loses_no_line() {
        for encoded in [
            ENCODED.replace("\0c\0", ""),
            ENCODED.replace(":1}", ":1e99}"),
            ENCODED.replace(":2}", ":[-2]}"),
            format!("{ENCODED}\0\0d"),
        ] {
            let records: usize = pack(&encoded).iter().map(|body| body.records).sum();
            assert_eq!(records, 6, "{encoded}");
        }
    }

    #[test]
    fn without_texts_their_number_is_a_member_like_any_other() {
        let body = pack(r#"{"logs":[{"level":"log","tailrace:texts":3}]}"#).remove(0);
        assert!(body.text.contains(r#""unknown":{"tailrace:texts":3}"#));
    }
}
