//! Worker configurations: read from `wrangler/` or written for a test, varied, and rendered where wrangler can run them
//! without building anything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Value, value};

/// One Worker's wrangler configuration.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The Worker's name.
    pub name: String,
    /// The configuration, free to be varied.
    pub document: DocumentMut,
}

impl WorkerConfig {
    /// Reads the configuration at `path`. Paths in it become absolute, and its build command is left out: what runs has
    /// been built before.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is not TOML, or does not name a Worker.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).with_context(|| format!("in {}", path.display()))
    }

    /// Reads a configuration from its text; relative paths in it start at `folder`.
    ///
    /// # Errors
    /// Fails if the text is not TOML, or does not name a Worker.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let mut document: DocumentMut = text.parse()?;
        let name = document
            .get("name")
            .and_then(Item::as_str)
            .context("no name")?
            .to_owned();
        document.remove("build");
        absolute(document.get_mut("main"), folder);
        if let Some(databases) = document
            .get_mut("d1_databases")
            .and_then(Item::as_array_of_tables_mut)
        {
            for database in databases.iter_mut() {
                absolute(database.get_mut("migrations_dir"), folder);
            }
        }
        Ok(Self { name, document })
    }

    /// Returns whether it has a D1 database that migrations are for.
    #[must_use]
    pub fn has_migrations(&self) -> bool {
        self.document
            .get("d1_databases")
            .and_then(Item::as_array_of_tables)
            .is_some_and(|databases| databases.iter().any(|it| it.contains_key("migrations_dir")))
    }

    /// Sets a variable of the Worker: a text, or what else a configuration can hold.
    pub fn var(&mut self, name: &str, content: impl Into<Value>) -> &mut Self {
        let vars = self
            .document
            .entry("vars")
            .or_insert_with(|| Item::Table(toml_edit::Table::new()));
        if let Some(vars) = vars.as_table_like_mut() {
            vars.insert(name, value(content));
        }
        self
    }

    /// Binds `name` to the entrypoint `entrypoint` of the Worker `service`, in place of other services.
    pub fn service(&mut self, name: &str, service: &str, entrypoint: &str) -> &mut Self {
        let mut binding = InlineTable::new();
        for (key, text) in [
            ("binding", name),
            ("service", service),
            ("entrypoint", entrypoint),
        ] {
            binding.insert(key, text.into());
        }
        self.document
            .insert("services", value(Array::from_iter([binding])));
        self
    }

    /// Takes the binding `name` away, of whatever kind it is.
    pub fn remove_binding(&mut self, name: &str) -> &mut Self {
        let is_it =
            |table: &toml_edit::Table| table.get("binding").and_then(Item::as_str) == Some(name);
        let root = self.document.as_table_mut();
        for key in ["d1_databases", "kv_namespaces"] {
            if let Some(tables) = root.get_mut(key).and_then(Item::as_array_of_tables_mut) {
                tables.retain(|table| !is_it(table));
            }
        }
        if let Some(tables) = root
            .get_mut("queues")
            .and_then(|queues| queues.get_mut("producers"))
            .and_then(Item::as_array_of_tables_mut)
        {
            tables.retain(|table| !is_it(table));
        }
        self
    }

    /// Writes the configuration into `folder`, as a file named after the Worker, beside a copy of what it runs: a build
    /// meanwhile must not reload the Worker.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written, as when the Worker has not been built.
    pub fn render(&self, folder: &Path) -> Result<PathBuf> {
        let mut document = self.document.clone();
        let main = document
            .get("main")
            .and_then(Item::as_str)
            .map(PathBuf::from)
            .with_context(|| format!("{} has no main", self.name))?;
        let copy = folder.join(&self.name);
        if copy.exists() {
            // What an earlier build has left there would be uploaded, too.
            fs::remove_dir_all(&copy)
                .with_context(|| format!("{} cannot be removed", copy.display()))?;
        }
        copy_files(main.parent().unwrap_or(Path::new(".")), &copy).with_context(|| {
            format!("{} has not been built: run `cargo xtask build`", self.name)
        })?;
        document.insert(
            "main",
            value(
                copy.join(main.file_name().unwrap_or_default())
                    .to_string_lossy()
                    .into_owned(),
            ),
        );
        let path = folder.join(format!("{}.toml", self.name));
        fs::write(&path, document.to_string())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }
}

/// Copies the files of `from`, not its folders, into a new folder.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn absolute(item: Option<&mut Item>, folder: &Path) {
    if let Some(item) = item
        && let Some(path) = item.as_str()
    {
        let path = folder.join(path);
        *item = Item::Value(Value::from(path.to_string_lossy().into_owned()));
    }
}
