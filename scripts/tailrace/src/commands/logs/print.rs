//! Records on the terminal, in a pipe, or for programs. Text, logfmt and CSV never carry a control character; JSON escapes
//! them.

use std::io::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::fields::{
    COLUMNS, USUAL, bare, carried, field, flatten_carried, invocation_facts, joined, stack_frames,
};
use crate::cli::RecordFormat;
use crate::commands::{json_line, line};
use crate::record::Row;
use crate::time::{self, Zone};
use crate::{Error, output};

/// From this many columns on a whole correlation id has its place in a line.
const WIDE: usize = 120;

/// Below this many columns the date and the correlation id make way for the message.
const NARROW: usize = 72;

/// Columns of a cut correlation id.
const CUT_ID: usize = 9;

/// The most columns that are kept free for a Worker's name, and for a correlation id.
const WORKER_COLUMNS: usize = 24;
const ID_COLUMNS: usize = 36;

/// Columns by which a message below its time, Worker and id is set in.
const BELOW: usize = 4;

/// The least room for a message beside the columns before it, and for what the line carried beside the message.
const LEAST_ROOM: usize = 20;
const LEAST_CARRIED: usize = 8;

/// Frames of a stack that are shown where lines are cut.
const FRAMES: usize = 4;

/// The form in which records are written.
#[derive(Clone, Debug)]
pub struct Style {
    /// The format.
    pub format: RecordFormat,
    /// The fields to write; empty is the usual ones.
    pub fields: Vec<String>,
    /// Writes messages, ids and stacks whole, over as many lines as they take.
    pub wrap: bool,
    /// The zone in which text shows times.
    pub zone: Zone,
    /// Columns of the terminal; `None` where nothing is cut.
    pub width: Option<usize>,
}

/// Writes rows.
#[derive(Debug)]
pub struct Printer {
    style: Style,
    /// Columns of the longest Worker's name and correlation id so far.
    worker: usize,
    id: usize,
    /// Columns of each chosen field so far.
    chosen: Vec<usize>,
    has_header: bool,
}

impl Printer {
    /// Returns a printer that has written nothing.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            chosen: vec![0; style.fields.len()],
            style,
            worker: 0,
            id: 0,
            has_header: false,
        }
    }

    /// Makes the columns wide enough for rows that are written next.
    pub fn measure(&mut self, rows: &[Row]) {
        for row in rows {
            let columns = |text: &str| output::columns(&output::safe(text));
            self.worker = self
                .worker
                .max(columns(&row.worker_name))
                .min(WORKER_COLUMNS);
            let id = row.correlation_id.as_deref().unwrap_or("-");
            self.id = self.id.max(columns(id)).min(ID_COLUMNS);
            for (name, width) in self.style.fields.iter().zip(&mut self.chosen) {
                *width = (*width)
                    .max(columns(&bare(&field(row, name))))
                    .min(ID_COLUMNS);
            }
        }
    }

    /// Writes rows.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn print_all(&mut self, rows: &[Row], out: &mut dyn Write) -> Result<(), Error> {
        self.measure(rows);
        rows.iter().try_for_each(|row| self.print(row, out))
    }

    /// Writes the line between two groups of records.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn divide(&self, out: &mut dyn Write) -> Result<(), Error> {
        match self.style.format {
            RecordFormat::Text | RecordFormat::Logfmt => line(out, "--"),
            RecordFormat::Json | RecordFormat::Csv => Ok(()),
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn print(&mut self, row: &Row, out: &mut dyn Write) -> Result<(), Error> {
        match self.style.format {
            RecordFormat::Json if self.style.fields.is_empty() => json_line(out, row),
            RecordFormat::Json => {
                let names = &self.style.fields;
                json_line(out, &Chosen { row, names })
            }
            RecordFormat::Logfmt => line(out, &self.logfmt(row)),
            RecordFormat::Csv => self.print_csv(row, out),
            RecordFormat::Text if !self.style.fields.is_empty() => line(out, &self.chosen(row)),
            RecordFormat::Text => self.print_text(row, out),
        }
    }

    fn logfmt(&self, row: &Row) -> String {
        let usual = USUAL.map(str::to_owned);
        let names = if self.style.fields.is_empty() {
            usual.as_slice()
        } else {
            &self.style.fields
        };
        let mut pairs: Vec<_> = names
            .iter()
            .map(|name| (name.clone(), field(row, name)))
            .filter(|(_, value)| !value.is_null())
            .collect();
        if self.style.fields.is_empty() {
            pairs.extend(flatten_carried(row));
        }
        joined(&pairs)
    }

    fn print_csv(&mut self, row: &Row, out: &mut dyn Write) -> Result<(), Error> {
        let usual: Vec<String> = USUAL
            .iter()
            .chain(&["context"])
            .map(|name| (*name).to_owned())
            .collect();
        let names = if self.style.fields.is_empty() {
            &usual
        } else {
            &self.style.fields
        };
        let mut writer = csv::WriterBuilder::new().from_writer(out);
        let failed = |error: csv::Error| Error::io("standard output")(error.into());
        if !std::mem::replace(&mut self.has_header, true) {
            let names = names.iter().map(|name| output::safe(name));
            writer.write_record(names).map_err(failed)?;
        }
        let cells = names.iter().map(|name| bare(&field(row, name)));
        writer.write_record(cells).map_err(failed)?;
        writer.flush().map_err(Error::io("standard output"))
    }

    /// Returns the chosen fields in columns; the last one takes the room that is left.
    fn chosen(&self, row: &Row) -> String {
        let mut text = String::new();
        let mut cells = self.style.fields.iter().zip(&self.chosen).peekable();
        while let Some((name, width)) = cells.next() {
            let value = field(row, name);
            let mut cell = if value.is_null() {
                "-".to_owned()
            } else {
                bare(&value)
            };
            if name == "timestamp" {
                cell = time::shown(&row.timestamp, &self.style.zone);
            }
            if cells.peek().is_some() {
                cell = output::pad(&cell, *width) + " ";
            }
            text.push_str(&cell);
        }
        match self.style.width {
            Some(width) if !self.style.wrap => output::cut(&text, width),
            _ => text,
        }
    }

    fn print_text(&mut self, row: &Row, out: &mut dyn Write) -> Result<(), Error> {
        self.measure(std::slice::from_ref(row));
        let (width, wrap) = (self.style.width, self.style.wrap);
        let parts = self.head(row);
        let used: usize = parts
            .iter()
            .map(|(_, text)| output::columns(text) + 1)
            .sum();
        let head: String = parts
            .iter()
            .map(|(style, text)| output::paint(*style, text) + " ")
            .collect();
        let message = output::safe(&row.message);
        let mut pairs = invocation_facts(row);
        pairs.extend(carried(row));
        let pairs = joined(&pairs);
        let faint = |text: &str| output::paint(output::FAINT, text);
        let frames = stack_frames(row);
        let Some(width) = width else {
            let space = if pairs.is_empty() { "" } else { " " };
            line(out, &format!("{head}{message}{space}{}", faint(&pairs)))?;
            return print_frames(&frames, usize::MAX, None, out);
        };
        let room = width.saturating_sub(used);
        if !wrap {
            let message = output::cut(&message, room.max(LEAST_ROOM));
            let left = room.saturating_sub(output::columns(&message) + 1);
            let pairs = if pairs.is_empty() || left < LEAST_CARRIED.min(output::columns(&pairs)) {
                String::new()
            } else {
                format!(" {}", faint(&output::cut(&pairs, left)))
            };
            line(out, &format!("{head}{message}{pairs}"))?;
            return print_frames(&frames, FRAMES, Some(width), out);
        }
        // Where there is little room beside it, the message goes below.
        let (indent, room) = if room < LEAST_ROOM {
            line(out, head.trim_end())?;
            (BELOW, width.saturating_sub(BELOW))
        } else {
            (used, room)
        };
        let mut lines = output::wrap(&message, room);
        let own = lines.len();
        if !pairs.is_empty() {
            lines.extend(output::wrap(&pairs, room));
        }
        for (index, part) in lines.iter().enumerate() {
            let part = if index < own {
                part.clone()
            } else {
                faint(part)
            };
            if index == 0 && indent == used {
                line(out, &format!("{head}{part}"))?;
            } else {
                line(out, &format!("{:indent$}{part}", ""))?;
            }
        }
        print_frames(&frames, usize::MAX, None, out)
    }

    /// Returns the columns before the message.
    fn head(&self, row: &Row) -> Vec<(anstyle::Style, String)> {
        let (width, wrap) = (self.style.width, self.style.wrap);
        let narrow = !wrap && width.is_some_and(|width| width < NARROW);
        let mut time = time::shown(&row.timestamp, &self.style.zone);
        if narrow && let Some((_, of_day)) = time.split_once(' ') {
            time = String::from(of_day);
        }
        let mut worker = output::safe(&row.worker_name);
        let mut id = output::safe(row.correlation_id.as_deref().unwrap_or("-"));
        let mut id_columns = self.id;
        if !wrap && let Some(width) = width {
            worker = output::cut(&worker, self.worker);
            if width < WIDE {
                id_columns = id_columns.min(CUT_ID);
            }
            id = output::cut(&id, id_columns);
        }
        let mut parts = vec![
            (output::FAINT, time),
            (
                output::level_style(&row.log_level),
                output::pad(&row.log_level, 5),
            ),
            (output::WORKER, output::pad(&worker, self.worker)),
        ];
        if !narrow {
            parts.push((output::FAINT, output::pad(&id, id_columns)));
        }
        parts
    }
}

/// Writes the first frames of a stack below its record, and how many there are beside.
fn print_frames(
    frames: &[String],
    most: usize,
    width: Option<usize>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let shown = frames.iter().take(most);
    let mut lines: Vec<String> = shown.map(|frame| output::safe(frame)).collect();
    let left = frames.len() - lines.len();
    if left > 0 {
        let frames = output::counted(left as u64, "frame", "frames");
        lines.push(format!("… {frames} more: --wrap shows all"));
    }
    for frame in lines {
        let frame = match width {
            Some(width) => output::cut(&frame, width.saturating_sub(BELOW).max(LEAST_ROOM)),
            None => frame,
        };
        let frame = output::paint(output::FAINT, &frame);
        line(out, &format!("{:BELOW$}{frame}", ""))?;
    }
    Ok(())
}

/// The chosen fields of a row, in their order.
struct Chosen<'a> {
    row: &'a Row,
    names: &'a [String],
}

impl Serialize for Chosen<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.names.len()))?;
        for name in self.names {
            if name == "context" {
                map.serialize_entry(name, &self.row.context)?;
            } else {
                map.serialize_entry(name, &field(self.row, name))?;
            }
        }
        map.end()
    }
}

/// Reads the names of fields.
///
/// # Errors
/// [`Error::Usage`] where a name is empty.
pub fn read_fields(names: &[String]) -> Result<Vec<String>, Error> {
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(Error::Usage(format!(
            "--fields: a name is empty; the names are {}, and members of the context such as data.order.id",
            COLUMNS.join(", ")
        )));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(message: &str, context: &Value) -> Row {
        let context = context.to_string();
        let cells = [
            "id",
            "queue-consumer",
            "run",
            "0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10",
            "info",
            message,
            &context,
            "2026-11-23T00:00:00.000Z",
        ];
        let cells = cells.map(Value::from).into_iter();
        Row::read(cells.chain([Value::Null]).collect()).unwrap()
    }

    fn printed(style: Style, rows: &[Row]) -> String {
        let mut out = Vec::new();
        Printer::new(style).print_all(rows, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    fn style(format: RecordFormat, width: Option<usize>, wrap: bool) -> Style {
        Style {
            format,
            fields: Vec::new(),
            wrap,
            zone: Zone::Utc,
            width,
        }
    }

    fn text(width: usize, wrap: bool, row: Row) -> String {
        printed(style(RecordFormat::Text, Some(width), wrap), &[row])
    }

    fn long() -> Row {
        row(&format!("{}end", "some words ".repeat(20)), &json!({}))
    }

    #[test]
    fn a_line_fits_the_terminal_and_shows_what_there_is_room_for() {
        for (width, date, id) in [
            (60, false, ""),
            (80, true, "0b0f2a1c…"),
            (120, true, "0d6f1b8f9a10"),
        ] {
            let text = text(width, false, long());
            assert_eq!(text.lines().count(), 1);
            assert!(output::columns(text.trim_end()) <= width, "{text}");
            assert_eq!(text.contains("2026-11-23"), date, "{text}");
            assert!(text.contains(id) && text.contains("some"), "{text}");
        }
    }

    #[test]
    fn a_wrapped_line_is_whole() {
        for width in [60, 80, 120] {
            let text = text(width, true, long());
            assert!(text.contains(
                "2026-11-23 00:00:00.000Z info  queue-consumer 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10"
            ));
            assert_eq!(text.matches("words").count(), 20);
            assert!(text.trim_end().ends_with("end"));
        }
    }

    #[test]
    fn what_the_line_carried_stands_behind_its_message() {
        let placed = || {
            row(
                "order placed",
                &json!({"kind": "log", "method": "POST", "args": ["order placed", {"a": 1}],
                    "data": {"order": {"id": 42}, "note": "two words", "none": null, "tags": [1, 2]}}),
            )
        };
        let all =
            "order placed none=null note=\"two words\" order.id=42 tags=[1,2] args=[{\"a\":1}]";
        let whole = printed(style(RecordFormat::Text, None, false), &[placed()]);
        assert!(whole.ends_with(&format!("{all}\n")), "{whole}");
        let cut = text(90, false, placed());
        assert_eq!(output::columns(cut.trim_end()), 90, "{cut}");
        assert!(
            cut.contains("order placed none=null note") && cut.ends_with("…\n"),
            "{cut}"
        );
        let wrapped = text(80, true, placed());
        assert!(
            wrapped.contains("order.id=42") && wrapped.contains("args"),
            "{wrapped}"
        );
    }

    #[test]
    fn an_invocation_shows_what_its_message_does_not() {
        for (message, facts, expected) in [
            (
                "GET / 503 (12 ms)",
                json!({"status": 503, "latency_ms": 12.2, "outcome": "ok"}),
                "",
            ),
            (
                "queue events: 7 messages exceededCpu",
                json!({"latency_ms": 40.26, "outcome": "exceededCpu"}),
                " ms=40.3",
            ),
            (
                "alarm",
                json!({"latency_ms": 3, "outcome": "canceled"}),
                " ms=3 outcome=canceled",
            ),
        ] {
            let mut context = facts.clone();
            context["kind"] = json!("invocation");
            let shown = printed(
                style(RecordFormat::Text, None, false),
                &[row(message, &context)],
            );
            assert!(
                shown.ends_with(&format!("{message}{expected}\n")),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_stack_stands_below_its_exception() {
        let frames: Vec<_> = (1..=6)
            .map(|n| format!("    at f{n} (a.js:{n}:1)"))
            .collect();
        let stack = format!("Error: lost\n{}", frames.join("\n"));
        let thrown = || row("Error: lost", &json!({"kind": "exception", "stack": stack}));
        let cut = text(80, false, thrown());
        let expected = "    at f4 (a.js:4:1)\n    … 2 frames more: --wrap shows all\n";
        assert!(cut.ends_with(expected), "{cut}");
        for whole in [
            text(80, true, thrown()),
            printed(style(RecordFormat::Text, None, false), &[thrown()]),
        ] {
            assert!(whole.ends_with("    at f6 (a.js:6:1)\n"), "{whole}");
        }
    }

    #[test]
    fn logfmt_and_csv_are_one_line_each_without_control_characters() {
        let row = row(
            "a \"b\"\n\u{1b}[2J\u{9b}",
            &json!({"kind": "log", "data": {"x y": "1,\u{7f}2"}}),
        );
        let logfmt = printed(
            style(RecordFormat::Logfmt, None, false),
            std::slice::from_ref(&row),
        );
        assert_eq!(
            logfmt,
            "timestamp=2026-11-23T00:00:00.000Z log_level=info worker_name=queue-consumer \
             correlation_id=0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10 request_id=run \
             message=\"a \\\"b\\\"⏎{1b}[2J{9b}\" data.x_y=\"1,{7f}2\"\n"
        );
        let mut csv = style(RecordFormat::Csv, None, false);
        csv.fields = ["message", "data.x y", "context.kind", "nothing"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            printed(csv, &[row.clone(), row]),
            "message,data.x y,context.kind,nothing\n".to_owned()
                + &"\"a \"\"b\"\"⏎{1b}[2J{9b}\",\"1,{7f}2\",log,\n".repeat(2)
        );
    }

    #[test]
    fn chosen_fields_keep_their_order_and_names() {
        let row = row(
            "m",
            &json!({"kind": "log", "data": {"order": {"id": 42}, "a.b": 1}}),
        );
        let names = ["data.order.id", "order.id", "a.b", "message", "lost"].map(str::to_owned);
        let mut json = style(RecordFormat::Json, None, false);
        json.fields = names.to_vec();
        assert_eq!(
            printed(json, std::slice::from_ref(&row)),
            "{\"data.order.id\":42,\"order.id\":42,\"a.b\":1,\"message\":\"m\",\"lost\":null}\n"
        );
        let mut text = style(RecordFormat::Text, None, false);
        text.fields = names.to_vec();
        assert_eq!(printed(text, &[row]), "42 42 1 m -\n");
    }

    #[test]
    fn the_columns_of_records_are_aligned() {
        let mut short = row("m", &json!({}));
        short.worker_name = "api".to_owned();
        short.correlation_id = None;
        let shown = printed(
            style(RecordFormat::Text, Some(100), false),
            &[row("m", &json!({})), short],
        );
        let at = |line: &str| line.find(" m").unwrap();
        let lines: Vec<_> = shown.lines().collect();
        // The ellipsis is one column in three bytes.
        assert_eq!(at(lines[0]) - 2, at(lines[1]), "{shown}");
    }
}
