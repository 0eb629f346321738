//! `tailrace archive ls`.

use std::io::Write;
use std::process::ExitCode;

use serde_json::value::to_raw_value;

use crate::archive::catalog::{Catalog, Objects};
use crate::cli::{ArchiveLs, RecordFormat};
use crate::commands::cells::RowWriter;
use crate::place::Place;
use crate::{Error, output, raw, time};

/// The columns of the catalog, by the names that JSON has.
const COLUMNS: [&str; 7] = [
    "key",
    "stored_at",
    "first_timestamp",
    "last_timestamp",
    "bytes",
    "rows",
    "counts",
];

/// Runs the command.
pub(super) async fn run(
    args: &ArchiveLs,
    place: &Place,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let zone = args.zone.zone();
    let (since, until) = (args.window.since.as_deref(), args.window.until.as_deref());
    let window = crate::commands::read_window(since, until, &zone)?.stored();
    let client = crate::commands::connect(place).await?;
    let database = crate::commands::open(&client, place).await?;
    let format = args.format.format(place.output);
    let mut writer = RowWriter::new(format, COLUMNS.map(str::to_owned).to_vec());
    if format == RecordFormat::Csv {
        writer.write(&[], out)?;
    }
    let mut catalog = Catalog::start(&database, &window, Objects::All);
    let (mut objects, mut records, mut bytes) = (0, 0, 0);
    while let Some(rows) = catalog.next_page().await? {
        for row in rows {
            objects += 1;
            records += row.counts.total();
            bytes += row.bytes;
            if format == RecordFormat::Json {
                crate::commands::json_line(out, &row)?;
            } else if format != RecordFormat::Text {
                let row =
                    to_raw_value(&row).map_err(|error| Error::io("the catalog")(error.into()))?;
                let cell = |name| raw::member(&row, name).map(ToOwned::to_owned);
                writer.write(&[COLUMNS.map(cell).to_vec()], out)?;
            } else {
                let text = format!(
                    "{}  {}  {:>9}  {:>7}  {:5}  {}",
                    time::shown(&row.first_timestamp, &zone),
                    time::shown(&row.last_timestamp, &zone),
                    output::grouped(row.counts.total()),
                    output::size_shown(row.bytes),
                    row.rows,
                    output::safe(&row.key),
                );
                crate::commands::line(out, &text)?;
            }
        }
        out.flush().map_err(Error::io("standard output"))?;
    }
    output::note(&if objects == 0 {
        "the archive has no objects of that time; `cargo xtask deploy --archive` lets log-writer keep records in R2".to_owned()
    } else {
        format!(
            "{}, {}, {}",
            output::counted(objects, "object", "objects"),
            output::counted(records, "record", "records"),
            output::size_shown(bytes)
        )
    });
    Ok(ExitCode::SUCCESS)
}
