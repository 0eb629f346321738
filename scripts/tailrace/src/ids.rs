//! Ids as people have them: whole, a Ray ID with or without the data centre behind it, or the beginning of an id, as a
//! narrow terminal or a colleague shows it.

use std::collections::BTreeMap;

use crate::client::d1::Database;
use crate::query::without_data_centre;
use crate::sql::{self, IdColumn};
use crate::time::{self, Zone};
use crate::{Error, output};

/// The fewest characters of a beginning: fewer fit too much.
const LEAST_CHARS: usize = 4;

/// The most ids that are listed where several fit.
const LISTED: usize = 10;

/// An id that begins as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The column that holds the id.
    pub column: IdColumn,
    /// The id.
    pub id: String,
    /// The time of its first record.
    pub timestamp: String,
    /// The Worker of its first record.
    pub worker: String,
}

/// The ids that a text may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// This one.
    One(Candidate),
    /// Any of these, and perhaps more.
    Several(Vec<Candidate>),
    /// No stored one.
    Unknown,
}

/// Returns whether `text` is too short for the beginning of an id.
#[must_use]
pub fn is_short(text: &str) -> bool {
    without_data_centre(text).chars().count() < LEAST_CHARS
}

/// Finds the id that `text` means in `columns`: itself, then as a Ray ID without its `-XXX`, then by its beginning.
///
/// # Errors
/// As the API has them.
pub async fn resolve(
    database: &Database<'_>,
    text: &str,
    columns: &[IdColumn],
) -> Result<Resolution, Error> {
    let found = look_up(database, text, columns).await?;
    // The platform's ids are hexadecimal in small letters, and some tools show them in capitals.
    let bare = without_data_centre(text);
    let small = bare.to_ascii_lowercase();
    let is_hexadecimal = bare.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if found == Resolution::Unknown && is_hexadecimal && small != bare {
        return look_up(database, &small, columns).await;
    }
    Ok(found)
}

async fn look_up(
    database: &Database<'_>,
    text: &str,
    columns: &[IdColumn],
) -> Result<Resolution, Error> {
    let start = without_data_centre(text);
    if start.is_empty() {
        return Ok(Resolution::Unknown);
    }
    // An id that is exactly the text sorts before those that go on.
    let count = if is_short(text) { 1 } else { LISTED + 1 };
    // By id: one that is both a correlation id and a request id is meant as the former, which comes first.
    let mut found: BTreeMap<String, Candidate> = BTreeMap::new();
    for column in columns {
        let rows = database
            .query(&sql::ids_beginning(*column, start, count))
            .await?;
        for cells in rows {
            let cell = |index: usize| {
                let text = cells.get(index).and_then(serde_json::Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            found.entry(cell(0)).or_insert(Candidate {
                column: *column,
                id: cell(0),
                timestamp: cell(1),
                worker: cell(2),
            });
        }
    }
    Ok(choose(text, found))
}

/// Returns the id that `text` means among those that begin so, by id.
#[must_use]
pub fn choose(text: &str, mut found: BTreeMap<String, Candidate>) -> Resolution {
    for exact in [text, without_data_centre(text)] {
        if let Some(candidate) = found.remove(exact) {
            return Resolution::One(candidate);
        }
    }
    if is_short(text) {
        return Resolution::Unknown;
    }
    let mut found: Vec<_> = found.into_values().collect();
    match (found.pop(), found.is_empty()) {
        (None, _) => Resolution::Unknown,
        (Some(only), true) => Resolution::One(only),
        (Some(last), false) => {
            found.push(last);
            Resolution::Several(found)
        }
    }
}

/// Lists the ids that begin with `text` beside the results.
pub fn list(text: &str, candidates: &[Candidate], zone: &Zone) {
    output::note(&format!("several ids begin with \"{text}\":"));
    for candidate in candidates.iter().take(LISTED) {
        output::note(&format!(
            "  {}  {}  {}",
            time::shown(&candidate.timestamp, zone),
            candidate.id,
            candidate.worker
        ));
    }
    if candidates.len() > LISTED {
        output::note("  and more");
    }
    output::note("hint: write more of the id");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_ray_id_loses_its_data_centre() {
        for (text, expected) in [
            ("8f2a1c0b5d1e4c55-FRA", "8f2a1c0b5d1e4c55"),
            ("8f2a1c0b5d1e4c55", "8f2a1c0b5d1e4c55"),
            ("8f2a1c0b5d1e4c55-fra", "8f2a1c0b5d1e4c55-fra"),
            ("order-8-FRA", "order-8-FRA"),
        ] {
            assert_eq!(without_data_centre(text), expected);
        }
    }
}
