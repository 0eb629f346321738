//! The whole help texts, as golden files: a change of an option shows here as a person will read it.
//!
//! `UPDATE_FIXTURES=1 cargo test -p tailrace --test help` writes them anew: review the diff.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::path::Path;

use similar::TextDiff;
use support::{Ran, bare};

/// Lines of a screen that shows a help text and the prompt below it.
const SCREEN_LINES: usize = 36;

/// Columns of a help text in a pipe, and at most on a terminal.
const COLUMNS: usize = 100;

const COMMANDS: [&[&str]; 14] = [
    &[],
    &["logs"],
    &["trace"],
    &["stats"],
    &["ui"],
    &["sql"],
    &["mcp"],
    &["status"],
    &["replay"],
    &["archive"],
    &["archive", "ls"],
    &["archive", "get"],
    &["normalize"],
    &["completions"],
];

#[tokio::test]
async fn help_texts_are_as_they_were_reviewed() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut changed = Vec::new();
    for command in COMMANDS {
        for option in ["-h", "--help"] {
            let ran: Ran = bare(&[command, &[option]].concat())
                .output()
                .await
                .unwrap()
                .into();
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let name = match command {
                [] => "tailrace".to_owned(),
                words => words.join("-"),
            };
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/help")
                .join(format!("{name}{option}.txt"));
            if update {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, &ran.stdout).unwrap();
            }
            let golden = std::fs::read_to_string(&file).unwrap_or_default();
            if golden != ran.stdout {
                let difference = TextDiff::from_lines(&golden, &ran.stdout);
                let name = file.display();
                changed.push(format!("{name}\n{}", difference.unified_diff()));
            }
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

#[tokio::test]
async fn the_short_help_fits_a_screen() {
    for command in COMMANDS {
        let ran: Ran = bare(&[command, &["-h"]].concat())
            .output()
            .await
            .unwrap()
            .into();
        let lines = ran.stdout.lines().count();
        assert!(lines <= SCREEN_LINES, "{command:?}: {lines} lines");
        for line in ran.stdout.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }
}
