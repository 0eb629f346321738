//! Rows into queue message bodies, or into records for whoever reads them natively. `send` delivers the bodies.

use log_record::EnvelopeBuilder;
use log_record::envelope::{Closed, Pushed};
use log_record::limits::RECORD_BYTES;

use crate::cut;
use crate::normalize::Sink;

/// One message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// An envelope: JSON text in UTF-8, as which JavaScript decodes it. Checking that here as well would be 3% of the
    /// Worker.
    pub bytes: Vec<u8>,
    /// How many records it holds.
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
        self.bodies.push(Body { bytes, records });
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
