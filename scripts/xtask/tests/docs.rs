//! The documentation, held against the code: commands parse, settings exist.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use checkout::Workspace;
use clap::Parser as _;
use pipeline_settings::{Worker, table};
use similar::TextDiff;

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

/// Returns what stands behind `npx wrangler` on each line of a shell block, up to a pipe or a closing parenthesis.
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

/// Returns the words before the first option: those after it may be an option's value.
fn names(words: &[String]) -> &[String] {
    let end = words.iter().position(|word| word.starts_with("--"));
    &words[..end.unwrap_or(words.len())]
}

/// Returns what the pinned wrangler says of a command.
fn wrangler_help(workspace: &Workspace, names: &[String]) -> String {
    let mut wrangler = workspace.command("wrangler").unwrap();
    let output = wrangler.args(names).arg("--help").output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Half of the runbook is wrangler's: the pinned one has each command, with as many names and these options.
#[test]
fn every_documented_wrangler_command_is_one() {
    let workspace = Workspace::find().unwrap();
    let mut documented = Vec::new();
    for (name, text) in documents() {
        let commands = wrangler_commands(&text).into_iter();
        documented.extend(commands.map(|words| (name.clone(), words)));
    }
    assert!(documented.len() > 20, "{documented:?}");
    // Each command is asked once, two at a time: wrangler takes more than a second to start.
    let asked: BTreeSet<&[String]> = documented.iter().map(|(_, words)| names(words)).collect();
    let asked: Vec<&[String]> = asked.into_iter().collect();
    let helps: BTreeMap<&[String], String> = thread::scope(|scope| {
        let halves: Vec<_> = asked
            .chunks(asked.len().div_ceil(2))
            .map(|half| {
                let workspace = &workspace;
                scope.spawn(move || {
                    let ask = half.iter().map(|it| (*it, wrangler_help(workspace, it)));
                    ask.collect::<Vec<_>>()
                })
            })
            .collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    for (name, words) in &documented {
        let names = names(words);
        let help = &helps[names];
        // `wrangler queues info <name>`
        let usage = help.lines().next().unwrap_or_default();
        let (places, path): (Vec<&str>, Vec<&str>) = usage
            .split_whitespace()
            .skip(1)
            .partition(|word| word.starts_with(['<', '[']));
        let shown = words.join(" ");
        assert!(
            path.iter().zip(names).all(|(known, given)| known == given)
                && !path.is_empty()
                && names.len() >= path.len()
                && names.len() <= path.len() + places.len(),
            "{name}: wrangler {shown}\n{usage}"
        );
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(
                help.contains(&format!("{option} ")),
                "{name}: {shown}\n{help}"
            );
        }
    }
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

/// A row of a table of settings.
#[derive(Debug)]
struct Row {
    name: String,
    default: String,
    bounds: String,
}

/// The table rows below the heading `section` that name a setting in code.
fn documented_settings(text: &str, section: &str) -> Vec<Row> {
    text.lines()
        .skip_while(|line| *line != section)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let mut cell = || cells.next().map(str::to_owned);
            Some(Row {
                name: cell()?.trim_end_matches('`').to_owned(),
                default: cell()?,
                bounds: cell()?,
            })
        })
        .collect()
}

/// The words between back quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The settings with one of them set, and whether the Worker has nothing to say against it.
type Read = fn(&str, &str) -> (String, bool);

fn tail_ingest_reads(name: &str, text: &str) -> (String, bool) {
    let (settings, malformed) =
        tail_ingest::settings::Settings::read(|asked| (asked == name).then(|| text.to_owned()));
    (format!("{settings:?}"), malformed.is_empty())
}

fn log_writer_reads(name: &str, text: &str) -> (String, bool) {
    let (settings, malformed) =
        log_writer::settings::Settings::read(|asked| (asked == name).then(|| text.to_owned()));
    (format!("{settings:?}"), malformed.is_empty())
}

/// Returns whether the code has this default, takes what is within these bounds, and takes nothing beyond them.
fn compare(row: &Row, read: Read) {
    let (default, _) = read("", "");
    let taken = |text: &str| {
        let (settings, fine) = read(&row.name, text);
        assert!(fine, "{text:?} is not taken: {row:?}");
        settings
    };
    let refused = |text: &str| {
        assert_eq!(
            read(&row.name, text),
            (default.clone(), false),
            "{text:?}: {row:?}"
        );
    };
    assert_eq!(read(&row.name, " ").0, default, "blank: {row:?}");
    match quoted(&row.default).as_slice() {
        [text] => assert_eq!(taken(text), default, "{row:?}"),
        _ => assert_eq!(row.default, "none"),
    }
    if let Some((least, most)) = row.bounds.split_once(" to ") {
        let number = |text: &str| text.replace(',', "").parse::<i64>().unwrap();
        let (least, most) = (number(least), number(most));
        assert_ne!(
            taken(&least.to_string()),
            taken(&most.to_string()),
            "{row:?}"
        );
        refused(&(least - 1).to_string());
        refused(&(most + 1).to_string());
        refused("many");
        return;
    }
    let (bounds, except) = row.bounds.split_once("; not ").unwrap_or((&row.bounds, ""));
    let words = quoted(bounds);
    let mut different: Vec<_> = words.iter().map(|word| taken(word)).collect();
    if bounds.contains("names") {
        different.push(taken("some-name other-name"));
        refused("\u{201c}quoted\u{201d}");
    } else {
        refused("some-name");
    }
    different.sort();
    different.dedup();
    let expected = words.len() + usize::from(bounds.contains("names"));
    assert_eq!(different.len(), expected, "{row:?}");
    quoted(except).into_iter().for_each(refused);
}

#[test]
fn every_documented_default_and_bound_is_the_codes() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let workers: [(_, Read, _); 2] = [
        ("## tail-ingest", tail_ingest_reads, 9),
        ("## log-writer", log_writer_reads, 7),
    ];
    for (section, read, count) in workers {
        let mut rows = documented_settings(&text, section);
        rows.retain(|row| row.name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        assert_eq!(rows.len(), count, "{section}");
        for row in &rows {
            compare(row, read);
        }
    }
}

/// The tables of settings are those of `pipeline_settings`; `UPDATE_FIXTURES=1` writes them.
#[test]
fn the_documented_settings_are_the_tables() {
    let path = root().join("docs/configuration.md");
    let mut text = fs::read_to_string(&path).unwrap();
    for worker in [Worker::TailIngest, Worker::LogWriter] {
        let section = text.find(&format!("\n## {}\n", worker.name())).unwrap();
        let head = "| setting | default | bounds | meaning |\n";
        let start = section + text[section..].find(head).unwrap();
        let end = start + text[start..].find("\n\n").unwrap() + 1;
        let wanted = table::to_markdown(worker);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            text.replace_range(start..end, &wanted);
        } else {
            let difference = TextDiff::from_lines(&text[start..end], &wanted);
            assert!(
                text[start..end] == wanted,
                "UPDATE_FIXTURES=1 writes the table anew:\n{}",
                difference.unified_diff()
            );
        }
    }
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, text).unwrap();
    }
}

/// The second table of log-writer is that of its wrangler configuration, which sets no `vars` besides.
#[test]
fn the_documented_values_of_wrangler_are_its() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let config = |worker: Worker| -> toml_edit::DocumentMut {
        let path = root().join(format!("wrangler/{}.toml", worker.name()));
        fs::read_to_string(path).unwrap().parse().unwrap()
    };
    assert!(config(Worker::TailIngest).get("vars").is_none());
    let config = config(Worker::LogWriter);
    assert!(config.get("vars").is_none());
    let consumer = config["queues"]["consumers"][0].as_table_like().unwrap();
    let mut rows = documented_settings(&text, "## log-writer");
    rows.retain(|row| table::find(&row.name).is_none());
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let known = [
        "max_batch_size",
        "max_batch_timeout",
        "max_retries",
        "max_concurrency",
        "crons",
    ];
    assert_eq!(names, known);
    let crons = config["triggers"]["crons"].as_array().unwrap();
    let crons: Vec<String> = crons
        .iter()
        .map(|cron| format!("`{}`", cron.as_str().unwrap()))
        .collect();
    for row in &rows {
        let value = match consumer.get(&row.name) {
            Some(value) => value.as_integer().unwrap().to_string(),
            None => crons.join(", "),
        };
        assert_eq!(row.default, value, "{row:?}");
    }
}

/// Returns the time that deliveries go on, in the words of every page that says so.
#[test]
fn the_documented_patience_of_log_writer_is_the_codes() {
    let settings = log_writer::settings::Settings::default();
    for deliveries in [
        settings.max_attempts,
        log_writer::settings::PLATFORM_DELIVERIES,
    ] {
        let seconds = settings.patience_seconds(deliveries);
        let words = format!("{} h {} min", seconds / 3600, seconds % 3600 / 60);
        for name in ["runbook.md", "configuration.md"] {
            let text = fs::read_to_string(root().join("docs").join(name)).unwrap();
            assert!(text.contains(&words), "{name}: {words}");
        }
    }
}

/// The table of levels names each spelling that the code knows, and no other.
#[test]
fn the_documented_level_names_are_those_of_the_code() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let (_, table) = text.split_once("| level | names |\n").unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map_while(|line| line.strip_prefix("| `"));
    let mut documented = Vec::new();
    for row in rows {
        let (level, names) = row.split_once("` | ").unwrap();
        let names = names.trim_end_matches(" |").split(", ");
        documented.extend(names.map(|name| (name.trim_matches('`').to_owned(), level.to_owned())));
    }
    let mut known: Vec<_> = log_record::level::ALIASES
        .iter()
        .map(|(name, level)| ((*name).to_owned(), level.to_string()))
        .collect();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

/// Each reason that an operator reads in a summary is found in the runbook.
#[test]
fn the_documented_reasons_are_those_of_the_summary() {
    let folder = root().join("scripts/tailrace/src/commands/replay");
    let said = fs::read_to_string(folder.join("table.rs")).unwrap();
    let text = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let (_, rows) = text
        .split_once("| `left …` | do |\n| --- | --- |\n")
        .unwrap();
    let mut count = 0;
    for row in rows.lines().map_while(|line| line.strip_prefix("| ")) {
        let (words, _) = row.split_once(" | ").unwrap();
        assert!(
            said.contains(words) || words.split(", ").all(|words| said.contains(words)),
            "{words}"
        );
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn the_help_of_deploy_has_its_exit_codes() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["deploy", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8_lossy(&output.stdout);
    let (_, codes) = help.split_once("Exit codes:").unwrap();
    for code in [" 0 ", " 1 ", " 2 "] {
        assert!(codes.contains(code), "{help}");
    }
}
