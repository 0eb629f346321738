//! The help texts of the commands that act on an account, and of `dev`, as golden files: a change of an option shows here as
//! a person will read it. `UPDATE_FIXTURES=1 cargo test -p xtask --test help` writes them anew: review the diff.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use similar::TextDiff;

#[test]
fn help_texts_are_as_they_were_reviewed() {
    for command in ["dev", "deploy", "destroy"] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args([command, "--help"])
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{command}.txt"));
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &help).unwrap();
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        let difference = TextDiff::from_lines(&golden, &help);
        assert!(
            help == golden,
            "{} changed:\n{}",
            file.display(),
            difference.unified_diff()
        );
    }
}
