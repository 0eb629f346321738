//! `tailrace normalize FILE…`: what tail-ingest would store for trace events, by its own code; nothing is sent. Each
//! event is shown as it arrives, and one that cannot be read costs only itself.
//!
//! - `input`: bytes of a file or of standard input, unpacked;
//! - `splitter`, `grammar`: JSON text into single values;
//! - `event`, `logpush`, `wrangler`: what a value or a line is;
//! - `settings`: the settings to try;
//! - `ingest`: tail-ingest's own code;
//! - `summary`: what became of the input.

mod event;
mod grammar;
mod ingest;
mod input;
mod logpush;
pub(crate) mod settings;
mod splitter;
mod summary;
mod wrangler;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use log_record::LogRecord;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::cli::Normalize;
use crate::interrupts::Interrupts;
use crate::{Error, output};
use event::Kind;
use input::{Arrival, Input};
use settings::Applied;
use splitter::{Piece, Position, Splitter};
use summary::Summary;
use wrangler::Line;

/// The time that standard input is still read after Ctrl-C, which also goes to whoever writes it.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines of others that are shown, per input; the rest are counted.
const LINES_SHOWN: u64 = 5;
/// Columns of such a line that are shown.
const LINE_COLUMNS: usize = 60;

/// Runs the command; `environment` is the one that is chosen in the configuration.
///
/// # Errors
/// [`Error::Usage`] where the settings cannot be read; [`Error::Io`] where standard output cannot be written.
pub async fn run(
    args: &Normalize,
    environment: Option<&str>,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let applied = settings::read(&args.set, args.config.as_deref(), environment)?;
    let mut run = Run {
        applied,
        is_pretty: args.pretty,
        summary: Summary::default(),
        last_hint: None,
        out,
    };
    let stop = Arc::new(Notify::new());
    if let Ok(mut interrupts) = Interrupts::listen() {
        let watched = Arc::clone(&stop);
        tokio::spawn(async move {
            while interrupts.next().await {
                watched.notify_one();
            }
        });
    }
    for path in &args.files {
        match Input::open(path) {
            Ok(input) => run.read_input(input, &stop).await?,
            Err(error) => {
                run.summary.unusable += 1;
                let hint = "check its path and permissions; - is standard input";
                complain(&format!("{}: {error}", path.display()), Some(hint));
            }
        }
        if run.summary.was_stopped {
            break;
        }
    }
    for line in run.summary.lines(&run.applied) {
        output::note(&line);
    }
    Ok(run.summary.exit_code())
}

/// One run over all inputs.
struct Run<'o> {
    applied: Applied,
    is_pretty: bool,
    summary: Summary,
    /// The advice that was given last.
    last_hint: Option<&'static str>,
    out: &'o mut dyn Write,
}

/// One input, and how far it is read.
struct Reading {
    name: String,
    splitter: Splitter,
    /// Objects found.
    objects: u64,
    /// Lines of others found.
    lines: u64,
}

impl Run<'_> {
    /// Reads an input to its end. After Ctrl-C a file is left at once, standard input is read for a little longer: what
    /// has arrived is shown.
    async fn read_input(&mut self, mut input: Input, stop: &Notify) -> Result<(), Error> {
        let mut reading = Reading {
            name: input.name.clone(),
            splitter: Splitter::new(),
            objects: 0,
            lines: 0,
        };
        let mut deadline = None;
        let mut is_whole = false;
        loop {
            let arrival = tokio::select! {
                biased;
                () = stop.notified() => {
                    if deadline.is_some() || !input.is_stdin {
                        self.summary.was_stopped = true;
                        break;
                    }
                    deadline = Some(Instant::now() + LAST_WORDS);
                    output::note("stopping: what has arrived is shown (Ctrl-C again to stop at once)");
                    continue;
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.summary.was_stopped = true;
                    break;
                }
                arrival = input.next() => arrival,
            };
            match arrival {
                Some(Arrival::Bytes(bytes)) => {
                    reading.splitter.feed(&bytes);
                    self.take_pieces(&mut reading)?;
                }
                Some(Arrival::Fault { reason, hint }) => {
                    self.summary.unusable += 1;
                    complain(&format!("{}: {reason}", reading.name), Some(hint));
                    break;
                }
                None => {
                    is_whole = true;
                    break;
                }
            }
        }
        reading.splitter.end();
        self.take_pieces(&mut reading)?;
        if is_whole && reading.objects + reading.lines == 0 {
            output::note(&format!("warning: {}: no trace events in it", reading.name));
        }
        Ok(())
    }

    /// Shows what is complete.
    fn take_pieces(&mut self, reading: &mut Reading) -> Result<(), Error> {
        while let Some((position, piece)) = reading.splitter.next() {
            match piece {
                Piece::Object(text) => {
                    reading.objects += 1;
                    self.take_object(reading, position, &text)?;
                }
                Piece::Other(text) => self.take_line(reading, position, &text),
                Piece::Broken(reason) => {
                    reading.objects += 1;
                    self.summary.broken += 1;
                    complain(&broken(&reading.place(position), &reason), None);
                }
            }
        }
        Ok(())
    }

    fn take_object(
        &mut self,
        reading: &Reading,
        position: Position,
        text: &[u8],
    ) -> Result<(), Error> {
        let place = reading.place(position);
        let event = match event::classify(text) {
            Ok(Kind::Trace) => Ok(None),
            Ok(Kind::Logpush) => logpush::to_trace_event(text).map(Some),
            Ok(Kind::TailNotice(message)) => {
                output::note(&format!("warning: {place}: the live tail says: {message}"));
                return Ok(());
            }
            Ok(Kind::Other { what, hint }) => {
                self.summary.refused += 1;
                // Said once: it is the same for all of a kind.
                let is_new = self.last_hint.replace(hint) != Some(hint);
                complain(&format!("{place}: this is {what}"), is_new.then_some(hint));
                return Ok(());
            }
            Err(error) => Err(error),
        };
        let records = match event {
            Ok(event) => ingest::records(event.as_deref().unwrap_or(text), &self.applied.settings),
            Err(error) => Err(json_fault(&error, position)),
        };
        match records {
            Ok((records, counts)) => {
                self.summary.add(&counts);
                self.show(&records)
            }
            Err(reason) => {
                self.summary.broken += 1;
                complain(&broken(&place, &reason), None);
                Ok(())
            }
        }
    }

    fn show(&mut self, records: &[LogRecord]) -> Result<(), Error> {
        for record in records {
            if self.is_pretty {
                serde_json::to_writer_pretty(&mut *self.out, record)
                    .map_err(|error| Error::io("standard output")(error.into()))?;
                super::line(self.out, "")?;
            } else {
                super::json_line(self.out, record)?;
            }
        }
        self.out.flush().map_err(Error::io("standard output"))
    }

    /// Takes what is not an object: a line between the events, or an element that cannot be one.
    fn take_line(&mut self, reading: &mut Reading, position: Position, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
            self.summary.refused += 1;
            let shown = output::cut(&output::safe(&text), LINE_COLUMNS);
            complain(
                &format!("{}: {shown} is not a trace event", reading.place(position)),
                None,
            );
            return;
        }
        match wrangler::line_kind(&text) {
            Line::Banner => self.summary.wrangler_lines += 1,
            Line::Trouble => {
                self.summary.wrangler_lines += 1;
                output::note(&format!("warning: wrangler says: {}", text.trim()));
            }
            Line::Unknown => {
                self.summary.other_lines += 1;
                reading.lines += 1;
                if reading.lines <= LINES_SHOWN {
                    let shown = output::cut(&output::safe(text.trim()), LINE_COLUMNS);
                    output::note(&format!(
                        "{}, line {} is skipped, since it is not JSON: {shown}",
                        reading.name, position.line
                    ));
                }
            }
        }
    }
}

impl Reading {
    /// Returns the name of a place in the input.
    fn place(&self, position: Position) -> String {
        let Position { line, byte } = position;
        let object = self.objects;
        if object == 0 {
            format!("{}, line {line} (byte {byte})", self.name)
        } else {
            format!("{}, line {line} (byte {byte}, event {object})", self.name)
        }
    }
}

/// Returns what to say of an event that cannot be read.
fn broken(place: &str, reason: &str) -> String {
    format!("{place}: this event cannot be read: {reason}")
}

/// Returns what a parser says of a value that begins at `begin`, with the line in the input.
fn json_fault(error: &serde_json::Error, begin: Position) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let line = begin.line + (error.line() as u64).saturating_sub(1);
    format!("{reason} (line {line})")
}

/// Says what is wrong with the input, and what to do about it.
fn complain(text: &str, hint: Option<&str>) {
    output::note(&format!("error: {text}"));
    if let Some(hint) = hint {
        output::note(&format!("hint: {hint}"));
    }
}
