//! An answer as a table for a terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement};
use serde_json::Value;

use crate::client::d1::Table;
use crate::output;

/// Columns of a cell, at most.
const CELL_COLUMNS: usize = 400;

/// Columns of the terminal that a column of a table needs on average; with fewer, nobody can read it.
const LEAST_COLUMNS: usize = 10;

/// Returns the table line by line, and whether a cell was cut. Where it is too wide, each row is a list.
pub(super) fn render(answer: &Table, width: Option<usize>) -> (Vec<String>, bool) {
    let least = answer.columns.len() * LEAST_COLUMNS;
    if let Some(width) = width.filter(|width| *width < least) {
        return list_cells(answer, width);
    }
    let mut is_cut = false;
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING).set_header(
        answer
            .columns
            .iter()
            .map(|name| output::safe(name).to_uppercase()),
    );
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for row in &answer.rows {
        let cells = row.iter().map(|value| {
            let whole = show_value(value);
            let text = match width {
                Some(_) => output::cut(&whole, CELL_COLUMNS),
                None => whole.clone(),
            };
            is_cut |= text != whole;
            let cell = Cell::new(text);
            if value.is_number() {
                cell.set_alignment(CellAlignment::Right)
            } else {
                cell
            }
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    (lines.collect(), is_cut)
}

/// Returns each row as lines of a column's name and a cell, and whether a cell was cut.
fn list_cells(answer: &Table, width: usize) -> (Vec<String>, bool) {
    let names = answer
        .columns
        .iter()
        .map(|name| output::safe(name).to_uppercase());
    let names: Vec<_> = names.collect();
    let indent = names
        .iter()
        .map(|name| output::columns(name))
        .max()
        .unwrap_or(0)
        + 2;
    let (mut lines, mut is_cut) = (Vec::new(), false);
    for (index, row) in answer.rows.iter().enumerate() {
        if index > 0 {
            lines.push(String::new());
        }
        for (name, value) in names.iter().zip(row) {
            let whole = show_value(value);
            let text = output::cut(&whole, CELL_COLUMNS);
            is_cut |= text != whole;
            let mut name = name.as_str();
            for part in output::wrap(&text, width.saturating_sub(indent)) {
                lines.push(output::pad(name, indent) + &part);
                name = "";
            }
        }
    }
    (lines, is_cut)
}

/// Shows a value; NULL is a hyphen.
fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => output::safe(text),
        other => output::safe(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_fits_the_terminal_and_drives_nothing() {
        let answer = Table {
            columns: vec!["worker_name".to_owned(), "count".to_owned()],
            rows: vec![
                vec![json!("a\u{1b}[31m"), json!(12)],
                vec![json!("word ".repeat(200)), json!(null)],
            ],
        };
        let (lines, is_cut) = render(&answer, Some(60));
        assert!(is_cut);
        assert!(
            lines.iter().all(|line| output::columns(line) <= 60),
            "{lines:?}"
        );
        let text = lines.join("\n");
        assert!(
            text.contains("WORKER_NAME") && text.contains("a{1b}[31m"),
            "{text}"
        );
        let (lines, is_cut) = render(&answer, None);
        assert_eq!((lines.len(), is_cut), (3, false));
    }

    #[test]
    fn rows_of_many_columns_are_lists_where_there_is_no_room() {
        let answer = Table {
            columns: vec!["a".to_owned(), "long_name".to_owned(), "c".to_owned()],
            rows: vec![
                vec![json!(1), json!("word ".repeat(8)), json!(null)],
                vec![json!(2), json!("two"), json!("three")],
            ],
        };
        let (lines, is_cut) = render(&answer, Some(29));
        let expected = "A          1\nLONG_NAME  word word word\n           word word word\n           word word\nC          -\n\n\
            A          2\nLONG_NAME  two\nC          three";
        assert_eq!((lines.join("\n").as_str(), is_cut), (expected, false));
        let (lines, _) = render(&answer, Some(30));
        assert!(lines.iter().all(|line| output::columns(line) <= 30));
        assert_ne!(lines.first().map(String::as_str), Some("A          1"));
    }
}
