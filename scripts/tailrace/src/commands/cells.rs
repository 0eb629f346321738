//! Rows of named cells, as programs read them: JSON, logfmt or CSV.

use std::io::Write;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::logs::fields::{bare, joined};
use super::{json_line, line};
use crate::cli::RecordFormat;
use crate::{Error, output};

/// The cells of a row, in the order of the columns.
pub(super) type Cells = Vec<Option<Box<RawValue>>>;

/// Writes rows.
pub(super) struct RowWriter {
    format: RecordFormat,
    columns: Vec<String>,
    has_header: bool,
}

impl RowWriter {
    /// Returns a writer of rows with these columns; lines for a person are the caller's own.
    pub(super) fn new(format: RecordFormat, columns: Vec<String>) -> Self {
        Self {
            format,
            columns,
            has_header: false,
        }
    }

    /// Writes rows; before the first ones of CSV, or where there are none, the header.
    pub(super) fn write(&mut self, rows: &[Cells], out: &mut dyn Write) -> Result<(), Error> {
        let columns = self.columns.as_slice();
        match self.format {
            RecordFormat::Text | RecordFormat::Json => rows
                .iter()
                .try_for_each(|cells| json_line(out, &NamedCells { columns, cells })),
            RecordFormat::Logfmt => rows.iter().try_for_each(|cells| {
                let named = columns.iter().cloned().zip(cells.iter().cloned());
                let pairs = named.filter_map(|(name, cell)| Some((name, cell?)));
                line(out, &joined(&pairs.collect::<Vec<_>>()))
            }),
            RecordFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
                let failed = |error: csv::Error| Error::io("standard output")(error.into());
                if !std::mem::replace(&mut self.has_header, true) {
                    let names = columns.iter().map(|name| output::safe(name));
                    writer.write_record(names).map_err(failed)?;
                }
                for cells in rows {
                    let cells = cells.iter().map(Option::as_deref);
                    let texts = cells.map(|cell| cell.map_or_else(String::new, bare));
                    writer.write_record(texts).map_err(failed)?;
                }
                writer.flush().map_err(Error::io("standard output"))
            }
        }
    }
}

/// A row as an object.
struct NamedCells<'a> {
    columns: &'a [String],
    cells: &'a Cells,
}

impl Serialize for NamedCells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (name, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}
