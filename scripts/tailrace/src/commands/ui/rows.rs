//! Rows, newest first: a page at a time where an index leads to them, else slice by slice of time, each sent on as it
//! comes. Where SQL lets more rows through than are meant, the query is tried on each. What a list shows of a row is cut:
//! the whole of it is asked for when somebody opens it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::beginnings;
use super::desk::{Desk, Rank};
use super::question::Question;
use crate::record::{COLUMNS, Row, bare_text, read_rows};
use crate::slices::Slices;
use crate::sql::{self, Position, Statement};
use crate::{Error, raw, time};

/// Rows of one page of the list.
pub(super) const PAGE_ROWS: usize = 200;

/// Characters that a list asks for of each message and context.
const LIST_CHARS: usize = 2048;

/// Characters that a list shows of a message, and of what the line carried.
const MESSAGE_CHARS: usize = 400;
const CARRIED_CHARS: usize = 300;

/// A row of a list.
#[derive(Debug, Serialize)]
pub(super) struct ListRow {
    id: String,
    timestamp: String,
    worker: String,
    level: String,
    kind: String,
    message: String,
    /// The data of the line, `key=value`.
    carried: String,
    request_id: Option<String>,
    correlation_id: Option<String>,
}

impl From<Row> for ListRow {
    fn from(row: Row) -> Self {
        Self {
            kind: row.kind().to_owned(),
            carried: cut(&carried(&row), CARRIED_CHARS),
            message: cut(&row.message, MESSAGE_CHARS),
            id: row.log_id,
            timestamp: row.timestamp,
            worker: row.worker_name,
            level: row.log_level,
            request_id: row.request_id,
            correlation_id: row.correlation_id,
        }
    }
}

/// Returns what a line carried, or the status and duration of an invocation, in one line.
fn carried(row: &Row) -> String {
    let mut parts = Vec::new();
    if row.kind() == "invocation" {
        for (key, unit) in [("status", ""), ("latency_ms", " ms")] {
            if let Some(value) = raw::member(&row.context, key).filter(|one| one.get() != "null") {
                let text = format!("{}{unit}", bare_text(value));
                // Most messages say it already.
                if !row.message.contains(&text) {
                    parts.push(text);
                }
            }
        }
    }
    let data = raw::member(&row.context, "data").and_then(raw::members);
    for (key, value) in data.into_iter().flatten() {
        parts.push(format!("{key}={}", bare_text(value)));
    }
    parts.join(" ")
}

/// Returns `text` with at most `most` characters, the last of them `…` where it was longer.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Has a statement of whole rows give the beginnings of their long columns alone.
fn shortened(statement: Statement) -> Statement {
    let columns = ["message", "context_json"]
        .iter()
        .fold(COLUMNS.to_owned(), |columns, name| {
            columns.replace(name, &format!("substr({name}, 1, {LIST_CHARS})"))
        });
    Statement {
        sql: format!(
            "SELECT {columns} FROM ({}) ORDER BY timestamp DESC, log_id DESC",
            statement.sql
        ),
        params: statement.params,
    }
}

/// The place of `context_json` in [`COLUMNS`].
const CONTEXT_CELL: usize = 6;

/// Reads rows of a [`shortened`] statement.
fn read_shortened(mut rows: Vec<Vec<Value>>) -> Result<Vec<Row>, Error> {
    for cells in &mut rows {
        if let Some(Value::String(json)) = cells.get_mut(CONTEXT_CELL)
            && json.len() >= LIST_CHARS
        {
            *json = beginnings::complete(json);
        }
    }
    read_rows(rows)
}

/// A search for rows that is under way.
#[derive(Debug)]
pub(super) struct Search {
    question: Question,
    before: Option<Position>,
    left: usize,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Not asked yet.
    Start,
    /// Slice by slice.
    Slices(Slices),
    /// Everything has been said.
    End,
}

impl Search {
    /// Begins a search for the newest rows, or those before `before`.
    pub(super) fn new(question: Question, before: Option<Position>) -> Self {
        Self {
            question,
            before,
            left: PAGE_ROWS,
            way: Way::Start,
        }
    }

    /// Takes the next step; `None` after the last.
    pub(super) async fn step(&mut self, desk: &Desk) -> Option<Result<Value, Error>> {
        match std::mem::replace(&mut self.way, Way::End) {
            Way::End => None,
            Way::Start if self.question.query.reads_past_rows() => {
                Some(self.begin_slices(desk).await)
            }
            Way::Start => Some(self.read_page(desk).await),
            Way::Slices(slices) => Some(self.read_slice(desk, slices).await),
        }
    }

    /// Reads the only page.
    async fn read_page(&mut self, desk: &Desk) -> Result<Value, Error> {
        let from = time::stored_ms(self.question.from_ms);
        let to = self.question.to.clone();
        let page = self.ask(desk, &from, &to).await.0?;
        Ok(json!({"rows": page.rows, "more": page.is_full, "done": true}))
    }

    async fn begin_slices(&mut self, desk: &Desk) -> Result<Value, Error> {
        let end = match &self.before {
            // The row itself is left out by its position.
            Some(position) => time::millis(&position.timestamp)
                .map_or_else(|| self.question.to.clone(), |ms| time::stored_ms(ms + 1)),
            None => self.question.to.clone(),
        };
        let Some(oldest) = desk.oldest_ms(Rank::Rows).await? else {
            return Ok(json!({"rows": [], "more": false, "done": true}));
        };
        let first = self.question.from_ms.max(oldest);
        let slices = Slices::new(first, &end, self.question.now_ms);
        self.read_slice(desk, slices).await
    }

    async fn read_slice(&mut self, desk: &Desk, mut slices: Slices) -> Result<Value, Error> {
        let Some(slice) = slices.next_slice() else {
            return Ok(json!({"rows": [], "more": false, "done": true}));
        };
        let (page, took) = match self.ask(desk, &slice.from, &slice.to).await {
            (Ok(page), took) => (page, took),
            (Err(error), _) if error.is_too_slow() && slices.divide() => {
                self.way = Way::Slices(slices);
                return Ok(json!({"rows": []}));
            }
            (Err(error), _) => return Err(error),
        };
        // A full page of rows that are not all meant leaves more of them in the slice.
        if !page.is_full || page.rows.len() >= self.left {
            slices.advance(took);
        }
        self.left = self.left.saturating_sub(page.rows.len());
        let more = slices.next_slice().is_some();
        let done = self.left == 0 || !more;
        let answer = json!({
            "rows": page.rows, "reached_ms": slices.reached_ms(), "more": self.left == 0, "done": done,
        });
        if !done {
            self.way = Way::Slices(slices);
        }
        Ok(answer)
    }

    /// Asks for the newest rows of a part of the window that have not been read yet.
    async fn ask(&mut self, desk: &Desk, from: &str, to: &str) -> (Result<Page, Error>, Duration) {
        let query = &self.question.query;
        let wanted = self.left;
        let statement = sql::newest(query, from, to, self.before.as_ref(), wanted);
        let is_exact = query.is_exact();
        let statement = if is_exact {
            shortened(statement)
        } else {
            statement
        };
        let (answer, took) = desk
            .ask(Rank::Rows, move |database| async move {
                database.query(&statement).await
            })
            .await;
        let read = if is_exact { read_shortened } else { read_rows };
        let page = answer.and_then(read).map(|mut rows| {
            let is_full = rows.len() >= wanted;
            if let Some(last) = rows.last() {
                self.before = Some(last.position());
            }
            rows.retain(|row| is_exact || self.question.query.matches(row));
            Page {
                rows: rows.into_iter().map(ListRow::from).collect(),
                is_full,
            }
        });
        (page, took)
    }
}

/// The answer to one statement.
struct Page {
    rows: Vec<ListRow>,
    /// True if as many rows came as were asked for, so that there may be more.
    is_full: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_carried_keeps_its_order_and_digits() {
        let context = r#"{"kind":"log","data":{"z":12345678901234567890,"a":1.10,"t":"x y","o":{"q":1,"b": 2}}}"#;
        let line = format!(
            r#"{{"log_id":"i","worker_name":"w","request_id":null,"correlation_id":null,"log_level":"info","message":"m","context":{context},"timestamp":"2026","execution_time_ms":null}}"#
        );
        let row = Row::parse(line.as_bytes()).unwrap();
        let expected = r#"z=12345678901234567890 a=1.10 t=x y o={"q":1,"b":2}"#;
        assert_eq!(carried(&row), expected);
    }
}
