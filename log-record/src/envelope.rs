//! The envelope: the text of one queue message, `{"v":1,"records":[[…],[…]]}`. `record` knows the arrays in it.

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use crate::record::{RecordError, RecordView};
use crate::scan::Scan;

/// The version of the wire format that this code writes, and the only one it reads.
pub const WIRE_VERSION: u64 = 1;

const HEAD: &str = r#"{"v":1,"records":["#;
const TAIL: &str = "]}";

/// What a body has room for at first: the records of a request with about ten lines.
const FIRST_BYTES: usize = 8 * 1024;

/// Packs encoded records into one message body after another, each at most [`MESSAGE_BODY_BYTES`] long.
#[derive(Debug, Default)]
pub struct EnvelopeBuilder {
    body: Vec<u8>,
    records: usize,
}

/// What [`EnvelopeBuilder::push`] did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in.
    Added,
    /// The body is full: take it with [`EnvelopeBuilder::finish`], then push the record again.
    Full,
    /// The record is over [`RECORD_BYTES`] and fits no body: cut it first.
    TooLarge,
}

impl EnvelopeBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records the body in hand holds.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Adds `row`, one wire array as UTF-8 JSON text (see [`crate::LogRecord::write_row`]), unless it does not fit.
    pub fn push(&mut self, row: &[u8]) -> Pushed {
        if row.len() > RECORD_BYTES {
            return Pushed::TooLarge;
        }
        if self.records == 0 {
            self.body.clear();
            self.body.reserve(FIRST_BYTES);
            self.body.extend_from_slice(HEAD.as_bytes());
        } else if self.body.len() + 1 + row.len() + TAIL.len() > MESSAGE_BODY_BYTES {
            return Pushed::Full;
        } else {
            self.body.push(b',');
        }
        self.body.extend_from_slice(row);
        self.records += 1;
        Pushed::Added
    }

    /// Takes the body in hand, if it holds any record; the builder is empty afterwards. The body is UTF-8 as long as
    /// every row was.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        if self.records == 0 {
            return None;
        }
        self.records = 0;
        let mut body = std::mem::take(&mut self.body);
        body.extend_from_slice(TAIL.as_bytes());
        Some(body)
    }
}

/// Packs `rows`, each one wire array, into as few bodies as fit; rows over [`RECORD_BYTES`] come back in the second
/// list, by their index. Order is kept.
pub fn pack<'a>(rows: impl IntoIterator<Item = &'a str>) -> (Vec<String>, Vec<usize>) {
    let mut builder = EnvelopeBuilder::new();
    let mut bodies = Vec::new();
    let mut too_large = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        if builder.push(row.as_bytes()) == Pushed::Full {
            bodies.extend(builder.finish());
            builder.push(row.as_bytes());
        } else if row.len() > RECORD_BYTES {
            too_large.push(index);
        }
    }
    bodies.extend(builder.finish());
    // Every row is a `str`, so every body is UTF-8 and `from_utf8` cannot refuse one.
    let bodies = bodies
        .into_iter()
        .filter_map(|body| String::from_utf8(body).ok())
        .collect();
    (bodies, too_large)
}

/// Why a message body is no envelope. Says where, never what.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not JSON, or not an object with a version and records.
    #[error("not an envelope (line {line}, column {column})")]
    NotAnEnvelope {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A version this code does not read. Never guessed at.
    #[error("envelope version {found}, where {WIRE_VERSION} is supported")]
    UnsupportedVersion {
        /// The version found.
        found: u64,
    },
    /// A record is not one.
    #[error("record {index}: {problem}")]
    Record {
        /// The record's position, from 0.
        index: usize,
        /// What is wrong with it.
        problem: RecordError,
    },
}

/// A decoded message body: its records as they came, each checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The records, in order.
    pub records: Vec<RecordView<'a>>,
    rows: &'a str,
}

impl<'a> Envelope<'a> {
    /// The records' JSON text as it came: an array of wire arrays, ready to be bound as one D1 parameter.
    #[must_use]
    pub fn rows(&self) -> &'a str {
        self.rows
    }

    /// Reads `body`, borrowing from it.
    ///
    /// # Errors
    /// [`DecodeError`]; the version is judged before the records, which a newer version may shape otherwise.
    pub fn decode(body: &'a str) -> Result<Self, DecodeError> {
        Self::scan(body).map_or_else(|| Self::parse(body), Ok)
    }

    /// Reads what [`EnvelopeBuilder`] writes, in one pass. `None` says nothing of `body`.
    fn scan(body: &'a str) -> Option<Self> {
        let joined = body.strip_prefix(HEAD)?.strip_suffix(TAIL)?;
        let mut scan = Scan::new(joined);
        let mut records = Vec::new();
        loop {
            records.push(RecordView::scan(&mut scan)?);
            if scan.is_over() {
                break;
            }
            scan.mark(b',')?;
        }
        // With their brackets: the last of the head, the first of the tail.
        let rows = body.get(HEAD.len() - 1..body.len() - 1)?;
        Some(Self { records, rows })
    }

    /// Reads any envelope, and says what is wrong with what is none.
    fn parse(body: &'a str) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Frame<'a> {
            v: u64,
            #[serde(borrow, default)]
            records: Option<&'a RawValue>,
        }
        let located = |error: serde_json::Error| DecodeError::NotAnEnvelope {
            line: error.line(),
            column: error.column(),
        };
        let frame: Frame<'a> = serde_json::from_str(body).map_err(located)?;
        if frame.v != WIRE_VERSION {
            return Err(DecodeError::UnsupportedVersion { found: frame.v });
        }
        let rows = frame
            .records
            .ok_or(DecodeError::NotAnEnvelope { line: 1, column: 1 })?
            .get();
        let raw: Vec<&'a RawValue> = serde_json::from_str(rows).map_err(located)?;
        let records = raw
            .into_iter()
            .enumerate()
            .map(|(index, raw)| {
                RecordView::new(raw).map_err(|problem| DecodeError::Record { index, problem })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { records, rows })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOLDEN: &str = include_str!("../tests/golden/v1/envelope.json");

    /// Every kind of value and escape, and white space wherever JSON has it.
    const ODD: &str = concat!(
        r#"{"v":1,"records":[["i","","\u00e9\"","c\/","info","\ud83d\\",{},"t",-1.5E+7] , "#,
        r#" [ "\n" , "w","r","c","l","é🦀", { "a" : [ [ ] , {"b":{ }} , true,false , null, 0.5e-1 ] , "":1 } ,"t", null ]]}"#
    );

    /// The one pass takes nothing that the thorough reading would not, and reads the same in it.
    fn same(body: &str) -> bool {
        let scanned = Envelope::scan(body);
        if let Some(scanned) = &scanned {
            assert_eq!(Envelope::parse(body).as_ref(), Ok(scanned), "{body}");
        }
        scanned.is_some()
    }

    #[test]
    fn usual_envelopes_take_one_pass() {
        assert!(same(GOLDEN.trim_end()));
        assert!(same(ODD));
        let deep = |levels| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(r#"{HEAD}["i","w","r","c","l","m",{{"a":{open}{close}}},"t",1]{TAIL}"#)
        };
        assert!(same(&deep(64)));
        assert!(!same(&deep(65)));
        assert!(Envelope::decode(&deep(200)).is_ok());
    }

    #[test]
    fn one_pass_or_three_decide_the_same() {
        for text in [GOLDEN.trim_end(), ODD] {
            for at in 0..text.len() {
                let (head, tail) = text.as_bytes().split_at(at);
                let bits = (0..8).map(|bit| tail[0] ^ (1 << bit));
                let bytes = b"\"\\/{}[]:,.-+eEnutf09a \t\n\r\x00\x1f\x7f"
                    .iter()
                    .copied();
                let changed = bits.chain(bytes).flat_map(|byte| {
                    [
                        [head, &[byte], tail].concat(),
                        [head, &[byte], &tail[1..]].concat(),
                    ]
                });
                for bytes in changed.chain([head.to_vec(), [head, &tail[1..]].concat()]) {
                    if let Ok(text) = String::from_utf8(bytes) {
                        same(&text);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn one_pass_or_three_decide_the_same_of_any_values(
            strings in prop::collection::vec(r#"([a-zé🦀]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){1,20}"#, 7),
            number in "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,2})?",
            odd in prop::option::weighted(0.5, (0usize..10, r#"[\[\]{}",:\\uaeE0-9. +-]{0,8}"#)),
        ) {
            let mut elements: Vec<String> = strings.iter().map(|text| format!("\"{text}\"")).collect();
            elements.insert(6, format!(r#"{{"a":[{number}]}}"#));
            elements.push(number);
            let usual = odd.is_none();
            match odd {
                Some((at, odd)) if at < elements.len() => elements[at] = odd,
                Some((_, odd)) => elements.push(odd),
                None => {}
            }
            let scanned = same(&format!("{HEAD}[{}]{TAIL}", elements.join(",")));
            prop_assert!(scanned || !usual);
        }
    }
}
