//! `--export FILE`: every letter seen, one JSON object a line, with its records by name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use log_record::LogRecord;
use serde::Serialize;
use serde_json::value::RawValue;

use super::letter::{Content, Letter};
use crate::Error;
use crate::time::stored_ms;

/// The file.
pub(super) struct Export {
    name: String,
    out: Box<dyn Write + Send>,
    /// A file that may hold an earlier export: emptied only once there is something to put in its place.
    earlier: Option<File>,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    /// The message's id, or the KV key.
    id: &'a str,
    reason: &'a str,
    origin: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_key: Option<&'a str>,
}

/// A record by name, or as it came where it cannot be read.
#[derive(Serialize)]
#[serde(untagged)]
enum Record {
    Read(Box<LogRecord>),
    Raw(Box<RawValue>),
}

impl Export {
    /// Makes the file anew; `-` is standard output.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let mut earlier = None;
        let out: Box<dyn Write + Send> = if name == "-" {
            Box::new(std::io::stdout())
        } else {
            let bad = |error| Error::Usage(format!("--export {name}: {error}"));
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(bad)?;
            if file.metadata().map_err(bad)?.is_file() {
                earlier = Some(file.try_clone().map_err(bad)?);
            }
            Box::new(BufWriter::new(file))
        };
        Ok(Self { name, out, earlier })
    }

    /// Begins anew, now that it is known what there is to export: an earlier export may be the only copy of what it holds,
    /// and a run that cannot begin leaves it.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        match self.earlier.take() {
            Some(file) => file
                .set_len(0)
                .map_err(Error::io(format!("--export {}", self.name))),
            None => Ok(()),
        }
    }

    /// Writes a letter.
    pub(super) fn write(&mut self, id: &str, letter: &Letter) -> Result<(), Error> {
        self.begin()?;
        let records = letter
            .records()
            .into_iter()
            .map(|raw| match serde_json::from_str(raw.get()) {
                Ok(record) => Record::Read(record),
                Err(_) => Record::Raw(raw),
            })
            .collect();
        let (body, body_base64) = match &letter.content {
            Content::Body(body) => (Some(body.as_str()), None),
            Content::Bytes(bytes) => (None, Some(STANDARD.encode(bytes))),
            _ => (None, None),
        };
        let line = Line {
            id,
            reason: letter.reason.as_str(),
            origin: letter.origin.words(),
            detail: &letter.detail,
            attempts: letter.attempts,
            failed_at: letter.failed_ms.map(stored_ms),
            records,
            body,
            body_base64,
            // Also beside what was fetched from there.
            body_key: letter.body_key.as_deref(),
        };
        let mut write = || {
            serde_json::to_writer(&mut self.out, &line)?;
            self.out.write_all(b"\n")
        };
        write().map_err(Error::io(format!("--export {}", self.name)))
    }

    /// Writes through to the file, before anything is taken away.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.out
            .flush()
            .map_err(Error::io(format!("--export {}", self.name)))
    }
}
