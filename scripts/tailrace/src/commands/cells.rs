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

/// Writes rows, each as an object; lines for a person are the caller's own.
pub(super) fn write_rows(
    out: &mut dyn Write,
    format: RecordFormat,
    columns: &[String],
    rows: &[Cells],
) -> Result<(), Error> {
    match format {
        RecordFormat::Text | RecordFormat::Json => rows
            .iter()
            .try_for_each(|cells| json_line(out, &NamedCells { columns, cells })),
        RecordFormat::Logfmt => rows.iter().try_for_each(|cells| {
            let named = columns.iter().cloned().zip(cells.iter().cloned());
            let pairs: Vec<_> = named
                .filter_map(|(name, cell)| Some((name, cell?)))
                .collect();
            line(out, &joined(&pairs))
        }),
        RecordFormat::Csv => {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
            let failed = |error: csv::Error| Error::io("standard output")(error.into());
            let names = columns.iter().map(|name| output::safe(name));
            writer.write_record(names).map_err(failed)?;
            for cells in rows {
                let texts = cells
                    .iter()
                    .map(|cell| cell.as_deref().map_or_else(String::new, bare));
                writer.write_record(texts).map_err(failed)?;
            }
            writer.flush().map_err(Error::io("standard output"))
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
