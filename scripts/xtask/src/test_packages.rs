//! Packages from npm that single end-to-end tests need, as the lockfiles of their folders pin them.

use anyhow::{Context as _, Result};
use checkout::Workspace;
use checkout::npm::{Packages, Scripts};

use crate::step::say;

/// Packages, and the test that needs them.
struct TestPackages {
    test: &'static str,
    folder: &'static str,
    /// In words.
    content: &'static str,
}

const ALL: [TestPackages; 2] = [
    TestPackages {
        test: "every_line_of_every_logger_is_read_right",
        folder: "scripts/harness/workers/zoo",
        content: "the loggers",
    },
    TestPackages {
        test: "every_query_of_the_page_reads_the_archive",
        folder: "scripts/harness/duckdb",
        content: "DuckDB",
    },
];

/// Installs what the tests need whose name holds `filter`, unless it is there as the lockfiles have it.
pub(crate) fn install_needed(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let is_needed = |packages: &&TestPackages| filter.is_none_or(|it| packages.test.contains(it));
    ALL.iter()
        .filter(is_needed)
        .try_for_each(|packages| packages.install(workspace))
}

impl TestPackages {
    fn install(&self, workspace: &Workspace) -> Result<()> {
        // None needs an install script: loggers are bundled and never run by Node, DuckDB comes compiled.
        let folder = workspace.root().join(self.folder);
        Packages::read(workspace, &folder, Scripts::Ignore)?
            .install(|text| say(text), || Ok(()))
            .with_context(|| {
                format!(
                    "the test {} lacks {}\n\
                     hint: the native tests run without: cargo xtask test --native",
                    self.test, self.content
                )
            })
    }
}
