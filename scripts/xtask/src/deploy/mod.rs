//! Creates in a Cloudflare account what Tailrace needs, and deploys its Workers; what exists is left alone.
//!
//! Everything goes through the pinned wrangler, which also holds the login. In reading order:
//! - [`environment`]: what resources are called, with and without `--env`;
//! - [`account`]: who is logged in, and to which account;
//! - [`plan`]: the steps, in an order in which each finds what it needs;
//! - [`resources`]: queues, the database, the KV namespace;
//! - [`render`]: the Workers' configurations, with these names and ids;
//! - [`workers`]: uploading a Worker, unless what runs is the same;
//! - [`wrangler`]: running it, and what it says when it fails.

mod account;
mod environment;
mod plan;
mod render;
mod resources;
mod workers;
mod wrangler;

use std::fs;

use anyhow::{Context, Result};
use checkout::Workspace;

use self::account::Account;
use self::environment::Environment;
use self::plan::{Outcome, Plan, Step};
use self::render::Ids;
use self::wrangler::Wrangler;
use crate::step::say;
use crate::{build, setup};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask deploy --dry-run        what would be done; needs no account
  cargo xtask deploy                  everything, the sample producers too
  cargo xtask deploy --pipeline-only  tail-ingest and log-writer, with what they need
  cargo xtask deploy --env staging    a second, separate system: names end in -staging

Environment:
  CLOUDFLARE_API_TOKEN   a token (else wrangler's login is used); docs/operations.md
                         says with which permissions
  CLOUDFLARE_ACCOUNT_ID  the account (else the only one there is)

Exit codes: 0 everything is in place; 1 something failed, and what is left to do is
listed; 2 the command line cannot be used")]
pub(crate) struct Arguments {
    /// Deploy a separate system: the name of every Worker, queue, database and namespace ends in -NAME
    #[arg(long, value_name = "NAME")]
    env: Option<Environment>,
    /// Say what would be done, and have wrangler check every Worker, without touching any account
    #[arg(long)]
    dry_run: bool,
    /// Leave the sample producers out
    #[arg(long)]
    pipeline_only: bool,
    /// Replace Workers of the same names that were not deployed from here
    #[arg(long)]
    overwrite: bool,
}

/// `cargo xtask deploy`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let environment = arguments.env.clone().unwrap_or_default();
    let plan = Plan::new(&environment, arguments.pipeline_only);
    setup::run_in(&workspace)?;
    let folder = workspace
        .state_dir()
        .join("deploy")
        .join(environment.folder());
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    if arguments.dry_run {
        return rehearse(&workspace, &environment, &plan);
    }

    let account = Account::find(&workspace)?;
    build::all(&workspace)?;
    say(format!("deploying to account {account}"));
    let wrangler = Wrangler::new(&workspace, Some(&account));
    let mut context = Deployment {
        workspace: &workspace,
        environment: &environment,
        wrangler: &wrangler,
        ids: Ids::default(),
        overwrite: arguments.overwrite,
    };
    let mut done = Vec::new();
    for (position, step) in plan.steps.iter().enumerate() {
        match context.execute(step) {
            Ok(outcome) => {
                say(format!("{step}: {outcome}"));
                done.push(outcome);
            }
            Err(error) => {
                let remaining = plan.steps.get(position..).unwrap_or_default();
                return Err(error.context(stopped(&done, remaining)));
            }
        }
    }
    let changes = done
        .iter()
        .filter(|outcome| **outcome != Outcome::Unchanged)
        .count();
    println!(
        "\n{}\n{}",
        match changes {
            0 => "Everything was in place: nothing has changed.".to_owned(),
            _ => format!("Done: {changes} of {} steps changed something.", done.len()),
        },
        next_steps(&plan, &environment, &wrangler)
    );
    Ok(())
}

/// What the steps work with.
struct Deployment<'a> {
    workspace: &'a Workspace,
    environment: &'a Environment,
    wrangler: &'a Wrangler<'a>,
    ids: Ids,
    overwrite: bool,
}

impl Deployment<'_> {
    fn execute(&mut self, step: &Step) -> Result<Outcome> {
        match step {
            Step::Queue {
                name,
                retention_seconds,
            } => resources::queue(self.wrangler, name, *retention_seconds),
            Step::PullConsumer { queue } => resources::pull_consumer(self.wrangler, queue),
            Step::Database { name } => {
                let (id, outcome) = resources::database(self.wrangler, name)?;
                self.ids.database = Some(id);
                Ok(outcome)
            }
            Step::Namespace { title } => {
                let (id, outcome) = resources::namespace(self.wrangler, title)?;
                self.ids.namespace = Some(id);
                Ok(outcome)
            }
            Step::Migrations { database } => {
                let config = self.render("log-writer")?;
                resources::migrations(self.wrangler, &config.path, database)
            }
            Step::Worker { base, .. } => {
                workers::deploy(self.wrangler, &self.render(base)?, self.overwrite)
            }
        }
    }

    fn render(&self, worker: &str) -> Result<render::Rendered> {
        render::render(self.workspace, self.environment, worker, &self.ids)
    }
}

/// `--dry-run`.
fn rehearse(workspace: &Workspace, environment: &Environment, plan: &Plan) -> Result<()> {
    build::all(workspace)?;
    println!("A deployment takes these steps, each only where it is needed:");
    for (position, step) in plan.steps.iter().enumerate() {
        println!("  {:2}. {step}", position + 1);
    }
    println!();
    let wrangler = Wrangler::new(workspace, None);
    for step in &plan.steps {
        if let Step::Worker { base, .. } = step {
            let config = render::render(workspace, environment, base, &Ids::default())?;
            say(format!("wrangler checks {step}"));
            println!("{}\n", workers::check(&wrangler, &config)?);
        }
    }
    println!("Nothing was deployed.");
    Ok(())
}

fn stopped(done: &[Outcome], remaining: &[Step]) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "the deployment stopped after {} of {} steps. Not done:",
        done.len(),
        done.len() + remaining.len()
    );
    for step in remaining {
        // Writing to a String does not fail.
        let _ = write!(text, "\n  {step}");
    }
    text + "\nOnce the cause below is removed, run the same command again: it goes on from there.\nCause"
}

fn next_steps(plan: &Plan, environment: &Environment, wrangler: &Wrangler) -> String {
    let api = environment.name("triggers-api");
    let secret = if plan.has_worker("triggers-api")
        && !workers::has_secret(wrangler, &api, "API_TOKEN")
    {
        format!(
            "- Give the sample API a token; it is shown once, and wrangler reads it from standard input:\n    \
             (cd wrangler && openssl rand -hex 32 | tee /dev/tty | npx wrangler secret put API_TOKEN --name {api})\n"
        )
    } else {
        String::new()
    };
    let env = environment
        .suffix()
        .map(|suffix| format!(" --env {suffix}"))
        .unwrap_or_default();
    format!(
        "\nNext:\n{secret}\
         - Attach a Worker of your own: add this line to its wrangler.toml, above the first [table], and deploy it:\n    \
         tail_consumers = [{{ service = \"{}\" }}]\n\
         - See its logs:\n    cargo tailrace logs --follow{env}\n\
         docs/operations.md goes on from here.",
        environment.name("tail-ingest")
    )
}
