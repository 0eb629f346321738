//! Creates in a Cloudflare account what Tailrace needs, and deploys its Workers; what exists is left alone.
//!
//! The pinned wrangler holds the login, uploads Workers and applies migrations. All else is one call of Cloudflare's API, for
//! which a start of wrangler would take ten times as long. In reading order:
//! - [`client`]: the login, and calls; [`account`]: to which account; [`api`]: the calls in it;
//! - [`confirm`]: asking before anything is changed;
//! - [`plan`]: the steps, in an order in which each finds what it needs;
//! - [`survey`]: what the account holds of them; [`record`]: what deployments have created;
//! - [`drift`]: what is not as it should be; [`loss`]: what would be taken away;
//! - [`resources`]: queues, the database, the KV namespace; [`d1`]: statements in the database; [`archive`]: the R2 bucket and its rule;
//! - [`render`]: the Workers' configurations, with names, ids and settings;
//! - [`workers`]: uploading a Worker, unless what runs is the same;
//! - [`execute`]: the steps, one after the other;
//! - [`wrangler`]: running it; [`hints`]: what to do when they fail.

pub(crate) mod account;
pub(crate) mod api;
pub(crate) mod archive;
mod client;
pub(crate) mod confirm;
mod d1;
mod drift;
mod execute;
mod hints;
mod loss;
pub(crate) mod plan;
pub(crate) mod record;
mod render;
pub(crate) mod resources;
pub(crate) mod survey;
mod workers;
pub(crate) mod wrangler;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use checkout::Workspace;

use self::api::Api;
use self::execute::Deployment;
use self::plan::{Outcome, Plan, Step};
use self::render::Ids;
use self::wrangler::Wrangler;
use crate::environment::Environment;
use crate::settings_file::{self, Chosen, SettingsFile};
use crate::step::say;
use crate::{build, setup};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask deploy --dry-run        what would be done; needs no account
  cargo xtask deploy                  everything, the sample producers too
  cargo xtask deploy --pipeline-only  tail-ingest and log-writer, with what they need
  cargo xtask deploy --env staging    a second, separate system: names end in -staging
  cargo xtask deploy --archive        keep every record in R2 as well
  cargo xtask deploy --init           write a tailrace.toml for settings of your own

Environment:
  CLOUDFLARE_API_TOKEN   a token (else wrangler's login is used); docs/operations.md
                         says with which permissions
  CLOUDFLARE_ACCOUNT_ID  the account (else `account` in tailrace.toml, else the only one)

Exit codes: 0 everything is in place; 1 something failed or was not agreed to, and what is
left to do is listed; 2 the command line cannot be used, or nobody could be asked")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(crate) struct Arguments {
    /// Deploy a separate system: the name of every Worker, queue, database, namespace and bucket ends in -NAME
    #[arg(long, value_name = "NAME")]
    env: Option<Environment>,
    /// Read the settings from FILE instead of tailrace.toml in the checkout
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write tailrace.toml with every setting as a comment, and do nothing else
    #[arg(long, conflicts_with_all = ["env", "dry_run", "pipeline_only", "archive", "no_archive", "yes", "fix", "allow_loss", "overwrite"])]
    init: bool,
    /// Say what would be done, and have wrangler check every Worker, without touching any account
    #[arg(long)]
    dry_run: bool,
    /// Leave the sample producers out
    #[arg(long)]
    pipeline_only: bool,
    /// Keep every record in an R2 bucket as well, from now on: `archive = true` in tailrace.toml
    #[arg(long, conflicts_with = "no_archive")]
    archive: bool,
    /// Keep no more records in R2, from now on; the bucket stays
    #[arg(long)]
    no_archive: bool,
    /// Do not ask before anything is changed
    #[arg(long)]
    yes: bool,
    /// Mend what exists but is not as it should be, such as how long a queue keeps messages
    #[arg(long)]
    fix: bool,
    /// Go on although a binding is removed, or logs are kept for a shorter time
    #[arg(long)]
    allow_loss: bool,
    /// Replace Workers of the same names that were not deployed from here
    #[arg(long)]
    overwrite: bool,
}

/// Runs `cargo xtask deploy`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    if arguments.init {
        let path = arguments.config.clone();
        let path = path.unwrap_or_else(|| workspace.root().join(settings_file::NAME));
        settings_file::init(&path)?;
        say(format!(
            "{} is written; every line is a comment",
            path.display()
        ));
        return Ok(());
    }
    let environment = arguments.env.clone().unwrap_or_default();
    let settings_path = settings_file::find_path(&workspace, arguments.config.as_deref())?;
    let before = SettingsFile::read(&settings_path)?.for_environment(&environment);
    let mut chosen = before.clone();
    if arguments.archive || arguments.no_archive {
        chosen.archive = Some(arguments.archive);
    }
    chosen.check()?;
    let archive_days = chosen.has_archive().then(|| chosen.archive_days());
    let plan = Plan::new(&environment, arguments.pipeline_only, archive_days);
    if !arguments.dry_run {
        confirm::require_terminal(arguments.yes)?;
    }
    setup::run_in(&workspace)?;
    make_folder(&workspace, &environment)?;
    if arguments.dry_run {
        return rehearse(&workspace, &environment, &plan, &chosen);
    }

    let api = Api::connect(&workspace, chosen.account.as_deref())?;
    let account = api.account();
    build::all(&workspace)?;
    say(format!("looking at account {account}"));
    let wrangler = Wrangler::new(&workspace, Some(account.id()));
    let mut deployment = Deployment {
        workspace: &workspace,
        environment: &environment,
        chosen: &chosen,
        wrangler: &wrangler,
        survey: survey::Survey::take(&api, &plan)?,
        api: &api,
        ids: Ids::default(),
        migrations: Vec::new(),
        fix: arguments.fix,
    };
    deployment.prepare(&plan, arguments.overwrite)?;
    say(format!(
        "account {account}, environment {}:\n{}",
        environment.title(),
        deployment.describe(&plan)?
    ));
    let losses = deployment.losses(&plan, arguments.no_archive)?;
    if !losses.is_empty() && !arguments.allow_loss {
        bail!(
            "this deployment takes something away, so nothing was changed:\n  {}\n\
             hint: set it as it was in {}, or say --allow-loss",
            losses.join("\n  "),
            settings_file::NAME
        );
    }
    let question = format!(
        "Deploy to account {account}, environment {}?",
        environment.title()
    );
    confirm::ask(&question, arguments.yes)?;
    if chosen.archive != before.archive {
        settings_file::switch_archive(&settings_path, &environment, chosen.has_archive())?;
        say(format!(
            "{} says archive = {} now",
            settings_file::NAME,
            chosen.has_archive()
        ));
    }
    let done = deployment.execute(&plan)?;
    let changes = done.iter().filter(|outcome| outcome.is_change()).count();
    println!(
        "\n{}\n{}",
        match changes {
            0 => "Everything was in place: nothing has changed.".to_owned(),
            _ => format!("Done: {changes} of {} steps changed something.", done.len()),
        },
        next_steps(&plan, &environment, &api)
    );
    if done.iter().any(|it| matches!(it, Outcome::Drifted(_))) {
        say("something exists that is not as it should be: --fix mends it");
    }
    Ok(())
}

/// Makes the folder of the rendered configurations, and removes what an earlier deployment has left there.
fn make_folder(workspace: &Workspace, environment: &Environment) -> Result<()> {
    let folder = workspace
        .state_dir()
        .join("deploy")
        .join(environment.folder());
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// Runs `cargo xtask deploy --dry-run`.
fn rehearse(
    workspace: &Workspace,
    environment: &Environment,
    plan: &Plan,
    chosen: &Chosen,
) -> Result<()> {
    build::all(workspace)?;
    println!("A deployment takes these steps, each only where it is needed:");
    for (position, step) in plan.steps.iter().enumerate() {
        println!("  {:2}. {step}", position + 1);
    }
    if chosen.has_archive() {
        println!("\nThe archive: {}.", archive::COST);
    }
    println!();
    for (name, text) in &chosen.vars {
        let name = name.to_lowercase();
        println!("{} says: {name} = {text}", settings_file::NAME);
    }
    let wrangler = Wrangler::new(workspace, None);
    for step in &plan.steps {
        if let Step::Worker { base, .. } = step {
            let config = render::render(workspace, environment, base, &Ids::default(), chosen)?;
            say(format!("wrangler checks {step}"));
            println!("{}\n", workers::check(&wrangler, &config)?);
        }
    }
    println!("Nothing was deployed.");
    Ok(())
}

fn next_steps(plan: &Plan, environment: &Environment, api: &Api) -> String {
    let sample = environment.name("triggers-api");
    let secret = if plan.has_worker("triggers-api")
        && !workers::has_secret(api, &sample, "API_TOKEN")
    {
        format!(
            "- Give the sample API a token; it is shown once, and wrangler reads it from standard input:\n    \
             (cd wrangler && openssl rand -hex 32 | tee /dev/tty | npx wrangler secret put API_TOKEN --name {sample})\n"
        )
    } else {
        String::new()
    };
    format!(
        "\nNext:\n{secret}\
         - Attach a Worker of your own: add this line to its wrangler.toml, above the first [table], and deploy it:\n    \
         tail_consumers = [{{ service = \"{}\" }}]\n\
         - See its logs:\n    cargo tailrace logs --follow{}\n\
         docs/operations.md goes on from here.",
        environment.name("tail-ingest"),
        environment.option()
    )
}
