//! An object: gzipped NDJSON, a record a line.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};

use flate2::read::MultiGzDecoder;
use memchr::memmem::Finder;

use crate::Error;
use crate::error::READ_OBJECT;
use crate::record::Row;

/// The most texts that lines are searched for before they are parsed: with more, parsing all of them is as fast.
const MOST_NEEDLES: usize = 8;

type Test = dyn Fn(&Row) -> bool + Send + Sync;

/// The records that are meant.
pub struct Wanted {
    /// Texts; a line that is meant holds one of them at least. None where nothing is known of it.
    needles: Vec<Finder<'static>>,
    is_meant: Box<Test>,
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

impl Wanted {
    /// Returns the records for which `is_meant` holds.
    pub fn new(is_meant: impl Fn(&Row) -> bool + Send + Sync + 'static) -> Self {
        Self {
            needles: Vec::new(),
            is_meant: Box::new(is_meant),
        }
    }

    /// Says that every record that is meant holds one of these texts, as they are: other lines need not be parsed.
    #[must_use]
    pub fn holding<'t>(mut self, texts: impl IntoIterator<Item = &'t str>) -> Self {
        let texts: Vec<_> = texts.into_iter().collect();
        // What JSON may write in another way is not looked for.
        let is_plain = |text: &&str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:#@+~ ".contains(&byte);
            !text.is_empty() && text.bytes().all(allowed)
        };
        if texts.len() <= MOST_NEEDLES && texts.iter().all(is_plain) {
            let finders = texts.iter().map(|text| Finder::new(*text).into_owned());
            self.needles = finders.collect();
        }
        self
    }

    fn may_hold(&self, line: &[u8]) -> bool {
        self.needles.is_empty() || self.needles.iter().any(|text| text.find(line).is_some())
    }
}

/// Returns the records of the object `key` that are meant, in their order.
///
/// # Errors
/// [`Error::Unreadable`] where it is not gzipped NDJSON of records.
pub fn read_records(key: &str, object: &[u8], wanted: &Wanted) -> Result<Vec<Row>, Error> {
    let mut text = Vec::new();
    MultiGzDecoder::new(object)
        .read_to_end(&mut text)
        .map_err(|error| damaged(key, &error))?;
    let lines = text.split(|byte| *byte == b'\n');
    let mut rows = Vec::new();
    for line in lines.filter(|line| !line.is_empty() && wanted.may_hold(line)) {
        let row = Row::parse(line).map_err(|error| damaged(key, &error))?;
        if (wanted.is_meant)(&row) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Returns the lines of the object `key`.
pub fn lines<'o>(
    key: &'o str,
    object: &'o [u8],
) -> impl Iterator<Item = Result<String, Error>> + 'o {
    let lines = BufReader::new(MultiGzDecoder::new(object)).lines();
    lines.map(move |line| line.map_err(|error| damaged(key, &error)))
}

/// Returns the error of an object that cannot be read.
pub fn damaged(key: &str, error: &dyn std::error::Error) -> Error {
    Error::Unreadable {
        what: READ_OBJECT,
        reason: format!("{key}: {error}"),
    }
}
