//! `tailrace status`: whether the pipeline is well.
//!
//! [`look`] asks for what there is, part by part and all at once; `judge` holds it against limits and against what was
//! deployed (`expected`); [`report`] is the answer, which `print` shows.

mod expected;
mod judge;
pub mod look;
pub(crate) mod print;
pub mod report;

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::cli::{PartName, Status};
use crate::client::Client;
use crate::place::Place;
use crate::{Error, error, output};

use judge::Limits;
use report::{Report, State};

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them; where the account cannot be reached the exit code says that nothing was seen.
pub async fn run(args: &Status, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let client = match super::connect(place).await {
        Ok(client) => client,
        Err(error @ (Error::Usage(_) | Error::Settings { .. })) => return Err(error),
        Err(error) => {
            output::say_line(&super::report(&error));
            return Ok(ExitCode::from(error::UNSEEN));
        }
    };
    let limits = args.limits.or(&place.limits);
    let parts = if args.only.is_empty() {
        &PartName::ALL[..]
    } else {
        &args.only
    };
    let report = check(&client, place, parts, &limits).await;
    if args.format.is_json(place.output) {
        super::json_line(out, &report)?;
    } else {
        for text in print::render(&report, &args.zone.zone(), output::width()) {
            super::line(out, &text)?;
        }
    }
    Ok(ExitCode::from(match report.state {
        State::Red => error::FAILED,
        State::Unknown => error::UNSEEN,
        State::Ok | State::Off | State::NotVisibleLocally => error::DONE,
    }))
}

/// Looks at `parts` of the installation, and judges them.
pub async fn check(
    client: &Client,
    place: &Place,
    parts: &[PartName],
    limits: &crate::cli::StatusLimits,
) -> Report {
    let seen = look::look(client, place, parts).await;
    let now = Timestamp::now();
    let retention = limits
        .retention
        .map(crate::time::Age::seconds)
        .or(seen.retention_seconds);
    let limits = Limits::new(limits, retention);
    let expected = expected::Expected::of(place);
    let parts = seen
        .parts
        .into_iter()
        .map(|(name, seen)| judge::judge(name, seen, &limits, &expected, now))
        .collect();
    Report::new(client, place, now, parts)
}
