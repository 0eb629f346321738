//! Deletes from a Cloudflare account what `cargo xtask deploy` has recorded as its own, and names the rest.
//!
//! - [`choice`]: what is deleted and what is kept;
//! - [`obstacles`]: what keeps it from beginning: attached Workers, dead letters, keys in KV;
//! - [`delete`]: deleting one thing.

mod choice;
mod delete;
mod obstacles;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Result, bail};
use checkout::Workspace;
use clap::ArgGroup;

use self::choice::{Choice, Kept};
use crate::deploy::api::Api;
use crate::deploy::archive;
use crate::deploy::confirm::read_answer;
use crate::deploy::plan::{BUCKET, Plan, Step};
use crate::deploy::record::Record;
use crate::deploy::resources;
use crate::deploy::survey::Survey;
use crate::environment::Environment;
use crate::settings_file::{self, SettingsFile};
use crate::setup;
use crate::step::{Refusal, say};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask destroy --env staging         that system, but neither its logs nor its archive
  cargo xtask destroy --env staging --logs  the database with all logs as well

It deletes what `cargo xtask deploy` has recorded in the database as created, and names what
else is there. It asks for the names of the account and the environment, and so needs a
terminal. A second run goes on where the first one stopped.

Exit codes: 0 what was recorded is deleted, or kept on purpose; 1 something is in the way
or failed; 2 the command line cannot be used, or nobody could be asked")]
#[command(group(ArgGroup::new("which").required(true).args(["env", "main"])))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(crate) struct Arguments {
    /// Delete the system that was deployed with --env NAME
    #[arg(long, value_name = "NAME")]
    env: Option<Environment>,
    /// Delete the main system
    #[arg(long)]
    main: bool,
    /// Read the account from FILE instead of tailrace.toml in the checkout
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Delete the database with all logs, too
    #[arg(long)]
    logs: bool,
    /// Delete the archive's bucket with all its objects, too
    #[arg(long)]
    archive: bool,
    /// Go on although there are dead letters, or records in KV, which are lost
    #[arg(long)]
    discard_dead_letters: bool,
    /// Is not enough: the names are asked for in any case
    #[arg(long, hide = true)]
    yes: bool,
}

/// Runs `cargo xtask destroy`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !io::stdin().is_terminal() {
        let detail = if arguments.yes {
            ", and --yes does not replace the answers"
        } else {
            ""
        };
        bail!(Refusal(format!(
            "there is no terminal to ask at{detail}: nothing was deleted\n\
             hint: run it at a terminal; it asks for the names of the account and the environment"
        )));
    }
    let workspace = Workspace::find()?;
    let environment = arguments.env.clone().unwrap_or_default();
    let path = settings_file::find_path(&workspace, arguments.config.as_deref())?;
    let chosen = SettingsFile::read(&path)?.for_environment(&environment);
    setup::run_in(&workspace)?;
    let api = Api::connect(&workspace, chosen.account.as_deref())?;
    let account = api.account();
    say(format!("looking at account {account}"));
    let plan = full_plan(&api, &environment)?;
    let mut survey = Survey::take(&api, &plan)?;
    let kept = Kept {
        logs: !arguments.logs,
        archive: !arguments.archive,
    };
    let choice = Choice::new(plan, &survey, kept);
    println!(
        "In account {account}, environment {}\n{}",
        environment.title(),
        choice.describe()
    );
    if choice.deleted.is_empty() {
        say("there is nothing to delete");
        return Ok(());
    }
    obstacles::check(&api, &environment, &survey, arguments.discard_dead_letters)?;
    for (what, name) in [
        ("account", account.name()),
        ("environment", environment.title()),
    ] {
        let answer = read_answer(&format!("Type the {what}'s name, {name}, to delete this: "))?;
        if answer != name {
            bail!("{answer:?} is not {name:?}: nothing was deleted");
        }
    }
    let count = choice.deleted.len();
    for (done, step) in choice.deleted.iter().enumerate() {
        say(format!("[{}/{count}] {step}", done + 1));
        delete::delete(&api, &environment, &survey, step).map_err(|error| {
            error.context(format!(
                "{done} of {count} are deleted; the same command goes on from there. {step}"
            ))
        })?;
        // The record itself goes with the database, which is the last.
        if !matches!(step, Step::Database { .. }) {
            survey.record.remove(&api, &step.to_string())?;
        }
    }
    say("everything that was recorded is deleted, or kept on purpose");
    Ok(())
}

/// Returns the plan of everything that a deployment may have created.
fn full_plan(api: &Api, environment: &Environment) -> Result<Plan> {
    let database = resources::find_database(api, &environment.name("tailrace"))?;
    let record = Record::read(api, database.as_deref())?;
    let bucket = environment.name(BUCKET);
    // An account without R2 cannot be asked about a bucket.
    let has_bucket = record.holds(&format!("R2 bucket {bucket}"))
        || matches!(archive::find_rules(api, &bucket), Ok(Some(_)));
    Ok(Plan::new(environment, false, has_bucket.then_some(1)))
}
