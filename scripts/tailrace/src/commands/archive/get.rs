//! `tailrace archive get`: objects are read ahead and written in order, one at a time.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;
use std::process::ExitCode;

use futures_util::{StreamExt as _, stream};
use log_record::archive::CatalogRow;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::archive::Window;
use crate::archive::bounds::Amount;
use crate::archive::catalog::{Catalog, Objects};
use crate::archive::object::{damaged, lines};
use crate::archive::reader::AT_ONCE;
use crate::cli::ArchiveGet;
use crate::client::r2::Bucket;
use crate::counter::Counter;
use crate::place::Place;
use crate::{Error, error, output};

/// The key of a record.
#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    log_id: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

/// Runs the command.
pub(super) async fn run(
    args: &ArchiveGet,
    place: &Place,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let zone = args.zone.zone();
    let (since, until) = (args.window.since.as_deref(), args.window.until.as_deref());
    let window = crate::commands::read_window(since, until, &zone)?.stored();
    let client = crate::commands::connect(place).await?;
    let is_named = !args.keys.is_empty();
    let keys = if is_named {
        args.keys.clone()
    } else {
        let database = crate::commands::open(&client, place).await?;
        let rows = Catalog::start(&database, &window, Objects::All)
            .collect()
            .await?;
        if !args.yes {
            refuse_much(&rows)?;
        }
        rows.into_iter().map(|row| row.key).collect()
    };
    let bucket = &Bucket::new(&client, args.bucket.as_deref().unwrap_or(&place.bucket()));
    let mut counter = Counter::start(["object", "objects"]);
    counter.expect(keys.len());
    let mut objects = stream::iter(&keys)
        .map(|key| async move { (key, bucket.get(key).await) })
        .buffered(AT_ONCE);
    let mut written = Written::default();
    let (mut done, mut gone) = (0, Vec::new());
    while let Some((key, object)) = objects.next().await {
        match object? {
            Some(object) if is_named => written.write_all(key, &object, out)?,
            Some(object) => written.write_window(key, &object, &window, out)?,
            None => gone.push(key.as_str()),
        }
        done += 1;
        counter.set_done(done);
    }
    output::unwatch();
    out.flush().map_err(Error::io("standard output"))?;
    if is_named && !gone.is_empty() {
        output::note_with_hint(
            &format!("not in the bucket: {}", gone.join(", ")),
            "`tailrace archive ls` shows the objects there are",
        );
        return Ok(ExitCode::from(error::FAILED));
    }
    if !gone.is_empty() {
        let objects = output::counted(gone.len() as u64, "object has", "objects have");
        output::note(&format!(
            "{objects} expired, and are not in the bucket any more"
        ));
    }
    let records = output::counted(written.records, "record", "records");
    output::note(&format!("{records} written"));
    Ok(ExitCode::SUCCESS)
}

/// Refuses to read so much that somebody should know before.
fn refuse_much(rows: &[CatalogRow]) -> Result<(), Error> {
    let amount = Amount::of(rows);
    if amount.is_small() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "that is {} in all; add --yes to read them, or ask for less with --since and --until",
        amount.shown()
    )))
}

/// The records that were written.
#[derive(Default)]
struct Written {
    records: u64,
    /// The folder of the last object, and the records of it that were written: a record is in one folder alone, by its time.
    folder: String,
    seen: HashSet<(String, String)>,
}

impl Written {
    /// Writes every record of an object.
    fn write_all(&mut self, key: &str, object: &[u8], out: &mut dyn Write) -> Result<(), Error> {
        for line in lines(key, object) {
            let line = line?;
            self.write(parse(key, &line)?, out)?;
        }
        Ok(())
    }

    /// Writes the records of the window that were not written before.
    fn write_window(
        &mut self,
        key: &str,
        object: &[u8],
        window: &Window,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        if self.folder != folder {
            folder.clone_into(&mut self.folder);
            self.seen.clear();
        }
        for line in lines(key, object) {
            let line = line?;
            let Id { timestamp, log_id } = parse(key, &line)?;
            if window.holds(&timestamp)
                && self
                    .seen
                    .insert((timestamp.into_owned(), log_id.into_owned()))
            {
                self.write(parse(key, &line)?, out)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &RawValue, out: &mut dyn Write) -> Result<(), Error> {
        self.records += 1;
        crate::commands::json_line(out, &record)
    }
}

fn parse<'l, T: Deserialize<'l>>(key: &str, line: &'l str) -> Result<T, Error> {
    serde_json::from_str(line).map_err(|error| damaged(key, &error))
}
