//! The installation that is meant, from everything that may name it. What stands higher wins:
//!
//! 1. the command line, and below it the context that it names;
//! 2. the environment;
//! 3. the context that the environment names, or the one called `default`;
//! 4. `tailrace.toml` in the checkout;
//! 5. the defaults.
//!
//! A name that stands below an environment (`--env`) is not used with it: it was written for another one.

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

/// Returns what the highest layer says that says anything.
fn first<T: Clone>(layers: &[Layer], of: impl Fn(&Layer) -> &Option<T>) -> Option<T> {
    layers.iter().find_map(|layer| of(layer).clone())
}

impl Place {
    /// Finds the installation that the options mean; `variable` reads the environment.
    ///
    /// # Errors
    /// [`Error::Usage`] where a file cannot be read or has no such context.
    pub fn find(
        global: &GlobalArgs,
        names: Option<&QueueNames>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let here = global.context.as_deref();
        let elsewhere = variable("TAILRACE_CONTEXT");
        let context = Context::read(here.or(elsewhere.as_deref()))?;
        let deployed = Deployed::read(global.config.as_deref())?;
        Ok(Self::resolve(global, names, variable, context, &deployed))
    }

    /// Finds the installation that the options mean, with what the files say.
    pub(crate) fn resolve(
        global: &GlobalArgs,
        names: Option<&QueueNames>,
        variable: impl Fn(&str) -> Option<String>,
        context: Context,
        deployed: &Deployed,
    ) -> Self {
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
            names: [
                "TAILRACE_DATABASE",
                "TAILRACE_QUEUE",
                "TAILRACE_DEAD_LETTER_QUEUE",
                "TAILRACE_FALLBACK",
            ]
            .map(variable),
            ..Layer::default()
        };
        let limits = context.status.clone();
        let context = Layer::from(context);
        let layers = if global.context.is_some() {
            [line, context, environment]
        } else {
            [line, environment, context]
        };
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
        Self {
            local: first(&layers, |layer| &layer.local),
            account: first(&layers, |layer| &layer.account).or_else(|| deployed_to.clone()),
            deployed_to,
            profile: first(&layers, |layer| &layer.profile),
            output: first(&layers, |layer| &layer.output),
            limits,
            database: name(0, "tailrace"),
            queue: name(1, "tail-logs"),
            dead_letter_queue: name(2, "tail-logs-dlq"),
            fallback: name(3, "tailrace-fallback"),
            env,
        }
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

    fn place(
        line: &[(&str, &str)],
        environment: &'static [(&str, &str)],
        context: &str,
        deployed: &str,
    ) -> Place {
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
        // A context that the command line names is part of it.
        let named = place(&[("context", "c")], exported, context, deployed);
        assert_eq!(named.account.as_deref(), Some("c"));
        assert_eq!(named.env.as_deref(), Some("c-env"));
        let own = place(
            &[("context", "c"), ("env", "l")],
            exported,
            context,
            deployed,
        );
        assert_eq!(own.env.as_deref(), Some("l"));
        let context = place(&[], &[], context, deployed);
        assert_eq!(context.account.as_deref(), Some("c"));
        assert_eq!(context.output, Some(Format::Json));
        let deployed = place(&[], &[], "", deployed);
        assert_eq!(deployed.account.as_deref(), Some("d"));
    }
}
