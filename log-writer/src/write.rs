//! Records into D1: in one transaction where possible, tried again where that helps, halved where a record is to blame.
//! What becomes of the records that D1 did not take is `settle`'s business.

use std::ops::Range;

use crate::budget::Budget;
use crate::classify::Class;
use crate::ports::{Clock, Ports, Store, StoreError};
use crate::statement::inserts;
use crate::tally::Tally;
use crate::{prune, retry};

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in D1, now or from before.
    Committed,
    /// D1 will never take it, and says why.
    Rejected(String),
    /// D1 did not take it this time.
    Pending,
}

/// What became of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// In the order of the records.
    pub fates: Vec<Fate>,
    /// The error that left records pending.
    pub trouble: Option<StoreError>,
}

/// How many calls may fail while records are told apart for an error that the table in `classify` does not know: one bad
/// record among 100 messages of 10 takes about 20. If it is the database after all, that many calls are wasted.
const BLIND_SPLITS: u32 = 24;

/// How often room is made for one transaction. A full batch is 12.8 MB of text; each time frees several MB.
const ROOMS: u32 = 8;

/// How many rows go when D1 is full: as many as there are of these, so that a small database gives way as well.
const ROOM_ROWS: [u64; 3] = [10_000, 1_000, 100];

/// Writes `records`, each one wire array.
///
/// `suspicious` says that records among these have failed before: where an error may be one record's fault or a
/// call's size, calls are then made smaller.
pub async fn write(
    ports: &impl Ports,
    budget: &mut Budget,
    records: &[&str],
    suspicious: bool,
    tally: &mut Tally,
) -> Written {
    let mut fates = vec![Fate::Pending; records.len()];
    let mut trouble = None;
    let mut blind_splits = if suspicious { BLIND_SPLITS } else { 0 };
    let mut patient = true;
    let mut ranges = Vec::from([Range {
        start: 0,
        end: records.len(),
    }]);
    while let Some(range) = ranges.pop() {
        let Some(part) = records.get(range.clone()).filter(|part| !part.is_empty()) else {
            continue;
        };
        // (1) If the process dies in here, D1 has all of `part` or nothing of it, and the messages are not acked: they
        // come again, and what D1 has is passed over by its key.
        let Err(error) = transaction(ports, budget, part, patient, tally).await else {
            set(&mut fates, range, &Fate::Committed);
            continue;
        };
        tally.d1_error = Some(error.class);
        let split = match error.class {
            Class::Rejected => true,
            Class::Unknown | Class::TooMuchWork if blind_splits > 0 => {
                blind_splits -= 1;
                patient = false; // time did not heal the whole, so it will not heal the parts
                true
            }
            _ => false,
        };
        match (split, part.len()) {
            (true, 1) if error.class == Class::Rejected => {
                set(&mut fates, range, &Fate::Rejected(error.text));
            }
            // This one stays behind, its neighbours go on.
            (true, 1) => trouble = Some(error),
            (true, n) => {
                let middle = range.start + n / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
            // D1 is not well: whatever is left waits.
            (false, _) => {
                trouble = Some(error);
                break;
            }
        }
    }
    Written { fates, trouble }
}

fn set(fates: &mut [Fate], range: Range<usize>, fate: &Fate) {
    if let Some(fates) = fates.get_mut(range) {
        fates.fill(fate.clone());
    }
}

/// Writes `records` in one transaction, with retries if `patient`.
async fn transaction(
    ports: &impl Ports,
    budget: &mut Budget,
    records: &[&str],
    patient: bool,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let mut delays = retry::delays_ms();
    let mut rooms = 0;
    loop {
        let statements = inserts(records);
        if !budget.take(statements.len(), ports.clock()) {
            return Err(StoreError {
                class: Class::Transient,
                text: "the calls or the time of one invocation are used up".to_owned(),
            });
        }
        let start = ports.clock().now_ms();
        // (2) See (1). An error here may hide a commit; the next try then finds the rows and passes over them.
        let result = ports.store().batch(statements).await;
        tally.d1_calls += 1;
        tally.d1_ms += ports.clock().now_ms().saturating_sub(start);
        let error = match result {
            Ok(outcomes) => {
                let inserted = outcomes.iter().map(|o| o.changes).sum::<u64>();
                tally.rows_inserted += inserted;
                tally.duplicates += (records.len() as u64).saturating_sub(inserted);
                tally.rows_written += outcomes.iter().map(|o| o.rows_written).sum::<u64>();
                return Ok(());
            }
            Err(error) => error,
        };
        if error.class == Class::Full && rooms < ROOMS {
            rooms += 1;
            // (3) If the process dies in here, the oldest rows may be gone and nothing was written for them yet: the
            // messages come again, and find room.
            tally.oldest_dropped += make_room(ports).await?;
        } else if error.class.passes_quickly() && patient {
            let Some(delay) = delays.next() else {
                return Err(error);
            };
            // (4) If the process dies in here, nothing was committed since (2), and the messages come again.
            ports.clock().sleep_ms(delay).await;
        } else {
            return Err(error);
        }
        tally.retries += 1;
    }
}

/// Deletes the oldest rows; returns how many.
async fn make_room(ports: &impl Ports) -> Result<u64, StoreError> {
    // Later than every timestamp.
    const END_OF_TIME: &str = "~";
    for rows in ROOM_ROWS {
        // (5) Reads only.
        if let Some(end) = prune::nth_oldest(ports, END_OF_TIME, rows).await? {
            // (6) See (3).
            return Ok(prune::delete_before(ports, &end).await?.rows);
        }
    }
    Err(StoreError::new(
        "database or disk is full, and holds no logs to drop",
    ))
}
