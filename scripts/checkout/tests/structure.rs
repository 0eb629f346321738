//! The shape of the code: small files, modules that depend on each other in one direction, short names of tests.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use checkout::Workspace;
use syn::visit::{self, Visit};
use syn::{Attribute, File, ItemFn, ItemMod, ItemUse, UseTree, Visibility};

/// The most lines of a file that is neither data nor tests.
const MOST_LINES: usize = 400;

/// The most characters of a test's name: a list of tests fits a terminal.
const LONGEST_NAME: usize = 60;

fn root() -> PathBuf {
    Workspace::find().unwrap().root().to_owned()
}

/// Returns every Rust file below `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    source_files(folder, &["rs"])
}

/// Returns every file below `folder` whose name ends in one of `endings`, without those of builds and of installed packages.
fn source_files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | "build" | "node_modules") {
            if !name.starts_with('.') {
                found.extend(source_files(&path, endings));
            }
        } else if endings
            .iter()
            .any(|&ending| path.extension().is_some_and(|it| it == ending))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns whether a file of a crate's `src/` holds tests alone.
fn holds_tests(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.iter().any(|part| part == "tests")
}

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = |arguments: syn::Path| arguments.is_ident("test");
        attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(is_test)
    })
}

/// The crates below `scripts/`: name and sources.
fn crates_of_scripts() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("scripts")).unwrap().flatten() {
        let sources = entry.path().join("src");
        if sources.is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), sources));
        }
    }
    for name in [
        "bench", "checkout", "harness", "tailrace", "ui-tests", "xtask",
    ] {
        assert!(found.iter().any(|(it, _)| it == name), "{found:?}");
    }
    found
}

#[test]
fn files_of_scripts_are_small() {
    let mut too_long = Vec::new();
    for (_, sources) in crates_of_scripts() {
        for path in source_files(&sources, &["rs", "js", "mjs", "css", "html"]) {
            let text = fs::read_to_string(&path).unwrap();
            // Tests inside a file stand at its end.
            let code = text.split("\n#[cfg(test)]\nmod tests {").next();
            let lines = code.unwrap_or_default().lines().count();
            if lines > MOST_LINES && !holds_tests(&path) {
                too_long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(too_long.is_empty(), "split these by role: {too_long:#?}");
}

/// A module, as the names on the way to it.
type ModulePath = Vec<String>;

/// The modules of a crate.
#[derive(Default)]
struct Modules {
    files: BTreeMap<ModulePath, File>,
    /// Names that a module hands on from elsewhere, and where from.
    exports: BTreeMap<(ModulePath, String), Vec<String>>,
}

impl Modules {
    fn read(sources: &Path) -> Self {
        let mut modules = Self::default();
        for path in rust_files(sources) {
            let relative = path.strip_prefix(sources).unwrap().with_extension("");
            let mut names: ModulePath = relative
                .iter()
                .map(|name| name.to_string_lossy().into_owned())
                .collect();
            let is_program = sources.join("lib.rs").exists() && relative.ends_with("main");
            if is_program || holds_tests(&path) || names.first().is_some_and(|it| it == "bin") {
                continue;
            }
            names.pop_if(|name| matches!(name.as_str(), "mod" | "lib" | "main"));
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            modules.add_exports(&names, &file);
            modules.files.insert(names, file);
        }
        modules
    }

    fn add_exports(&mut self, module: &ModulePath, file: &File) {
        for item in &file.items {
            if let syn::Item::Use(item) = item
                && !matches!(item.vis, Visibility::Inherited)
            {
                for path in use_paths(&item.tree) {
                    if let Some(name) = path.last() {
                        let key = (module.clone(), name.clone());
                        self.exports.insert(key, path);
                    }
                }
            }
        }
    }

    /// Returns the module of this crate that `path` leads to, as written in `module`.
    fn resolve(&self, module: &ModulePath, path: &[String]) -> Option<ModulePath> {
        self.follow(module, path, 0)
    }

    fn follow(&self, module: &ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
        let mut rest = path;
        let mut at = module.clone();
        match path.first()?.as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            name => {
                at.push(name.to_owned());
                if !self.files.contains_key(&at) {
                    return None;
                }
                at.pop();
            }
        }
        while let [first, after @ ..] = rest
            && matches!(first.as_str(), "crate" | "self" | "super")
        {
            if first == "super" {
                at.pop();
            }
            rest = after;
        }
        while let [first, after @ ..] = rest {
            at.push(first.clone());
            if !self.files.contains_key(&at) {
                at.pop();
                break;
            }
            rest = after;
        }
        let export = rest.first().map(|name| (at.clone(), name.clone()));
        if let Some(from) = export.and_then(|key| self.exports.get(&key))
            && depth < 5
        {
            return self.follow(&at, from, depth + 1).or(Some(at));
        }
        Some(at)
    }

    /// Returns, for each two neighbours in a folder of modules, which one names something of the other. A module counts
    /// with its submodules.
    fn dependencies(&self) -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
        let mut found: BTreeMap<ModulePath, BTreeSet<ModulePath>> = BTreeMap::new();
        for (module, file) in &self.files {
            let mut paths = Paths::default();
            paths.visit_file(file);
            for path in &paths.found {
                let Some(target) = self.resolve(module, path) else {
                    continue;
                };
                let shared = module.iter().zip(&target).take_while(|(a, b)| a == b);
                let depth = shared.count() + 1;
                if let (Some(from), Some(to)) = (module.get(..depth), target.get(..depth)) {
                    found.entry(from.to_vec()).or_default().insert(to.to_vec());
                }
            }
        }
        found
    }
}

/// Collects the paths of a file's code; its tests do not count, nor does what it only hands on.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test_only(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.found.extend(use_paths(&item.tree));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|it| it.ident.to_string());
        self.found.push(names.collect());
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

fn use_paths(tree: &UseTree) -> Vec<Vec<String>> {
    match tree {
        UseTree::Path(path) => {
            let mut below = use_paths(&path.tree);
            for names in &mut below {
                names.insert(0, path.ident.to_string());
            }
            below
        }
        UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        UseTree::Rename(name) => vec![vec![name.ident.to_string()]],
        UseTree::Glob(_) => vec![vec![]],
        UseTree::Group(group) => group.items.iter().flat_map(use_paths).collect(),
    }
}

/// Returns a way from `start` back to it, if there is one.
fn find_cycle(
    edges: &BTreeMap<ModulePath, BTreeSet<ModulePath>>,
    start: &ModulePath,
) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start.clone()]];
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        for next in edges.get(last).into_iter().flatten() {
            if next == start {
                let names = way.iter().chain([start]).map(|module| module.join("::"));
                return Some(names.collect());
            }
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push(longer);
            }
        }
    }
    None
}

#[test]
fn modules_do_not_depend_on_each_other_in_a_circle() {
    let mut cycles = Vec::new();
    let mut count = 0;
    for (name, sources) in crates_of_scripts() {
        let edges = Modules::read(&sources).dependencies();
        count += edges.values().map(BTreeSet::len).sum::<usize>();
        for module in edges.keys() {
            if let Some(cycle) = find_cycle(&edges, module) {
                cycles.push(format!("{name}: {}", cycle.join(" -> ")));
            }
        }
    }
    assert!(count > 100, "only {count} dependencies were found");
    assert!(cycles.is_empty(), "{cycles:#?}");
}

/// Collects the names of tests.
#[derive(Default)]
struct TestNames {
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for TestNames {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        // `#[test]`, `#[tokio::test(…)]`
        let is_test = |it: &Attribute| {
            let last = it.path().segments.last();
            last.is_some_and(|segment| segment.ident == "test")
        };
        if item.attrs.iter().any(is_test) {
            self.found.push(item.sig.ident.to_string());
        }
        visit::visit_item_fn(self, item);
    }

    // Those of `proptest!` stand in a macro.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        if item.path.is_ident("proptest")
            && let Ok(file) = item.parse_body::<Functions>()
        {
            self.found.extend(file.names);
        }
    }
}

/// The functions in the body of a macro, whose arguments are not Rust's.
struct Functions {
    names: Vec<String>,
}

impl syn::parse::Parse for Functions {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        let mut names = Vec::new();
        while !input.is_empty() {
            if input.parse::<Option<syn::Token![fn]>>()?.is_some() {
                names.push(input.parse::<syn::Ident>()?.to_string());
            } else {
                input.parse::<proc_macro2::TokenTree>()?;
            }
        }
        Ok(Self { names })
    }
}

#[test]
fn names_of_tests_are_short() {
    let mut names = TestNames::default();
    let mut too_long = Vec::new();
    for path in rust_files(&root()) {
        let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
        names.visit_file(&file);
        for name in names.found.extract_if(.., |it| it.len() >= LONGEST_NAME) {
            too_long.push(format!("{}: {name} ({})", path.display(), name.len()));
        }
    }
    let count = names.found.len();
    assert!(count > 400, "only {count} tests were found");
    assert!(too_long.is_empty(), "{too_long:#?}");
}
