//! `--export FILE`: every letter seen, one JSON object a line, with its records by name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::Error;
use crate::letter::Letter;

/// The file.
pub(super) struct Export {
    /// The option and the file, for errors.
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
    #[serde(flatten)]
    letter: &'a Letter,
}

impl Export {
    /// Makes the file anew; `-` is standard output.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let name = format!("--export {}", path.display());
        let mut earlier = None;
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(std::io::stdout())
        } else {
            let bad = |error| Error::Usage(format!("{name}: {error}"));
            let mut options = File::options();
            options.write(true).create(true).truncate(false);
            let file = options.open(path).map_err(bad)?;
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
        let emptied = self.earlier.take().map_or(Ok(()), |file| file.set_len(0));
        emptied.map_err(Error::io(&self.name))
    }

    /// Writes a letter.
    pub(super) fn write(&mut self, id: &str, letter: &Letter) -> Result<(), Error> {
        self.begin()?;
        let line = Line { id, letter };
        let mut write = || {
            serde_json::to_writer(&mut self.out, &line)?;
            self.out.write_all(b"\n")
        };
        write().map_err(Error::io(&self.name))
    }

    /// Writes through to the file, before anything is taken away.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::io(&self.name))
    }
}
