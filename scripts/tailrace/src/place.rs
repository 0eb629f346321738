//! The installation that is meant, from everything that may name it. What stands higher wins:
//!
//! 1. the command line;
//! 2. the environment;
//! 3. the context: the one that `--context` or `TAILRACE_CONTEXT` names, else the one called `default`;
//! 4. `tailrace.toml` in the checkout;
//! 5. the defaults.
//!
//! A name that stands below an environment (`--env`) is not used with it: it was written for another one. And where the
//! command line names a context that the environment contradicts, nothing is done: whoever wrote `--context staging` does
//! not mean what some shell once exported, and must not find out from the results.

use std::collections::BTreeMap;

use crate::Error;
use crate::cli::{Format, GlobalArgs, QueueNames, StatusLimits};
use crate::config::{Context, Deployed};

/// The installation that is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The port of a running `cargo xtask dev`; `None` for an account.
    pub local: Option<u16>,
    /// The environment; `None` for the main one.
    pub env: Option<String>,
    /// The account's id; `None` for the only one that the credential sees.
    pub account: Option<String>,
    /// The account that `cargo xtask deploy` deploys this environment to, where `tailrace.toml` names it.
    pub deployed_to: Option<String>,
    /// The settings that the Workers are deployed with, where there is a `tailrace.toml`.
    pub settings: Option<BTreeMap<&'static str, String>>,
    /// The profile of wrangler's login.
    pub profile: Option<String>,
    /// The form of the results, where a context names it.
    pub output: Option<Format>,
    /// The limits of `tailrace status`, where a context sets them.
    pub limits: StatusLimits,
    database: String,
    queue: String,
    dead_letter_queue: String,
    fallback: String,
}

/// Everything of one rank that may name the installation.
#[derive(Clone, Debug, Default)]
struct Layer {
    env: Option<String>,
    local: Option<u16>,
    account: Option<String>,
    profile: Option<String>,
    output: Option<Format>,
    /// The database, the queue, the dead-letter queue and the fallback.
    names: [Option<String>; 4],
}

impl From<Context> for Layer {
    fn from(context: Context) -> Self {
        Self {
            env: context.env,
            local: context.local,
            account: context.account,
            profile: context.profile,
            output: context.output,
            names: Default::default(),
        }
    }
}

/// The variables of the database, the queue, the dead-letter queue and the fallback.
const NAME_VARIABLES: [&str; 4] = [
    "TAILRACE_DATABASE",
    "TAILRACE_QUEUE",
    "TAILRACE_DEAD_LETTER_QUEUE",
    "TAILRACE_FALLBACK",
];

/// Refuses an environment that names another installation than the context of `name`, which the command line chose, as
/// far as the command line itself leaves that open.
fn refuse_contradiction(
    name: &str,
    line: &Layer,
    environment: &Layer,
    context: &Layer,
) -> Result<(), Error> {
    let contradict = |variable, found: &Option<String>, kind, meant: &Option<String>| {
        Err(Error::Contradiction {
            context: name.to_owned(),
            kind,
            meant: meant.clone().unwrap_or_default(),
            variable,
            found: found.clone().unwrap_or_default(),
        })
    };
    let differs = |one: &Option<String>, other: &Option<String>| {
        one.is_some() && other.is_some() && one != other
    };
    let is_local = line.local.or(context.local).is_some();
    if !is_local && differs(&environment.account, &context.account) {
        let variable = "CLOUDFLARE_ACCOUNT_ID";
        return contradict(variable, &environment.account, "account", &context.account);
    }
    if line.env.is_some() {
        return Ok(());
    }
    if differs(&environment.env, &context.env) {
        let variable = "TAILRACE_ENV";
        return contradict(variable, &environment.env, "environment", &context.env);
    }
    // A name that was exported without an environment was not written for that of the context.
    let names = environment.names.iter().zip(&line.names);
    for (variable, (found, given)) in NAME_VARIABLES.into_iter().zip(names) {
        let is_open = given.is_none() && environment.env.is_none();
        if is_open && found.is_some() && context.env.is_some() {
            return contradict(variable, found, "environment", &context.env);
        }
    }
    Ok(())
}

/// Returns what the highest layer says that says anything.
fn first<T: Clone>(layers: &[Layer], of: impl Fn(&Layer) -> &Option<T>) -> Option<T> {
    layers.iter().find_map(|layer| of(layer).clone())
}

impl Place {
    /// Finds the installation that the options mean; `variable` reads the environment.
    ///
    /// # Errors
    /// [`Error::Settings`] where a file cannot be read or has no such context.
    pub fn find(
        global: &GlobalArgs,
        names: Option<&QueueNames>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let here = global.context.as_deref();
        let elsewhere = variable("TAILRACE_CONTEXT");
        let context = Context::read(here.or(elsewhere.as_deref()))?;
        let deployed = Deployed::read(global.config.as_deref())?;
        Self::resolve(global, names, variable, context, &deployed)
    }

    /// Finds the installation that the options mean, with what the files say.
    ///
    /// # Errors
    /// [`Error::Contradiction`] where the environment contradicts the context that the command line names.
    pub(crate) fn resolve(
        global: &GlobalArgs,
        names: Option<&QueueNames>,
        variable: impl Fn(&str) -> Option<String>,
        context: Context,
        deployed: &Deployed,
    ) -> Result<Self, Error> {
        let names = names.cloned().unwrap_or_default();
        let line = Layer {
            env: global.env.clone(),
            local: global.local,
            names: [
                global.database.clone(),
                names.queue,
                names.dead_letter_queue,
                names.fallback,
            ],
            ..Layer::default()
        };
        let environment = Layer {
            env: variable("TAILRACE_ENV"),
            account: variable("CLOUDFLARE_ACCOUNT_ID"),
            names: NAME_VARIABLES.map(variable),
            ..Layer::default()
        };
        let limits = context.status.clone();
        let context = Layer::from(context);
        if let Some(name) = &global.context {
            refuse_contradiction(name, &line, &environment, &context)?;
        }
        let layers = [line, environment, context];
        let env = first(&layers, |layer| &layer.env);
        // The layers whose names were written for this environment.
        let written = layers
            .iter()
            .position(|layer| layer.env.is_some())
            .map_or(layers.len(), |index| index + 1);
        let written = layers.get(..written).unwrap_or_default();
        let name = |index: usize, default: &str| {
            first(written, |layer| layer.names.get(index).unwrap_or(&None)).unwrap_or_else(|| {
                match &env {
                    Some(env) => format!("{default}-{env}"),
                    None => default.to_owned(),
                }
            })
        };
        let deployed_to = deployed.account(env.as_deref()).map(str::to_owned);
        Ok(Self {
            local: first(&layers, |layer| &layer.local),
            account: first(&layers, |layer| &layer.account).or_else(|| deployed_to.clone()),
            deployed_to,
            settings: deployed.settings(env.as_deref()),
            profile: first(&layers, |layer| &layer.profile),
            output: first(&layers, |layer| &layer.output),
            limits,
            database: name(0, "tailrace"),
            queue: name(1, "tail-logs"),
            dead_letter_queue: name(2, "tail-logs-dlq"),
            fallback: name(3, "tailrace-fallback"),
            env,
        })
    }

    /// Returns the database's name.
    #[must_use]
    pub fn database(&self) -> String {
        self.database.clone()
    }

    /// Returns the queue's name.
    #[must_use]
    pub fn queue(&self) -> String {
        self.queue.clone()
    }

    /// Returns the dead-letter queue's name.
    #[must_use]
    pub fn dead_letter_queue(&self) -> String {
        self.dead_letter_queue.clone()
    }

    /// Returns the title of the fallback's namespace.
    #[must_use]
    pub fn fallback(&self) -> String {
        self.fallback.clone()
    }

    /// Returns the name of the archive's bucket.
    #[must_use]
    pub fn bucket(&self) -> String {
        match &self.env {
            Some(env) => format!("tailrace-archive-{env}"),
            None => "tailrace-archive".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        line: &[(&str, &str)],
        environment: &'static [(&str, &str)],
        context: &str,
        deployed: &str,
    ) -> Result<Place, Error> {
        let given = |name: &str| {
            let found = line.iter().find(|(option, _)| *option == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let global = GlobalArgs {
            env: given("env"),
            database: given("database"),
            context: given("context"),
            ..GlobalArgs::default()
        };
        let names = QueueNames {
            queue: given("queue"),
            ..QueueNames::default()
        };
        let variable = |name: &str| {
            let found = environment.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Place::resolve(
            &global,
            Some(&names),
            variable,
            toml_edit::de::from_str(context).unwrap(),
            &toml_edit::de::from_str(deployed).unwrap(),
        )
    }

    fn place(
        line: &[(&str, &str)],
        environment: &'static [(&str, &str)],
        context: &str,
        deployed: &str,
    ) -> Place {
        find(line, environment, context, deployed).unwrap()
    }

    #[test]
    fn an_environment_adds_to_every_name_that_is_not_given() {
        let place = place(&[("env", "staging"), ("queue", "other")], &[], "", "");
        assert_eq!(place.database(), "tailrace-staging");
        assert_eq!(place.queue(), "other");
        assert_eq!(place.dead_letter_queue(), "tail-logs-dlq-staging");
    }

    #[test]
    fn an_env_is_never_mixed_with_another_ones_names() {
        let exported: &[_] = &[
            ("TAILRACE_DATABASE", "prod-db"),
            ("TAILRACE_QUEUE", "prod-q"),
        ];
        let named = place(&[("env", "staging")], exported, "", "");
        assert_eq!(named.database(), "tailrace-staging");
        assert_eq!(named.queue(), "tail-logs-staging");
        let unnamed = place(&[], exported, "", "");
        assert_eq!(unnamed.database(), "prod-db");
        // What was exported together belongs together.
        let together = &[("TAILRACE_ENV", "test"), ("TAILRACE_DATABASE", "test-db")];
        let both = place(&[], together, "", "");
        assert_eq!(
            (both.database(), both.queue()),
            ("test-db".into(), "tail-logs-test".into())
        );
    }

    #[test]
    fn what_stands_higher_wins() {
        let context = "account = \"c\"\nenv = \"c-env\"\nprofile = \"work\"\noutput = \"json\"\n";
        let deployed = "account = \"d\"\n[env.e]\naccount = \"d-e\"\n";
        let exported: &[_] = &[("CLOUDFLARE_ACCOUNT_ID", "e"), ("TAILRACE_ENV", "e")];
        let all = place(&[], exported, context, deployed);
        assert_eq!(all.account.as_deref(), Some("e"));
        assert_eq!(all.env.as_deref(), Some("e"));
        assert_eq!(all.deployed_to.as_deref(), Some("d-e"));
        assert_eq!(all.profile.as_deref(), Some("work"));
        let own = place(&[("env", "l")], exported, context, deployed);
        assert_eq!(own.env.as_deref(), Some("l"));
        let context = place(&[], &[], context, deployed);
        assert_eq!(context.account.as_deref(), Some("c"));
        assert_eq!(context.output, Some(Format::Json));
        let deployed = place(&[], &[], "", deployed);
        assert_eq!(deployed.account.as_deref(), Some("d"));
    }

    #[test]
    fn a_context_that_the_environment_contradicts_is_refused() {
        let context = "account = \"c\"\nenv = \"c-env\"\n";
        let named = ("context", "staging");
        for (line, exported, expected) in [
            (
                &[named][..],
                &[("CLOUDFLARE_ACCOUNT_ID", "e")][..],
                "--context staging means the account \"c\", but CLOUDFLARE_ACCOUNT_ID is \"e\"",
            ),
            (
                &[named],
                &[("TAILRACE_ENV", "e")],
                "--context staging means the environment \"c-env\", but TAILRACE_ENV is \"e\"",
            ),
            (
                &[named, ("env", "l")],
                &[("CLOUDFLARE_ACCOUNT_ID", "e")],
                "means the account",
            ),
            (
                &[named],
                &[("TAILRACE_QUEUE", "prod-q")],
                "means the environment \"c-env\", but TAILRACE_QUEUE is \"prod-q\"",
            ),
        ] {
            let error = find(line, exported, context, "").unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        // What says the same, or is not used, contradicts nothing.
        for (line, exported) in [
            (&[named][..], &[("CLOUDFLARE_ACCOUNT_ID", "c")][..]),
            (&[named, ("env", "l")], &[("TAILRACE_ENV", "e")]),
            (&[named, ("queue", "q")], &[("TAILRACE_QUEUE", "prod-q")]),
            (&[], &[("CLOUDFLARE_ACCOUNT_ID", "e")]),
        ] {
            find(line, exported, context, "").unwrap();
        }
        let local = "local = 8787\naccount = \"c\"\n";
        find(&[named], &[("CLOUDFLARE_ACCOUNT_ID", "e")], local, "").unwrap();
    }
}
