//! The tool's page, held against the tool: terms and options are read, and each example prints what stands below it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::fmt::Write as _;

use clap::CommandFactory as _;
use similar::TextDiff;
use support::Cloud;
use tailrace::cli::Cli;
use tailrace::query::Query;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tailrace.md");

fn page() -> String {
    std::fs::read_to_string(PAGE).unwrap()
}

/// Returns the table rows below a heading or a table's header, by cells.
fn table<'a>(page: &'a str, header: &str) -> Vec<Vec<&'a str>> {
    let (_, behind) = page.split_once(header).unwrap();
    behind
        .lines()
        .skip_while(|line| !line.starts_with("| `"))
        .map_while(|line| line.strip_prefix("| "))
        .map(|line| line.trim_end_matches(" |").split(" | ").collect())
        .collect()
}

/// Returns the texts between back quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_documented_term_is_read() {
    let page = page();
    let rows = table(&page, "| term | which records |");
    assert!(rows.len() >= 14, "{rows:?}");
    for term in rows.iter().flat_map(|cells| quoted(cells[0])) {
        let query = Query::parse(term).unwrap_or_else(|error| panic!("{term}: {error}"));
        assert!(!query.is_empty(), "{term}");
    }
}

#[test]
fn every_documented_option_is_one_and_its_term_is_read() {
    let page = page();
    let command = Cli::command();
    let logs = command.find_subcommand("logs").unwrap();
    let rows = table(&page, "| option | term |");
    assert!(rows.len() >= 7, "{rows:?}");
    for cells in &rows {
        for option in quoted(cells[0]) {
            let name = option.split(' ').next().unwrap();
            let name = name.trim_start_matches('-');
            let is_one = |argument: &clap::Arg| {
                argument.get_long() == Some(name)
                    || argument.get_short().map(String::from).as_deref() == Some(name)
            };
            assert!(logs.get_arguments().any(is_one), "{option}");
        }
        for term in quoted(cells[1]) {
            let examples = [
                ("LEVEL", "warn"),
                ("KIND", "log"),
                ("STATUS", "5xx"),
                ("MS", "5"),
            ];
            let term = examples
                .iter()
                .fold(term.to_owned(), |term, (name, value)| {
                    term.replace(name, value)
                });
            Query::parse(&term).unwrap_or_else(|error| panic!("{term}: {error}"));
        }
    }
}

/// Splits a command line as a shell does, where it has single quotes alone.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        for (place, word) in part.split(' ').enumerate() {
            if place > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(word);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_prints_what_stands_below_it() {
    let page = page();
    let cloud = Cloud::start().await;
    support::rows::insert_loggers(&cloud.state().db);
    let mut printed = String::new();
    let mut count = 0;
    for (index, block) in page.split("```console\n").enumerate() {
        if index == 0 {
            printed.push_str(block);
            continue;
        }
        printed.push_str("```console\n");
        let (examples, rest) = block.split_once("```").unwrap();
        for example in examples.split("$ tailrace ").skip(1) {
            let (line, _) = example.split_once('\n').unwrap();
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = cloud.run(&words).await;
            assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
            let _ = writeln!(printed, "$ tailrace {line}");
            for line in ran.stdout.lines() {
                let _ = writeln!(printed, "{}", line.trim_end());
            }
            count += 1;
        }
        let _ = write!(printed, "```{rest}");
    }
    assert!(count >= 4, "only {count} examples were found");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(PAGE, printed).unwrap();
    } else {
        let difference = TextDiff::from_lines(&page, &printed);
        assert!(
            page == printed,
            "UPDATE_FIXTURES=1 writes the page anew:\n{}",
            difference.unified_diff()
        );
    }
}
