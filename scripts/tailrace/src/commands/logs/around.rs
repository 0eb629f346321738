//! `-C N`: the records before and after each match, within its invocation.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::Error;
use crate::archive::{Archive, KnownRecords, Wanted};
use crate::client::d1::Database;
use crate::record::{Row, read_rows};
use crate::sql;

/// Invocations that one statement asks for. Each is a trace of at most 256 kB.
const INVOCATIONS: usize = 40;

/// Neighbours of matches, without any record twice.
#[derive(Debug)]
pub struct Surroundings {
    count: usize,
    /// Matches and neighbours that were returned before.
    seen: HashSet<String>,
}

impl Surroundings {
    /// Returns what adds `count` records before and after each match.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self {
            count,
            seen: HashSet::new(),
        }
    }

    /// Returns the matches with their neighbours, in groups of records that follow each other.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn add(
        &mut self,
        archive: &Archive<'_>,
        matches: Vec<Row>,
    ) -> Result<Vec<Vec<Row>>, Error> {
        let hits: BTreeSet<String> = matches.iter().map(|row| row.log_id.clone()).collect();
        let requests: BTreeSet<_> = matches
            .iter()
            .filter_map(|row| row.request_id.clone())
            .collect();
        let requests: Vec<_> = requests.into_iter().collect();
        let mut all = read_invocations(archive.database(), &requests).await?;
        let wanted = Wanted::new(move |row| {
            let request = row.request_id.as_ref();
            request.is_some_and(|request| requests.contains(request))
        });
        let known = KnownRecords::of(all.iter().chain(&matches), []);
        let archived = archive.read_around(&known, &Arc::new(wanted)).await?;
        all.extend(archived);
        Ok(self.group(matches, all, &hits))
    }

    fn group(
        &mut self,
        matches: Vec<Row>,
        all: Vec<Row>,
        hits: &BTreeSet<String>,
    ) -> Vec<Vec<Row>> {
        // A request that is handed from Worker to Worker keeps its id.
        let mut invocations: BTreeMap<_, BTreeMap<_, Row>> = BTreeMap::new();
        for row in all.into_iter().chain(matches) {
            // A record without a request is alone.
            let request = row.request_id.clone().unwrap_or_else(|| row.log_id.clone());
            let invocation = invocations.entry((request, row.worker_name.clone()));
            invocation.or_default().insert(row.position(), row);
        }
        let mut groups: Vec<Vec<Row>> = Vec::new();
        for rows in invocations.into_values() {
            let places: Vec<usize> = rows
                .values()
                .enumerate()
                .filter(|(_, row)| hits.contains(&row.log_id))
                .map(|(place, _)| place)
                .collect();
            let mut last = None;
            for (place, row) in rows.into_values().enumerate() {
                let is_near = places.iter().any(|near| near.abs_diff(place) <= self.count);
                if !is_near || !self.seen.insert(row.log_id.clone()) {
                    continue;
                }
                match groups.last_mut() {
                    Some(group) if last.is_some_and(|last: usize| last + 1 == place) => {
                        group.push(row);
                    }
                    _ => groups.push(vec![row]),
                }
                last = Some(place);
            }
        }
        groups.sort_by_key(|group| group.first().map(Row::position));
        groups
    }
}

/// Reads all records of invocations, in no order.
async fn read_invocations(database: &Database<'_>, requests: &[String]) -> Result<Vec<Row>, Error> {
    let halves = |error: &Error| error.is_too_large() || error.is_too_slow();
    let mut rows = Vec::new();
    let mut rest = requests;
    while !rest.is_empty() {
        let (page, asked) = database
            .query_page(rest.len().min(INVOCATIONS), halves, |count| {
                sql::records_of(rest.get(..count).unwrap_or(rest))
            })
            .await?;
        rows.extend(read_rows(page)?);
        rest = rest.get(asked..).unwrap_or_default();
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn row(ms: usize, worker: &str, request: Option<&str>) -> Row {
        let time = format!("2026-11-23T00:00:00.{ms:03}Z");
        let name = format!("m{ms}");
        let cells = [
            Value::from(name.as_str()),
            worker.into(),
            request.into(),
            "c".into(),
            "info".into(),
            name.as_str().into(),
            "{}".into(),
            time.into(),
            Value::Null,
        ];
        Row::read(cells.to_vec()).unwrap()
    }

    fn grouped(surroundings: &mut Surroundings, matches: Vec<Row>, all: Vec<Row>) -> Vec<String> {
        let hits = matches.iter().map(|row| row.log_id.clone()).collect();
        let groups = surroundings.group(matches, all, &hits);
        let names = |group: &Vec<Row>| {
            let names: Vec<_> = group.iter().map(|row| row.message.as_str()).collect();
            names.join(" ")
        };
        groups.iter().map(names).collect()
    }

    #[test]
    fn neighbours_are_of_the_invocation_and_none_is_shown_twice() {
        let all: Vec<_> = (0..20).map(|ms| row(ms, "api", Some("r"))).collect();
        let other = row(5, "other", Some("r"));
        let alone = row(30, "api", None);
        let mut surroundings = Surroundings::new(2);
        let matches = vec![all[3].clone(), all[6].clone(), alone, all[15].clone()];
        let mut rows = all.clone();
        rows.push(other);
        assert_eq!(
            grouped(&mut surroundings, matches, rows),
            ["m1 m2 m3 m4 m5 m6 m7 m8", "m13 m14 m15 m16 m17", "m30"]
        );
        // The next page has a match next to the last one.
        assert_eq!(
            grouped(&mut surroundings, vec![all[18].clone()], all),
            ["m18 m19"]
        );
    }
}
