//! The five Workers of the system, with a temporary state of their own, on free ports.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use checkout::dev_server::{DevServer, Output, agent, free_port, migrate};
use checkout::workspace::WORKERS;
use checkout::{Scratch, WorkerConfig, Workspace};

use crate::database::Database;

/// The bearer token that triggers-api takes in a test.
pub const API_TOKEN: &str = "local-test-token";

/// The Workers to run, and their differences from the configurations under `wrangler/`.
#[derive(Debug)]
pub struct SystemBuilder {
    workspace: Workspace,
    configs: Vec<WorkerConfig>,
    migrate: bool,
    quiet: bool,
    /// The folder of a state that stays; otherwise it goes with the system.
    state: Option<PathBuf>,
}

impl SystemBuilder {
    /// The whole system as it is configured. Dead letters go to KV, as in `cargo xtask dev`, since the local runtime
    /// drops what is sent to a queue without a consumer.
    ///
    /// # Errors
    /// Fails if a configuration cannot be read.
    pub fn whole() -> Result<Self> {
        Self::workers(&WORKERS)
    }

    /// Only the Workers `names`, the first of which answers HTTP.
    ///
    /// # Errors
    /// Fails if a configuration cannot be read.
    pub fn workers(names: &[&str]) -> Result<Self> {
        let workspace = Workspace::find()?;
        let mut builder = Self {
            configs: Vec::new(),
            migrate: true,
            quiet: false,
            state: None,
            workspace,
        };
        for name in names {
            let path = builder
                .workspace
                .wrangler_dir()
                .join(format!("{name}.toml"));
            builder.configs.push(WorkerConfig::read(&path)?);
        }
        builder.vary("triggers-api", |config| {
            config.var("API_TOKEN", API_TOKEN);
        });
        builder.vary("log-writer", |config| {
            config.var("DEAD_LETTERS", "kv");
        });
        Ok(builder)
    }

    /// Changes the configuration of the Worker `name`, if it is part of the system.
    pub fn vary(&mut self, name: &str, change: impl FnOnce(&mut WorkerConfig)) -> &mut Self {
        if let Some(config) = self.configs.iter_mut().find(|config| config.name == name) {
            change(config);
        }
        self
    }

    /// Adds a Worker of the test's own, last; `text` is its configuration, with paths relative to [`Workspace::harness_dir`].
    ///
    /// # Errors
    /// Fails if the configuration cannot be read.
    pub fn add(&mut self, text: &str) -> Result<&mut Self> {
        let config = WorkerConfig::parse(text, &self.workspace.harness_dir())?;
        self.configs.push(config);
        Ok(self)
    }

    /// The same as [`SystemBuilder::add`], but first: it answers HTTP.
    ///
    /// # Errors
    /// Fails if the configuration cannot be read.
    pub fn add_first(&mut self, text: &str) -> Result<&mut Self> {
        self.add(text)?;
        self.configs.rotate_right(1);
        Ok(self)
    }

    /// Leaves the database without its tables, until [`System::migrate`].
    pub fn without_migrations(&mut self) -> &mut Self {
        self.migrate = false;
        self
    }

    /// Has wrangler write errors alone.
    pub fn quiet(&mut self) -> &mut Self {
        self.quiet = true;
        self
    }

    /// Has the local databases, queues and KV in `folder`, which stays when the system is dropped.
    pub fn keep_state(&mut self, folder: PathBuf) -> &mut Self {
        self.state = Some(folder);
        self
    }

    /// Applies the migrations and starts everything; returns once it answers.
    ///
    /// # Errors
    /// Fails if a Worker has not been built, or wrangler fails; with its output.
    pub fn start(&self) -> Result<System> {
        let folder = Scratch::new()?;
        let state = self
            .state
            .clone()
            .unwrap_or_else(|| folder.path().join("state"));
        let configs = self
            .configs
            .iter()
            .map(|config| config.render(folder.path()))
            .collect::<Result<Vec<_>>>()?;
        if self.migrate {
            for (config, path) in self.configs.iter().zip(&configs) {
                if config.has_migrations() {
                    migrate(&self.workspace, path, &state)?;
                }
            }
        }
        let log = folder.path().join("wrangler.log");
        let server = DevServer::start(
            &self.workspace,
            &configs,
            &state,
            free_port()?,
            if self.quiet {
                Output::Quiet(log)
            } else {
                Output::File(log)
            },
        )?;
        Ok(System {
            server,
            folder,
            state,
            workspace: self.workspace.clone(),
        })
    }
}

/// A running system; dropping it stops it and removes its state, unless that was to stay.
#[derive(Debug)]
pub struct System {
    /// The runtime. Declared first, so that it is stopped before its state is removed.
    pub server: DevServer,
    folder: Scratch,
    state: PathBuf,
    workspace: Workspace,
}

impl System {
    /// The database, opened anew.
    ///
    /// # Errors
    /// Fails if there is none yet.
    pub fn database(&self) -> Result<Database> {
        Database::open(&self.state)
    }

    /// Returns the folder of the local databases, queues and KV.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Applies the migrations while the system runs.
    ///
    /// # Errors
    /// Fails if wrangler fails, with its output.
    pub fn migrate(&self) -> Result<()> {
        migrate(
            &self.workspace,
            &self.folder.path().join("log-writer.toml"),
            &self.state,
        )
    }

    /// Sends a request to the Worker that answers HTTP; returns status, headers and body, whatever the status.
    ///
    /// # Errors
    /// Fails if there is no answer.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<(u16, ureq::http::HeaderMap, String)> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = agent(Duration::from_secs(60)).run(request.body(body.to_owned())?)?;
        Ok((
            answer.status().as_u16(),
            answer.headers().clone(),
            answer.body_mut().read_to_string()?,
        ))
    }
}
