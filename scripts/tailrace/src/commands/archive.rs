//! `tailrace archive`: what log-writer keeps in R2. `ls` lists objects, `get` writes their records; `catalog` finds them.

mod catalog;
mod get;
mod ls;

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::Error;
use crate::cli::{Archive, ArchiveCommand, WindowArgs};
use crate::place::Place;
use crate::time::{self, Edge, Zone};

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Archive, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match &args.command {
        ArchiveCommand::Ls(args) => ls::run(args, place, out).await,
        ArchiveCommand::Get(args) => get::run(args, place, out).await,
    }
}

/// The times `[from, to)` that are meant, in the stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    from: Option<String>,
    to: Option<String>,
}

impl Window {
    fn read(args: &WindowArgs, zone: &Zone) -> Result<Self, Error> {
        let now = Timestamp::now();
        let when = |option, text: &Option<String>, edge| -> Result<Option<String>, Error> {
            let time = text
                .as_deref()
                .map(|text| time::parse(option, text, now, zone, edge));
            Ok(time.transpose()?.map(time::stored))
        };
        let window = Self {
            from: when("--since", &args.since, Edge::Start)?,
            to: when("--until", &args.until, Edge::End)?,
        };
        if let (Some(from), Some(to)) = (&window.from, &window.to)
            && from >= to
        {
            let (from, to) = (time::shown(from, zone), time::shown(to, zone));
            return Err(Error::Usage(format!(
                "--since ({from}) is not before --until ({to})"
            )));
        }
        Ok(window)
    }

    /// Returns whether a time is within.
    fn holds(&self, timestamp: &str) -> bool {
        let is_begun = self.from.as_deref().is_none_or(|from| from <= timestamp);
        is_begun && self.to.as_deref().is_none_or(|to| timestamp < to)
    }
}

/// Returns bytes for a person: `512 B`, `3.4 MB`.
fn show_bytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}
