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
                *width = (*width).max(columns(&cell(row, name))).min(ID_COLUMNS);
            }
        }
    }

    /// Writes rows.
    ///
    /// # Errors
    /// [`Error::Io`] if that cannot be done.
    pub fn print_all(&mut self, rows: &[Row], out: &mut dyn Write) -> Result<(), Error> {
        self.measure(rows);
        rows.iter().try_for_each(|row| self.print(row, out))
    }

    /// Writes the line between two groups of records.
    ///
    /// # Errors
    /// [`Error::Io`] if that cannot be done.
    pub fn divide(&self, out: &mut dyn Write) -> Result<(), Error> {
        match self.style.format {
            RecordFormat::Text | RecordFormat::Logfmt => line(out, "--"),
            RecordFormat::Json | RecordFormat::Csv => Ok(()),
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// [`Error::Io`] if that cannot be done.
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
            .filter_map(|name| Some((name.clone(), field(row, name)?)))
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
        let cells = names.iter().map(|name| cell(row, name));
        writer.write_record(cells).map_err(failed)?;
        writer.flush().map_err(Error::io("standard output"))
    }

    /// Returns the chosen fields in columns; the last one takes the room that is left.
    fn chosen(&self, row: &Row) -> String {
        let mut text = String::new();
        let mut cells = self.style.fields.iter().zip(&self.chosen).peekable();
        while let Some((name, width)) = cells.next() {
            let value = field(row, name);
            let mut cell = value.map_or_else(|| "-".to_owned(), |value| bare(&value));
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

/// Returns a field as text; nothing where the record has none.
fn cell(row: &Row, name: &str) -> String {
    field(row, name).map_or_else(String::new, |value| bare(&value))
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
            map.serialize_entry(name, &field(self.row, name))?;
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
mod tests;
