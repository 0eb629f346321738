//! The commands of the pages, run as they are written, against a stand-in for the API.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::fs;
use std::path::Path;

use support::letters::cloud_of;
use support::rows::a_request;
use support::{Cloud, Ran};

/// Commands that ask and end. Others are started by a person and stay: their words are read by `cargo xtask`'s tests.
const RUN: [&str; 5] = ["logs", "trace", "stats", "replay", "normalize"];

/// Returns the words behind `tailrace` in each line of the pages' shell blocks, with the page's name.
fn documented_commands() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        paths.push(entry.unwrap().path());
    }
    let mut found = Vec::new();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
    {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut in_shell = false;
        for line in fs::read_to_string(path).unwrap().lines() {
            let line = line.trim();
            if let Some(language) = line.strip_prefix("```") {
                in_shell = !in_shell && language == "sh";
                continue;
            }
            let line = line.strip_prefix("cargo ").unwrap_or(line);
            if let Some(rest) = line.strip_prefix("tailrace ").filter(|_| in_shell) {
                let words = rest.split_whitespace();
                let words = words.take_while(|word| !matches!(*word, "|" | "||" | ">" | "#"));
                let words = words.map(|word| word.trim_matches(['\'', '"']).to_owned());
                found.push((name.clone(), words.collect()));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_command_runs() {
    let mut count = 0;
    for (page, mut words) in documented_commands() {
        if !RUN.contains(&words[0].as_str()) {
            continue;
        }
        // It would go on for good, and it shows the same rows until then.
        words.retain(|word| word != "--follow");
        let cloud = cloud_of(3).await;
        for mut row in a_request() {
            if words[0] == "trace" && !words[1].starts_with('-') {
                row.correlation_id.clone_from(&words[1]);
            }
            cloud.insert(&row);
        }
        // Files are written there.
        let folder = tempfile::tempdir().unwrap();
        let is_local = words.iter().any(|word| word == "--local");
        words.retain(|word| word != "--local");
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = if is_local {
            cloud.run_local(&arguments).await
        } else {
            let mut command = cloud.command(&arguments);
            Ran::from(command.current_dir(folder.path()).output().await.unwrap())
        };
        // A letter that no filter takes, or that `--message` does not name, stays: that is said with 1.
        let fine: &[i32] = if words[0] == "replay" { &[0, 1] } else { &[0] };
        assert!(
            fine.contains(&ran.code) && !ran.stderr.contains("error:"),
            "{page}: tailrace {}\n{ran:?}",
            words.join(" ")
        );
        count += 1;
    }
    assert!(count > 15, "only {count} commands were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_shows_what_trace_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cloud = Cloud::start().await;
    // What the README's own request left behind in the sample system.
    let records = folder.join("tests/fixtures/my-first-trace.ndjson");
    support::rows::insert_records(&cloud.state().db, &records);
    let ran = cloud.run(&["trace", "my-first-trace", "--utc"]).await;
    let readme = fs::read_to_string(folder.join("../../README.md")).unwrap();
    let shown = format!("$ tailrace trace my-first-trace --utc\n{}```\n", ran.stdout);
    assert!(readme.contains(&shown), "the README lacks this:\n{shown}");
}
