//! Loggers that people use, from npm, in a Worker: each of their lines as a row in D1, held against a table that says
//! what a person who wrote that line expects to find; and the operator's tool, asked about them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod expected;
#[path = "../../../tailrace/tests/support/questions.rs"]
#[expect(unreachable_pub, reason = "the tool's own tests share it")]
mod questions;

use std::time::{Duration, SystemTime};

use checkout::{Workspace, wait_for};
use clap::Parser as _;
use expected::{Id, LOGGERS, Line, REQUEST_IDS, TRACE_ID};
use harness::{Row, System, SystemBuilder};
use questions::{QUESTIONS, matches};
use tailrace::cli::{Cli, Command};
use tailrace::commands;
use tailrace::place::Place;

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest message of these lines, in characters, but for those that have a stack in their text: a person reads it
/// in one look.
const SHORT: usize = 400;
/// Beginning of each secret in the Worker.
const SECRET: &str = "zoo-secret";

/// The Worker's configuration, but for `main`.
const ZOO: &str = r#"
name = "zoo"
compatibility_date = "2026-11-01"
compatibility_flags = ["nodejs_compat"]
tail_consumers = [{ service = "tail-ingest" }]
"#;

#[test]
fn every_line_of_every_logger_is_read_right() {
    let worker = Workspace::find()
        .unwrap()
        .root()
        .join("scripts/harness/workers/zoo");
    assert!(
        worker.join("node_modules").exists(),
        "the loggers are not installed: run `cargo xtask test`, or `npm ci --ignore-scripts` in {}",
        worker.display()
    );
    // The harness runs a copy of the folder that `main` is in; the packages stay where they are.
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("index.js");
    let import = format!("export {{ default }} from {:?};\n", worker.join("zoo.js"));
    std::fs::write(&main, import).unwrap();
    let mut builder = SystemBuilder::workers(&["tail-ingest", "log-writer"]).unwrap();
    let system = builder
        .add_first(&format!("main = {main:?}\n{ZOO}"))
        .unwrap()
        .start()
        .unwrap();
    for (logger, _) in LOGGERS {
        // A request id: where the request brings a correlation id, that is better than a line's trace id.
        let id = request_id(logger);
        request(&system, logger, &[("x-request-id", &id)]);
    }
    request(&system, "ids", &[]);

    let mut wrong = Vec::new();
    for (logger, lines) in LOGGERS {
        check_lines(
            &lines_of(&system, logger, lines.len()),
            logger,
            lines,
            &mut wrong,
        );
    }
    // Without an id of the request's own, each line has that which the logger was given.
    check_lines(
        &lines_of(&system, "ids", REQUEST_IDS.len()),
        "ids",
        REQUEST_IDS,
        &mut wrong,
    );
    let database = system.database().unwrap();
    for row in database
        .rows(
            "instr(message || context_json || correlation_id, ?1) > 0",
            SECRET,
        )
        .unwrap()
    {
        wrong.push(format!("a secret is stored: {}", brief(&row)));
    }
    assert!(
        wrong.is_empty(),
        "{} of {} lines are read wrong:\n{}",
        wrong.len(),
        LOGGERS.iter().map(|(_, lines)| lines.len()).sum::<usize>() + REQUEST_IDS.len(),
        wrong.join("\n")
    );
    ask_operators_questions(&system);
}

/// Calls each logger again, by requests with a correlation id of their own, and asks about what comes of that alone.
fn ask_operators_questions(system: &System) {
    let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let began = began.unwrap().as_millis().to_string();
    for (logger, _) in LOGGERS {
        request(system, logger, &[("x-correlation-id", &request_id(logger))]);
    }
    let database = system.database().unwrap();
    let lines: usize = LOGGERS.iter().map(|(_, lines)| lines.len()).sum();
    wait_for("the lines of all loggers", LIMIT, || {
        let rows = database.rows(
            "json_extract(context_json, '$.kind') = 'log' AND unixepoch(timestamp, 'subsec') * 1000 >= ?1 + 0",
            &began,
        )?;
        Ok((rows.len() >= lines).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
    let wrong: Vec<_> = QUESTIONS
        .iter()
        .filter_map(|question| {
            let printed = run_tool(system, &question.command_line(&began));
            question.judge(&printed)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs `tailrace logs …` on the system and returns what it prints.
fn run_tool(system: &System, words: &[&str]) -> String {
    let port = format!("--local={}", system.server.port());
    let words = [&["tailrace", &port], words].concat();
    let cli = Cli::try_parse_from(&words).unwrap();
    let Command::Logs(arguments) = &cli.command else {
        panic!("{words:?}");
    };
    let place = Place::find(&cli.global, None, |_| None).unwrap();
    let mut printed = Vec::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let result = runtime.block_on(commands::logs::run(arguments, &place, &mut printed));
    result.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    String::from_utf8(printed).unwrap()
}

fn request(system: &System, logger: &str, headers: &[(&str, &str)]) {
    let (status, _, body) = system
        .request("GET", &format!("/{logger}"), headers, "")
        .unwrap();
    assert_eq!(status, 200, "{logger}: {body}");
}

/// The id that the request to `logger` brings.
fn request_id(logger: &str) -> String {
    format!("trace-of-{logger}")
}

/// The console lines of the request to `logger`, once `count` have come.
fn lines_of(system: &System, logger: &str, count: usize) -> Vec<Row> {
    let database = system.database().unwrap();
    let path = format!("GET /{logger} 200%");
    let mut found = Vec::new();
    let result = wait_for(&format!("{count} lines of {logger}"), LIMIT, || {
        found = database.rows(
            "request_id = (SELECT request_id FROM tail_logs WHERE message LIKE ?1 \
             AND json_extract(context_json, '$.kind') = 'invocation') \
             AND json_extract(context_json, '$.kind') = 'log'",
            &path,
        )?;
        Ok((found.len() >= count).then_some(()))
    });
    if let Err(error) = result {
        let found: Vec<String> = found.iter().map(brief).collect();
        panic!(
            "{error}\n{}\n{}",
            found.join("\n"),
            system.server.output_tail()
        );
    }
    assert_eq!(found.len(), count, "{logger}: {found:#?}");
    found
}

fn check_lines(rows: &[Row], logger: &str, lines: &[Line], wrong: &mut Vec<String>) {
    for (row, Line(level, message, id)) in rows.iter().zip(lines) {
        let id = match id {
            Id::Request => request_id(logger),
            Id::Own => format!("own-of-{logger}"),
            Id::Trace => TRACE_ID.to_owned(),
            Id::Given(id) => (*id).to_owned(),
        };
        let is_right = row.log_level == *level
            && matches(&row.message, message)
            && (row.message.chars().count() <= SHORT || row.message.contains("stack"))
            && !row.message.contains(['\u{1b}', '\u{9b}'])
            && !row.message.contains("color:")
            && matches(&row.correlation_id, &id)
            && (!id.starts_with("own-of-") || keeps_harmless(row));
        if !is_right {
            wrong.push(format!(
                "{logger}: {level} {message:?} {id}, but found {}",
                brief(row)
            ));
        }
    }
}

/// Returns whether what is not a secret has survived beside those that are.
fn keeps_harmless(row: &Row) -> bool {
    let stored = format!("{}{}", row.message, row.context);
    ["\"prompt_tokens\":12", "\"hasPassword\":true", "page=2"]
        .iter()
        .all(|kept| stored.replace("\\\"", "\"").contains(kept))
}

/// A row on one line.
fn brief(row: &Row) -> String {
    let context: String = row.context.to_string().chars().take(700).collect();
    format!(
        "{} {:?} {} {context}",
        row.log_level, row.message, row.correlation_id
    )
}
