//! Ten million rows, spread evenly over seven days: the operator's tool and its page, as quick as they are where a
//! database is full. Nothing here is part of a run of everything: the database takes minutes to make and gigabytes to
//! keep.

mod inserts;
pub mod page;
mod running;
mod store;
pub mod tool;
mod traffic;

use anyhow::{Result, ensure};
use checkout::Workspace;
use harness::{Database, System, build_tool};

use crate::number::number;
use crate::plan::Plan;
use crate::report::Report;
use crate::rows::timestamp;

/// A text that no row holds.
const NOWHERE: &str = "nobody ever logged this";

/// The database, and the runtime that answers for it.
struct Week {
    system: System,
    database: Database,
    rows: u64,
    /// The time behind the last row, in milliseconds since 1970.
    end_ms: u64,
}

impl Week {
    fn open(workspace: &Workspace, rows: u64) -> Result<Self> {
        let system = store::start(workspace, rows)?;
        let database = system.database()?;
        // What a run that was interrupted has left.
        inserts::remove(&database)?;
        let end_ms = store::end_ms(&database)?;
        Ok(Self {
            system,
            database,
            rows,
            end_ms,
        })
    }

    /// Names the rows in a title.
    fn label(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rows = number(self.rows as f64);
        format!("{rows} rows of a week")
    }

    /// Returns the correlation ids of `count` requests, evenly over the week.
    fn correlation_ids(&self, count: usize) -> Result<Vec<String>> {
        let mut statement = self.database.connection().prepare(
            "SELECT correlation_id FROM tail_logs WHERE timestamp >= ?1 ORDER BY timestamp, log_id LIMIT 1",
        )?;
        let step = store::SPAN_MS / (count as u64 + 1);
        let ids = (1..=count as u64)
            .map(|index| {
                let at = timestamp(self.end_ms - step * index);
                statement.query_row([at], |row| row.get(0))
            })
            .collect::<rusqlite::Result<Vec<String>>>()?;
        ensure!(ids.len() == count, "the week has too few requests");
        Ok(ids)
    }
}

/// Measures the tool.
///
/// # Errors
/// Fails if the database cannot be made, or a command fails.
pub fn measure_tool(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let tool = build_tool(workspace)?;
    let week = Week::open(workspace, plan.week_rows)?;
    tool::measure(&tool, &week, plan, report)
}

/// Measures its page.
///
/// # Errors
/// Fails if the database cannot be made, the page fails, or there is no browser.
pub fn measure_page(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let tool = build_tool(workspace)?;
    let week = Week::open(workspace, plan.week_rows)?;
    page::measure(workspace, &tool, &week, plan, report)
}
