//! A record on the terminal, in a pipe, or as JSON.

use std::io::Write;

use crate::commands::{json_line, line};
use crate::record::Row;
use crate::time::{self, Zone};
use crate::{Error, output};

/// Writes rows.
pub struct Printer {
    /// Writes JSON, whole.
    pub json: bool,
    /// Writes messages and ids whole, over as many lines as they take.
    pub wrap: bool,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// Columns of the terminal; `None` where nothing is cut.
    pub width: Option<usize>,
}

/// From this many columns on a whole correlation id has its place in a line.
const WIDE: usize = 120;

/// Below this many columns the date and the correlation id make way for the message.
const NARROW: usize = 72;

/// Columns by which a message below its time, Worker and id is set in.
const BELOW: usize = 4;

/// The least room for a message beside what stands before it.
const LEAST_ROOM: usize = 20;

impl Printer {
    /// Writes a row.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn print(&self, row: &Row, out: &mut dyn Write) -> Result<(), Error> {
        if self.json {
            return json_line(out, row);
        }
        let narrow = !self.wrap && self.width.is_some_and(|width| width < NARROW);
        let mut time = time::shown(&row.timestamp, &self.zone);
        if narrow && let Some((_, of_day)) = time.split_once(' ') {
            time = String::from(of_day);
        }
        let mut correlation = output::safe(row.correlation_id.as_deref().unwrap_or("-"));
        if !self.wrap && self.width.is_some_and(|width| width < WIDE) {
            correlation = output::cut(&correlation, 9);
        }
        let level = output::pad(&row.log_level, 5);
        let mut parts = vec![
            (output::FAINT, time),
            (output::level_style(&row.log_level), level),
            (output::WORKER, output::safe(&row.worker_name)),
        ];
        if !narrow {
            parts.push((output::FAINT, correlation));
        }
        let used: usize = parts
            .iter()
            .map(|(_, text)| output::columns(text) + 1)
            .sum();
        let head: String = parts
            .iter()
            .map(|(style, text)| output::paint(*style, text) + " ")
            .collect();
        let message = output::safe(&row.message);
        let Some(width) = self.width else {
            return line(out, &format!("{head}{message}"));
        };
        let room = width.saturating_sub(used);
        if !self.wrap {
            let message = output::cut(&message, room.max(LEAST_ROOM));
            return line(out, &format!("{head}{message}"));
        }
        // Where there is little room beside it, the message goes below.
        let (indent, room) = if room < LEAST_ROOM {
            line(out, head.trim_end())?;
            (BELOW, width.saturating_sub(BELOW))
        } else {
            (used, room)
        };
        for (index, part) in output::wrap(&message, room).iter().enumerate() {
            if index == 0 && indent == used {
                line(out, &format!("{head}{part}"))?;
            } else {
                line(out, &format!("{:indent$}{part}", ""))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(width: usize, wrap: bool) -> String {
        let printer = Printer {
            json: false,
            wrap,
            zone: Zone::Utc,
            width: Some(width),
        };
        let message = format!("{}end", "some words ".repeat(20));
        let cells = [
            "id",
            "queue-consumer",
            "run",
            "0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10",
            "info",
            &message,
            "{}",
            "2026-11-23T00:00:00.000Z",
        ];
        let cells = cells.map(serde_json::Value::from).into_iter();
        let row = Row::read(cells.chain([serde_json::Value::Null]).collect()).unwrap();
        let mut out = Vec::new();
        printer.print(&row, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_line_fits_the_terminal_and_shows_what_there_is_room_for() {
        for (width, date, id) in [
            (60, false, ""),
            (80, true, "0b0f2a1c…"),
            (120, true, "0d6f1b8f9a10"),
        ] {
            let text = printed(width, false);
            assert_eq!(text.lines().count(), 1);
            assert!(output::columns(text.trim_end()) <= width, "{text}");
            assert_eq!(text.contains("2026-11-23"), date, "{text}");
            assert!(text.contains(id) && text.contains("some"), "{text}");
        }
    }

    #[test]
    fn a_wrapped_line_is_whole() {
        for width in [60, 80, 120] {
            let text = printed(width, true);
            assert!(text.contains(
                "2026-11-23 00:00:00.000Z info  queue-consumer 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10"
            ));
            assert_eq!(text.matches("words").count(), 20);
            assert!(text.trim_end().ends_with("end"));
        }
    }
}
