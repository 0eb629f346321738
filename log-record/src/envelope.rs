//! The envelope: the text of one queue message, `{"v":1,"records":[[…],[…]]}`. `record` knows the arrays in it.

use thiserror::Error;

use crate::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use crate::record::{RecordError, RecordView, problem};
use crate::scan::Scan;

/// The version of the wire format that this code writes, and the only one it reads.
pub const WIRE_VERSION: u64 = 1;

/// What a body begins with, up to its first record. Several bodies are one when what stands between [`HEAD`] and [`TAIL`]
/// of each is divided by commas.
pub const HEAD: &str = r#"{"v":1,"records":["#;

/// What a body ends with, after its last record.
pub const TAIL: &str = "]}";

/// What a body has room for at first: the records of a request with about ten lines.
const FIRST_BYTES: usize = 8 * 1024;

/// Packs encoded records into one message body after another, each at most [`MESSAGE_BODY_BYTES`] long.
#[derive(Debug, Default)]
pub struct EnvelopeBuilder {
    body: Vec<u8>,
    records: usize,
    /// Where the open row begins.
    row: usize,
}

/// What [`EnvelopeBuilder::close`] did with the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is in.
    Added,
    /// It did not fit any more: it is the first of a new body, and this is the one before.
    Next(Vec<u8>),
    /// It is over [`RECORD_BYTES`] and fits no body. Here it is, to be cut.
    TooLarge(Vec<u8>),
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
        let separator = usize::from(self.records > 0);
        if self.records > 0
            && self.body.len() + separator + row.len() + TAIL.len() > MESSAGE_BODY_BYTES
        {
            return Pushed::Full;
        }
        self.open().extend_from_slice(row);
        self.records += 1;
        Pushed::Added
    }

    /// Begins a row that is written in place: to the end of [`EnvelopeBuilder::body`], until [`EnvelopeBuilder::close`].
    pub fn open(&mut self) -> &mut Vec<u8> {
        if self.records == 0 {
            self.body.clear();
            self.body.reserve(FIRST_BYTES);
            self.body.extend_from_slice(HEAD.as_bytes());
        } else {
            self.body.push(b',');
        }
        self.row = self.body.len();
        &mut self.body
    }

    /// The body in hand, its last row open.
    pub fn body(&mut self) -> &mut Vec<u8> {
        &mut self.body
    }

    /// Ends the open row.
    pub fn close(&mut self) -> Closed {
        if self.body.len().saturating_sub(self.row) > RECORD_BYTES {
            let row = self.body.split_off(self.row);
            self.drop_separator();
            return Closed::TooLarge(row);
        }
        if self.body.len() + TAIL.len() <= MESSAGE_BODY_BYTES {
            self.records += 1;
            return Closed::Added;
        }
        // Alone it would have fitted, so there are records before it.
        let row = self.body.split_off(self.row);
        self.drop_separator();
        let full = self.finish().unwrap_or_default();
        self.open().extend_from_slice(&row);
        self.records += 1;
        Closed::Next(full)
    }

    fn drop_separator(&mut self) {
        if self.records > 0 {
            self.body.truncate(self.row - 1);
        }
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
        let mut scan = Scan::new(body);
        let frame = Frame::scan(&mut scan).ok_or_else(|| not_an_envelope(&scan))?;
        if frame.v != WIRE_VERSION {
            return Err(DecodeError::UnsupportedVersion { found: frame.v });
        }
        let Some(rows) = frame.rows.filter(|rows| *rows != "null") else {
            return Err(DecodeError::NotAnEnvelope { line: 1, column: 1 });
        };
        let mut scan = Scan::new(rows);
        let records = frame.read.or_else(|| records(&mut scan));
        let records = records.ok_or_else(|| not_an_envelope(&scan))??;
        Ok(Self { records, rows })
    }
}

fn not_an_envelope(scan: &Scan<'_>) -> DecodeError {
    let (line, column) = scan.position();
    DecodeError::NotAnEnvelope { line, column }
}

/// The members of an envelope.
struct Frame<'a> {
    v: u64,
    rows: Option<&'a str>,
    /// The records among `rows`, unless they came before the version.
    read: Option<Records<'a>>,
}

/// The records of an envelope, or what is wrong with the first that is none.
type Records<'a> = Result<Vec<RecordView<'a>>, DecodeError>;

impl<'a> Frame<'a> {
    /// Steps over a whole body.
    fn scan(scan: &mut Scan<'a>) -> Option<Self> {
        let (mut v, mut rows, mut read) = (None, None, None);
        scan.space();
        scan.list(b'{', |scan| {
            let (name, _) = scan.string()?;
            scan.space();
            if (name == "v" && v.is_some()) || (name == "records" && rows.is_some()) {
                return scan.refuse(); // twice
            }
            scan.mark(b':')?;
            match name {
                "v" => v = Some(version(scan)?),
                "records" => {
                    let start = scan.at();
                    if v == Some(WIRE_VERSION) && scan.peek() == b'[' {
                        read = Some(records(scan)?);
                    } else {
                        scan.value()?;
                    }
                    rows = Some(scan.since(start)?);
                }
                _ => scan.value()?,
            }
            Some(())
        })?;
        let Some(v) = v else {
            return scan.refuse();
        };
        scan.space();
        scan.is_over().then_some(Self { v, rows, read })
    }
}

fn version(scan: &mut Scan<'_>) -> Option<u64> {
    let start = scan.at();
    if !scan.peek().is_ascii_digit() {
        return scan.other_kind();
    }
    scan.number()?;
    let version = scan.since(start)?.parse();
    version.ok().or_else(|| scan.refuse())
}

/// Steps over an array of records.
fn records<'a>(scan: &mut Scan<'a>) -> Option<Records<'a>> {
    let mut records = Ok(Vec::new());
    let mut index = 0;
    scan.list(b'[', |scan| {
        let start = scan.at();
        let record = RecordView::scan(scan);
        if record.is_none() {
            // Perhaps no JSON either, which is judged first.
            scan.go_to(start);
            scan.value()?;
        }
        if let Ok(found) = &mut records {
            if let Some(record) = record {
                found.push(record);
            } else {
                let problem = problem(scan.since(start)?);
                records = Err(DecodeError::Record { index, problem });
            }
        }
        index += 1;
        Some(())
    })?;
    Some(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;
    use crate::record;

    #[test]
    fn bodies_joined_between_head_and_tail_are_one_envelope() {
        let row = |id: &str| format!(r#"["{id}","w","r","c","info","m",{{}},"t",null]"#);
        let (rows, rest) = ([row("a"), row("b")], [row("c")]);
        let bodies = [&rows[..], &rest[..]].map(|rows| pack(rows.iter().map(String::as_str)).0);
        let inner: Vec<&str> = bodies
            .iter()
            .map(|bodies| bodies[0].strip_prefix(HEAD).unwrap())
            .map(|body| body.strip_suffix(TAIL).unwrap())
            .collect();
        let joined = format!("{HEAD}{}{TAIL}", inner.join(","));
        let envelope = Envelope::decode(&joined).unwrap();
        let ids: Vec<_> = envelope.records.iter().map(RecordView::log_id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        let all = rows.iter().chain(&rest).map(String::as_str);
        assert_eq!([joined], *pack(all).0);
    }

    const GOLDEN: &str = include_str!("../tests/golden/v1/envelope.json");

    /// Every kind of value and escape, and white space wherever JSON has it.
    const ODD: &str = concat!(
        r#" {"x" : [ ] ,"v":1, "records":[["i","","\u00e9\"","c\/","info","\ud83d\\",{},"t",-1.5E+7] , "#,
        r#" [ "\n" , "w","r","c","l","é🦀", { "a" : [ [ ] , {"b":{ }} , true,false , null, 0.5e-1 ] , "":1 } ,"t", null ]]} "#
    );

    /// What `serde_json` makes of `body`, in three passes: the measure of what is an envelope.
    fn by_serde(body: &str) -> Result<Envelope<'_>, DecodeError> {
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
        let frame: Frame<'_> = serde_json::from_str(body).map_err(located)?;
        if frame.v != WIRE_VERSION {
            return Err(DecodeError::UnsupportedVersion { found: frame.v });
        }
        let rows = frame
            .records
            .ok_or(DecodeError::NotAnEnvelope { line: 1, column: 1 })?
            .get();
        let raw: Vec<&RawValue> = serde_json::from_str(rows).map_err(located)?;
        let records = raw
            .into_iter()
            .enumerate()
            .map(|(index, raw)| {
                record::by_serde(raw).map_err(|problem| DecodeError::Record { index, problem })
            })
            .collect::<Result<_, _>>()?;
        Ok(Envelope { records, rows })
    }

    /// The same but for what `serde_json` makes of a frame that nobody writes: it takes an array for one, reads escapes
    /// in names, and locates a control character in a name one byte later than elsewhere.
    fn assert_same(body: &str) {
        let frame = body.split("[[").next().unwrap_or_default();
        let odd = frame.contains(|c: char| c == '\\' || c.is_ascii_control());
        if !odd && !frame.trim_start().starts_with('[') {
            assert_eq!(Envelope::decode(body), by_serde(body), "{body}");
        }
    }

    #[test]
    fn depth_is_no_matter() {
        for levels in [1, 63, 64, 65, 128, 129, 1_000] {
            let (open, close) = (r#"[{"a":"#.repeat(levels), "}]".repeat(levels));
            assert_same(&format!(
                r#"{HEAD}["i","w","r","c","l","m",{{"a":{open}1{close}}},"t",1]{TAIL}"#
            ));
            assert_same(&format!(
                r#"{HEAD}["i","w","r","c","l","m",{{"a":{open}1]{close}}},"t",1]{TAIL}"#
            ));
        }
    }

    #[test]
    fn every_change_of_a_byte_has_the_same_answer() {
        for text in [GOLDEN.trim_end(), ODD] {
            assert!(Envelope::decode(text).is_ok());
            assert_same(text);
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
                        assert_same(&text);
                    }
                }
            }
        }
    }

    /// The same, but for where reading stopped: `serde_json`'s passes each have a position of their own, so where several
    /// things are wrong at once theirs may be a byte or a value away.
    fn assert_same_verdict(body: &str) {
        let verdict = |read| match read {
            Err(DecodeError::NotAnEnvelope { .. }) => None,
            read => Some(read),
        };
        assert_eq!(
            verdict(Envelope::decode(body)),
            verdict(by_serde(body)),
            "{body}"
        );
    }

    proptest! {
        #[test]
        fn any_values_have_the_same_answer(
            strings in prop::collection::vec(r#"([a-zé🦀]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){0,20}"#, 7),
            number in "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,2})?",
            odd in prop::option::weighted(0.5, (0usize..10, r#"[\[\]{}",:\\uaeE0-9. +-]{0,8}"#)),
        ) {
            let mut elements: Vec<String> = strings.iter().map(|text| format!("\"{text}\"")).collect();
            elements.insert(6, format!(r#"{{"a":[{number}]}}"#));
            elements.push(number);
            match odd {
                Some((at, odd)) if at < elements.len() => elements[at] = odd,
                Some((_, odd)) => elements.push(odd),
                None => {}
            }
            assert_same_verdict(&format!("{HEAD}[{}]{TAIL}", elements.join(",")));
        }

        #[test]
        fn any_frame_has_the_same_answer(
            members in prop::collection::vec((
                "v|records|x",
                prop_oneof![
                    3 => Just("1".to_owned()),
                    3 => Just(r#"[["i","w","r","c","l","m",{},"t",1]]"#.to_owned()),
                    2 => Just(r#"[["i"]]"#.to_owned()),
                    1 => "-?[0-9]{1,21}(\\.[0-9])?|null|true|\"a\"|\\[\\]|\\{\\}|\\[|",
                ],
            ), 0..4),
        ) {
            let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
            assert_same_verdict(&format!("{{{}}}", members.join(",")));
        }
    }
}
