//! One file per command. Each connects, asks, and writes what it found to standard output; what is said beside that goes
//! to standard error.

pub mod archive;
mod cells;
pub mod completions;
pub mod logs;
pub mod mcp;
pub mod normalize;
pub mod replay;
pub mod sql;
pub mod stats;
pub mod status;
pub mod trace;
pub mod ui;

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::archive::Window;
use crate::cache::Account;
use crate::cli::{Cli, Color, Command};
use crate::client::Client;
use crate::client::d1::Database;
use crate::credentials::variable;
use crate::place::Place;
use crate::retry::Policy;
use crate::time::{self, Edge, Zone};
use crate::{Error, output};

/// Runs the command line.
///
/// # Errors
/// Whatever stopped the command; the exit code is the error's.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let choice = match cli.global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let mut out = output::stdout();
    // Whoever reads records has seen enough: `tailrace logs | head`. The exit codes of `replay` and `status` say more.
    let may_break = !matches!(cli.command, Command::Replay(_) | Command::Status(_));
    let names = match &cli.command {
        Command::Replay(args) => Some(&args.names),
        Command::Status(args) => Some(&args.names),
        Command::Mcp(args) => Some(&args.names),
        _ => None,
    };
    let result = match &cli.command {
        // These ask nobody.
        Command::Normalize(args) => {
            let env = cli.global.env.clone().or_else(|| variable("TAILRACE_ENV"));
            normalize::run(args, env.as_deref(), &mut out).await
        }
        Command::Completions { shell } => completions::run(*shell, &mut out),
        command => {
            let place = Place::find(&cli.global, names, variable)?;
            match command {
                Command::Logs(args) => logs::run(args, &place, &mut out).await,
                Command::Trace(args) => trace::run(args, &place, &mut out).await,
                Command::Stats(args) => stats::run(args, &place, &mut out).await,
                Command::Ui(args) => ui::run(args, &cli.global, &place, &mut out).await,
                Command::Mcp(_) => mcp::run(&place).await,
                Command::Sql(args) => sql::run(args, &place, &mut out).await,
                Command::Status(args) => status::run(args, &place, &mut out).await,
                Command::Replay(args) => replay::run(args, &place, &mut out).await,
                Command::Archive(args) => archive::run(args, &place, &mut out).await,
                Command::Normalize(_) | Command::Completions { .. } => Ok(ExitCode::SUCCESS),
            }
        }
    };
    let is_broken = |source: &std::io::Error| source.kind() == std::io::ErrorKind::BrokenPipe;
    match (result, out.flush()) {
        (Err(Error::Io { source, .. }), _) if may_break && is_broken(&source) => {
            Ok(ExitCode::SUCCESS)
        }
        (Ok(code), Err(source)) if is_broken(&source) => Ok(code),
        (Ok(_), Err(source)) => Err(Error::io("standard output")(source)),
        (result, _) => result,
    }
}

/// Returns what went wrong and the next step, as printed.
#[must_use]
pub fn report(error: &Error) -> String {
    let what = output::safe(&error.to_string());
    format!("error: {what}\nhint: {}", output::safe(&error.next_step()))
}

/// Connects to the installation, and names it on a terminal.
async fn connect(place: &Place) -> Result<Client, Error> {
    let client = if let Some(port) = place.local {
        Client::local(port, Policy::default())?
    } else {
        let account = place.account.as_deref();
        Client::remote(Policy::default(), account, place.profile.as_deref()).await?
    };
    let account = client.account();
    if output::is_watched() {
        output::note(&installation(place, account.as_ref()));
    }
    if let (Some(account), Some(deployed_to)) = (&account, &place.deployed_to)
        && account.id != *deployed_to
    {
        output::note(&format!(
            "warning: this is the account {}, but tailrace.toml deploys to {deployed_to}",
            account.id
        ));
    }
    Ok(client)
}

/// Opens the installation's database.
async fn open<'a>(client: &'a Client, place: &Place) -> Result<Database<'a>, Error> {
    Database::find(client, &place.database()).await
}

/// The times that a command is about.
#[derive(Clone, Copy, Debug, Default)]
struct TimeWindow {
    /// The first time.
    since: Option<Timestamp>,
    /// The first time that is too late.
    until: Option<Timestamp>,
}

impl TimeWindow {
    /// Returns whether either end was given.
    fn is_given(self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Returns the window in the stored form.
    fn stored(self) -> Window {
        Window {
            from: self.since.map(time::stored),
            to: self.until.map(time::stored),
        }
    }
}

/// Reads `--since` and `--until`.
fn read_window(since: Option<&str>, until: Option<&str>, zone: &Zone) -> Result<TimeWindow, Error> {
    let now = Timestamp::now();
    let when = |option, text: Option<&str>, edge| {
        text.map(|text| time::parse(option, text, now, zone, edge))
            .transpose()
    };
    let window = TimeWindow {
        since: when("--since", since, Edge::Start)?,
        until: when("--until", until, Edge::End)?,
    };
    if let (Some(since), Some(until)) = (window.since, window.until)
        && since >= until
    {
        return Err(Error::Usage(format!(
            "--since ({}) is not before --until ({})",
            time::shown(&time::stored(since), zone),
            time::shown(&time::stored(until), zone)
        )));
    }
    Ok(window)
}

/// Names account, environment and database.
fn installation(place: &Place, account: Option<&Account>) -> String {
    let Some(account) = account else {
        let port = place.local.unwrap_or_default();
        return format!("the local system on port {port}");
    };
    let name = if account.name.is_empty() {
        account.id.clone()
    } else {
        format!("{} ({})", account.name, account.id)
    };
    let env = match &place.env {
        Some(env) => format!("environment {env}"),
        None => "the main environment".to_owned(),
    };
    format!("account {name}, {env}, database {}", place.database())
}

/// Says something beside the results, below those that are written already.
fn note_below(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    out.flush().map_err(Error::io("standard output"))?;
    output::note(text);
    Ok(())
}

/// Writes one line to standard output.
fn line(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    writeln!(out, "{text}").map_err(Error::io("standard output"))
}

/// Writes one line of JSON to standard output.
fn json_line(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), Error> {
    output::json::write(out, value).map_err(Error::io("standard output"))?;
    line(out, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::GlobalArgs;
    use crate::config::{Context, Deployed};

    #[test]
    fn an_installation_is_named_by_account_env_and_database() {
        let account = |name: &str| Account {
            id: "0123".to_owned(),
            name: name.to_owned(),
        };
        let global = GlobalArgs {
            env: Some("staging".to_owned()),
            ..GlobalArgs::default()
        };
        let place = Place::resolve(
            &global,
            None,
            |_| None,
            Context::default(),
            &Deployed::default(),
        )
        .unwrap();
        assert_eq!(
            installation(&place, Some(&account("Acme"))),
            "account Acme (0123), environment staging, database tailrace-staging"
        );
        let global = GlobalArgs::default();
        let main = Place::resolve(
            &global,
            None,
            |_| None,
            Context::default(),
            &Deployed::default(),
        )
        .unwrap();
        assert_eq!(
            installation(&main, Some(&account(""))),
            "account 0123, the main environment, database tailrace"
        );
    }
}
