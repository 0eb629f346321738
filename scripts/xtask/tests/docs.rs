//! What the documentation says, held against the code: commands parse, settings exist.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use e2e::Workspace;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README and everything in `docs/`, as name and text.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    for entry in root().join("docs").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The words after `program` on each line of a shell block that starts with it, up to a comment, pipe or variable part.
fn commands(text: &str, program: &str) -> Vec<Vec<String>> {
    let mut in_shell = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            in_shell = !in_shell && matches!(language, "sh" | "bash" | "console");
            continue;
        }
        let Some(rest) = line.strip_prefix(program).filter(|_| in_shell) else {
            continue;
        };
        let words = rest
            .split_whitespace()
            .take_while(|word| !word.starts_with('#') && !matches!(*word, "|" | ">" | "&&"))
            .map(|word| word.trim_matches(['\'', '"']).to_owned());
        found.push(words.collect());
    }
    found
}

#[test]
fn every_documented_tailrace_command_parses() {
    let mut count = 0;
    for (name, text) in documents() {
        for words in commands(&text, "cargo tailrace ") {
            let shown = words.join(" ");
            let words = ["tailrace".to_owned()].into_iter().chain(words);
            match tailrace::cli::Cli::try_parse_from(words) {
                Ok(_) => count += 1,
                Err(error) if !error.use_stderr() => count += 1, // --help
                Err(error) => unreachable!("{name}: tailrace {shown}\n{error}"),
            }
        }
    }
    assert!(count > 10, "only {count} commands were found");
}

#[test]
fn every_documented_xtask_command_parses() {
    let mut count = 0;
    for (name, text) in documents() {
        for words in commands(&text, "cargo xtask ") {
            // With --help nothing is done, but what stands before it is read.
            let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
                .args(&words)
                .arg("--help")
                .output()
                .unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{name}: cargo xtask {}\n{complaint}",
                words.join(" ")
            );
            count += 1;
        }
    }
    assert!(count > 5, "only {count} commands were found");
}

/// What stands behind `npx wrangler` on each line of a shell block, up to a pipe or a closing parenthesis.
fn wrangler_commands(text: &str) -> Vec<Vec<String>> {
    let mut in_shell = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(language) = line.trim().strip_prefix("```") {
            in_shell = !in_shell && language == "sh";
        } else if let Some((_, rest)) = line.split_once("npx wrangler ").filter(|_| in_shell) {
            let command = rest.split([')', '|', '#']).next().unwrap();
            found.push(command.split_whitespace().map(str::to_owned).collect());
        }
    }
    found
}

/// Half of the runbook is wrangler's: the pinned one has each command, with as many names and these options.
#[test]
fn every_documented_wrangler_command_is_one() {
    let workspace = Workspace::find().unwrap();
    let mut count = 0;
    for (name, text) in documents() {
        for words in wrangler_commands(&text) {
            let is_option = |word: &String| word.starts_with("--");
            // An option's value is none of the names.
            let names: Vec<_> = words.iter().take_while(|word| !is_option(word)).collect();
            let output = workspace
                .command("wrangler")
                .unwrap()
                .args(&names)
                .arg("--help")
                .output()
                .unwrap();
            let help = String::from_utf8_lossy(&output.stdout).into_owned();
            // `wrangler queues info <name>`
            let usage = help.lines().next().unwrap_or_default();
            let (places, path): (Vec<&str>, Vec<&str>) = usage
                .split_whitespace()
                .skip(1)
                .partition(|word| word.starts_with(['<', '[']));
            let shown = words.join(" ");
            assert!(
                path.iter().zip(&names).all(|(known, given)| known == given)
                    && !path.is_empty()
                    && names.len() >= path.len()
                    && names.len() <= path.len() + places.len(),
                "{name}: wrangler {shown}\n{usage}"
            );
            for option in words.iter().filter(|word| is_option(word)) {
                assert!(
                    help.contains(&format!("{option} ")),
                    "{name}: {shown}\n{help}"
                );
            }
            count += 1;
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

/// Runs the snippet's handlers with a queue that keeps what it is sent, and prints what they log, send and answer.
const RUN_THE_SNIPPET: &str = r#"
import worker from "./snippet.mts";

const sent = [];
const env = { ORDERS: { send: async (message) => sent.push(message) } };
const order = (id) => new Request("https://shop.test/", {
  method: "POST", body: '{"items":3}', headers: id === null ? {} : { "x-correlation-id": id },
});
const answer = await worker.fetch(order("order-4711"), env);
console.log(`${answer.status} ${answer.headers.get("x-correlation-id")}`);
for (const unusable of [null, "x".repeat(200), "two words"]) {
  await worker.fetch(order(unusable), env);
}
console.log(JSON.stringify(sent.map((message) => message.correlation_id)));
const message = (id) => ({ body: { correlation_id: id }, attempts: 1, ack: () => console.log(`ack ${id}`) });
await worker.queue({ messages: [message("a"), message("b")] });
"#;

/// The TypeScript of `docs/correlation-ids.md` as the pinned Node runs it. (The Rust is a doctest of `producer-log`.)
#[test]
fn the_typescript_snippet_does_what_is_said_of_it() {
    let text = fs::read_to_string(root().join("docs/correlation-ids.md")).unwrap();
    let (_, rest) = text.split_once("```ts\n").unwrap();
    let (snippet, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("snippet.mts"), snippet).unwrap();
    fs::write(folder.path().join("run.mjs"), RUN_THE_SNIPPET).unwrap();
    let mut node = Workspace::find().unwrap().command("node").unwrap();
    let output = node.arg(folder.path().join("run.mjs")).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = |level, message, id, context| {
        format!(
            r#"{{"level":"{level}","message":"{message}","correlation_id":"{id}","context":{context}}}"#
        )
    };
    let lines: Vec<&str> = printed.lines().collect();
    let taken = line("info", "order taken", "order-4711", r#"{"method":"POST"}"#);
    assert_eq!(lines[..2], [taken.as_str(), "202 order-4711"]);
    let ids: Vec<String> = serde_json::from_str(lines[5]).unwrap();
    assert_eq!(ids[0], "order-4711");
    for made in &ids[1..] {
        assert!(uuid::Uuid::parse_str(made).is_ok(), "{made}");
    }
    for (position, id) in [(6, "a"), (8, "b")] {
        let packed = line("info", "order packed", id, r#"{"attempts":1}"#);
        let ack = format!("ack {id}");
        assert_eq!(
            lines[position..position + 2],
            [packed.as_str(), ack.as_str()]
        );
    }
}

/// The first column of the table rows below the heading `section` that name a setting in code.
fn documented_settings(text: &str, section: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| *line != section)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_documented_settings_are_the_ones_there_are() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    assert_eq!(
        documented_settings(&text, "## tail-ingest"),
        tail_ingest::settings::NAMES
    );

    // log-writer's file names them all.
    let config = fs::read_to_string(root().join("wrangler/log-writer.toml")).unwrap();
    let config: toml_edit::DocumentMut = config.parse().unwrap();
    let vars = config["vars"].as_table().unwrap();
    let names: Vec<&str> = vars.iter().map(|(name, _)| name).collect();
    assert_eq!(documented_settings(&text, "## log-writer"), names);
    for (name, value) in vars {
        let row = format!("| `{name}` | `{}` |", value.as_str().unwrap());
        assert!(text.contains(&row), "no row beginning {row}");
    }
}
