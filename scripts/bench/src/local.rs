//! Several Workers in one workerd with the local D1, queues and KV, but without wrangler's proxy, inspector and terminal;
//! `workers/serve.mjs` is the other half. `workerd` runs a single Worker without any of these.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use checkout::process::ProcessGroup;
use checkout::{Scratch, Workspace, wait_for};
use harness::Database;
use serde_json::{Value, json};

use crate::workerd::{COMPATIBILITY_DATE, bench_folder, bundle_script};

/// The Workers of one runtime, and their files.
#[derive(Debug)]
pub struct Builder<'w> {
    workspace: &'w Workspace,
    folder: Scratch,
    workers: Vec<Value>,
}

/// A running runtime; dropping it stops it.
#[derive(Debug)]
pub struct Local {
    process: ProcessGroup,
    port: u16,
    folder: Scratch,
}

impl<'w> Builder<'w> {
    /// Without any Worker yet; the first to be added answers HTTP.
    ///
    /// # Errors
    /// Fails if there is no place for temporary files.
    pub fn new(workspace: &'w Workspace) -> Result<Self> {
        let folder = Scratch::new()?;
        Ok(Self {
            workspace,
            folder,
            workers: Vec::new(),
        })
    }

    /// Adds a Worker of one script of this crate, JavaScript or TypeScript. `options` are Miniflare's.
    ///
    /// # Errors
    /// Fails if it cannot be bundled.
    pub fn script(&mut self, name: &str, source: &str, options: Value) -> Result<&mut Self> {
        let file = self.folder.path().join(format!("{name}.js"));
        bundle_script(self.workspace, source, &file)?;
        self.add(name, options, &[("ESModule", file)])
    }

    /// Adds the built Worker of the crate `name`.
    ///
    /// # Errors
    /// Fails if it has not been built.
    pub fn built(&mut self, name: &str, options: Value) -> Result<&mut Self> {
        let build = self.workspace.root().join(name).join("build");
        let modules = [
            ("ESModule", build.join("index.js")),
            ("CompiledWasm", build.join("index_bg.wasm")),
        ];
        self.add(name, options, &modules)
    }

    fn add(
        &mut self,
        name: &str,
        mut options: Value,
        modules: &[(&str, PathBuf)],
    ) -> Result<&mut Self> {
        let root = modules.first().and_then(|(_, path)| path.parent());
        let list: Vec<Value> = modules
            .iter()
            .map(|(kind, path)| json!({ "type": kind, "path": path }))
            .collect();
        let fields = options.as_object_mut().context("options are no object")?;
        fields.insert("name".to_owned(), json!(name));
        fields.insert("modules".to_owned(), json!(list));
        fields.insert("modulesRoot".to_owned(), json!(root));
        fields.insert("compatibilityDate".to_owned(), json!(COMPATIBILITY_DATE));
        self.workers.push(options);
        Ok(self)
    }

    /// Starts everything; returns once it answers.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn start(self) -> Result<Local> {
        let Self {
            workspace,
            folder: temporary,
            workers,
        } = self;
        let state = temporary.path().join("state/v3");
        let options = temporary.path().join("options.json");
        let all = json!({
            "host": "127.0.0.1",
            "port": 0,
            "workers": workers,
            "resourcePersistencePath": state,
        });
        fs::write(&options, all.to_string())?;
        let errors = temporary.path().join("errors");
        let mut command = workspace.command("node")?;
        command
            .arg(bench_folder(workspace).join("workers/serve.mjs"))
            .arg(
                workspace
                    .wrangler_dir()
                    .join("node_modules/miniflare/dist/src/index.js"),
            )
            .arg(&options)
            .stdin(Stdio::null())
            .stdout(File::create(temporary.path().join("port"))?)
            .stderr(File::create(&errors)?);
        let mut process = ProcessGroup::spawn(&mut command)?;
        let port = wait_for("the local runtime", Duration::from_secs(90), || {
            if let Some(status) = process.try_wait()? {
                bail!(
                    "the local runtime ended ({status}): {}",
                    fs::read_to_string(&errors)?
                );
            }
            let said = BufReader::new(File::open(temporary.path().join("port"))?)
                .lines()
                .next();
            Ok(said.transpose()?.and_then(|line| line.trim().parse().ok()))
        })?;
        Ok(Local {
            process,
            port,
            folder: temporary,
        })
    }
}

impl Local {
    /// `http://127.0.0.1:PORT`, of the first Worker.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process group's id.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process.id()
    }

    /// Returns what the Workers wrote to standard error, from its end.
    #[must_use]
    pub fn errors(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Applies the migrations `files` to its one database, and opens it.
    ///
    /// # Errors
    /// Fails if there is none, or a migration fails.
    pub fn migrate(&self, files: &[PathBuf]) -> Result<Database> {
        let database = Database::open(&self.folder.path().join("state"))?;
        for file in files {
            database
                .connection()
                .execute_batch(&fs::read_to_string(file)?)?;
        }
        Ok(database)
    }
}

/// The migrations of the schema, in order.
///
/// # Errors
/// Fails if they cannot be listed.
pub fn migrations(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Path::new(workspace.root())
        .join("migrations")
        .read_dir()?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|it| it == "sql"));
    files.sort();
    Ok(files)
}
