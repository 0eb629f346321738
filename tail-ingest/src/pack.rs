//! Rows into queue message bodies, or into records for whoever reads them natively. `send` delivers the bodies.

use log_record::EnvelopeBuilder;
use log_record::envelope::Pushed;

use crate::normalize::Sink;

/// One message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// An envelope, JSON text.
    pub text: String,
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
            // Rows are made of text and of ASCII only.
            let text = String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            self.bodies.push(Body { text, records });
        }
    }
}

impl Sink for Packer {
    fn row(&mut self, row: &[u8]) {
        // `TooLarge` cannot come: `normalize` cuts what is over the limit.
        if self.builder.push(row) == Pushed::Full {
            self.close();
            self.builder.push(row);
        }
    }
}

/// Collects rows one by one.
#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) Vec<String>);

impl Sink for Rows {
    fn row(&mut self, row: &[u8]) {
        self.0.push(String::from_utf8_lossy(row).into_owned());
    }
}
