//! Rows into queue message bodies, or into records for whoever reads them natively. `deliver` sends the bodies.

use log_record::EnvelopeBuilder;
use log_record::envelope::{Closed, Pushed};
use log_record::limits::RECORD_BYTES;

use crate::cut;
use crate::normalize::Sink;

/// One message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// An envelope: JSON text.
    pub text: String,
    /// The number of records in it.
    pub records: usize,
}

/// Packs rows into as few bodies as fit.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    builder: EnvelopeBuilder,
    bodies: Vec<Body>,
}

impl Packer {
    /// The bodies.
    pub(crate) fn finish(mut self) -> Vec<Body> {
        self.close();
        self.bodies
    }

    fn close(&mut self) {
        let records = self.builder.records();
        if let Some(body) = self.builder.finish() {
            self.add(body, records);
        }
    }

    fn add(&mut self, bytes: Vec<u8>, records: usize) {
        // The rows are written as UTF-8, so the copy is never made.
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        self.bodies.push(Body { text, records });
    }
}

impl Sink for Packer {
    fn begin(&mut self) {
        self.builder.open();
    }

    fn row(&mut self) -> &mut Vec<u8> {
        self.builder.body()
    }

    fn end(&mut self) -> bool {
        let before = self.builder.records();
        match self.builder.close() {
            Closed::Added => false,
            Closed::Next(full) => {
                self.add(full, before);
                false
            }
            Closed::TooLarge(row) => {
                let cut = cut::cut(&row);
                if self.builder.push(&cut) == Pushed::Full {
                    self.close();
                    self.builder.push(&cut);
                }
                true
            }
        }
    }
}

/// Collects rows one by one.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<String>,
    row: Vec<u8>,
}

impl Sink for Rows {
    fn begin(&mut self) {
        self.row.clear();
    }

    fn row(&mut self) -> &mut Vec<u8> {
        &mut self.row
    }

    fn end(&mut self) -> bool {
        let large = self.row.len() > RECORD_BYTES;
        if large {
            self.row = cut::cut(&self.row);
        }
        self.rows
            .push(String::from_utf8_lossy(&self.row).into_owned());
        large
    }
}
