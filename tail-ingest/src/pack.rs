//! Rows into queue message bodies, or into records for whoever reads them natively. `deliver` sends the bodies.

use std::borrow::Cow;

use log_record::EnvelopeBuilder;
use log_record::envelope::Pushed;
use log_record::limits::RECORD_BYTES;

use crate::cut::cut_row;

/// One message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// An envelope: JSON text.
    pub text: String,
    /// The number of records in it.
    pub records: usize,
}

/// Takes the rows, each one wire array, in order.
pub(crate) trait RowWriter {
    /// Takes a row, cut where it is too large for a message. Returns whether it was cut; `None` where it could not be
    /// taken at all.
    fn write_row(&mut self, row: &str) -> Option<bool>;
}

/// Packs rows into as few bodies as fit.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    builder: EnvelopeBuilder,
    bodies: Vec<Body>,
}

impl Packer {
    /// Returns the bodies.
    pub(crate) fn finish(mut self) -> Vec<Body> {
        self.close_body();
        self.bodies
    }

    fn close_body(&mut self) {
        let records = self.builder.records();
        if let Some(text) = self.builder.finish() {
            self.bodies.push(Body { text, records });
        }
    }
}

impl RowWriter for Packer {
    fn write_row(&mut self, row: &str) -> Option<bool> {
        let row = fit_row(row);
        let was_cut = matches!(row, Cow::Owned(_));
        let mut pushed = self.builder.push(&row);
        if pushed == Pushed::Full {
            self.close_body();
            pushed = self.builder.push(&row);
        }
        (pushed == Pushed::Added).then_some(was_cut)
    }
}

/// Collects rows one by one.
#[derive(Debug, Default)]
pub(crate) struct RowCollector {
    pub(crate) rows: Vec<String>,
}

impl RowWriter for RowCollector {
    fn write_row(&mut self, row: &str) -> Option<bool> {
        let row = fit_row(row);
        let was_cut = matches!(row, Cow::Owned(_));
        self.rows.push(row.into_owned());
        Some(was_cut)
    }
}

/// Returns `row`, cut where it is too large for a message.
fn fit_row(row: &str) -> Cow<'_, str> {
    if row.len() <= RECORD_BYTES {
        Cow::Borrowed(row)
    } else {
        Cow::Owned(cut_row(row))
    }
}
