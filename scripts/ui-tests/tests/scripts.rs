//! The scripts of the page and of its tests: typed, and formatted.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use checkout::Workspace;

/// The page's files.
const ASSETS: &str = "../tailrace/src/commands/ui/assets";

/// Runs a script of an npm package of this crate.
fn run_package(script: &str, arguments: &[&str]) {
    let workspace = Workspace::find().unwrap();
    let folder = workspace.root().join(ui_tests::FOLDER);
    ui_tests::packages::install_packages(&workspace, &folder, |_| ()).unwrap();
    let status = workspace
        .command("node")
        .unwrap()
        .arg(folder.join("node_modules").join(script))
        .args(arguments)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success(), "{script}: the lines above say why");
}

#[test]
fn the_scripts_of_the_page_are_typed() {
    run_package("typescript/bin/tsc", &["--project", "."]);
}

#[test]
fn the_files_of_the_page_are_formatted() {
    run_package(
        "prettier/bin/prettier.cjs",
        &[
            "--config",
            ".prettierrc.json",
            "--check",
            ASSETS,
            "browser",
            "chromium/path.mjs",
        ],
    );
}
