//! The page of `tailrace ui` on the running system, in a headless browser. `browser/*.test.mjs` has what is done and seen;
//! this starts everything, makes the requests that the page is asked about, and puts hostile and many rows beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use checkout::Workspace;
use checkout::wait_for;
use harness::system::API_TOKEN;
use harness::{Page, System, SystemBuilder, build_tool};
use serde_json::json;

/// Rows for the list to be scrolled through.
const MANY: u32 = 100_000;

/// The correlation id of the request that fails.
const FAILING: &str = "browser-test-failing";
/// The correlation id of a request that goes across the queue.
const PASSING: &str = "browser-test-passing";

/// The correlation id of a request whose lines are in the archive alone.
const ARCHIVED: &str = "archived-browser-test";

fn request(system: &System, method: &str, path: &str, id: &str) -> u16 {
    let bearer = format!("Bearer {API_TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-correlation-id", id),
        ("content-type", "application/json"),
    ];
    let body = match method {
        "POST" => r#"{"type":"user.signup","payload":{"plan":"pro"}}"#,
        _ => "",
    };
    system.request(method, path, &headers, body).unwrap().0
}

/// Makes a request, and leaves of its plain lines what `ROWS=index` would: objects that log-writer has put.
fn archive_lines(system: &System) {
    assert_eq!(request(system, "POST", "/events", ARCHIVED), 202);
    let database = system.database().unwrap();
    wait_for("objects of the request", Duration::from_secs(60), || {
        let crossed = database.correlated(ARCHIVED)?;
        let last = crossed.iter().map(|row| row.timestamp.as_str()).max();
        let has_consumed = crossed
            .iter()
            .any(|row| row.worker_name == "queue-consumer");
        let catalog = database.catalog()?;
        let is_archived = catalog
            .iter()
            .any(|row| Some(row.last_timestamp.as_str()) >= last);
        Ok((has_consumed && is_archived).then_some(()))
    })
    .unwrap();
    let connection = database.another_connection().unwrap();
    let gone = connection
        .execute(
            "DELETE FROM tail_logs WHERE correlation_id = ?1 AND log_level = 'info' AND context_json LIKE '{\"kind\":\"log\"%' \
             AND worker_name = 'triggers-api'",
            [ARCHIVED],
        )
        .unwrap();
    assert!(gone > 0);
    connection
        .execute("UPDATE archive_objects SET rows = 'index'", [])
        .unwrap();
}

/// Texts that a page must never take for markup, code or an order to the reader's eyes.
fn hostile_texts() -> Vec<String> {
    vec![
        "<script>window.pwned = 1</script>".to_owned(),
        "<img src=x onerror=\"window.pwned = 1\">".to_owned(),
        "javascript:window.pwned=1".to_owned(),
        "\u{202e}desrever\u{202c} \u{200b}\u{feff} \u{1b}[31mred\u{7} \u{0}nul\r\nline".to_owned(),
        "'\"`${window.pwned=1}</textarea></title>".to_owned(),
        "x".repeat(100_000),
        "\u{1f3f4}".repeat(2_000),
    ]
}

/// Stores rows that nobody of good will would log.
fn store_hostile(system: &System) {
    let database = system.database().unwrap();
    let mut nested = json!({"end": 1});
    for _ in 0..80 {
        nested = json!({"in": nested, "list": [nested]});
        if nested.to_string().len() > 20_000 {
            break;
        }
    }
    for (index, text) in hostile_texts().iter().enumerate() {
        let context = json!({
            "kind": "log", "seq": index,
            "data": {text.get(..40).unwrap_or(text): text, "__proto__": {"polluted": 1}, "constructor": text, "deep": nested},
            "stack": format!("{text}\n    at {text}"),
        });
        database
            .connection()
            .execute(
                "INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, context_json, \
                 timestamp) VALUES (?1, ?2, ?3, 'hostile', 'warn', ?4, ?5, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
                rusqlite::params![
                    format!("hostile-{index}"),
                    format!("<b>{index}</b>"),
                    text.chars().take(200).collect::<String>(),
                    text,
                    context.to_string()
                ],
            )
            .unwrap();
    }
    for (index, context) in [
        "[1,2]",
        "null",
        "\"text\"",
        "{\"kind\":7}",
        "not json",
        "1e999",
    ]
    .iter()
    .enumerate()
    {
        database
            .connection()
            .execute(
                "INSERT INTO tail_logs (log_id, worker_name, correlation_id, log_level, message, context_json, timestamp) \
                 VALUES (?1, 'odd', 'hostile', 'info', 'odd context', ?2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
                rusqlite::params![format!("odd-{index}"), context],
            )
            .unwrap();
    }
}

/// Stores rows of a program of good will that are hard to show: more than a list reads of them, and numbers that a
/// double does not hold.
fn store_large(system: &System) {
    let database = system.database().unwrap();
    let stack = "Error: too deep\n".to_owned() + &"    at again (deep.js:7:3)\n".repeat(200);
    for (id, message, context) in [
        (
            "large-exception",
            "Error: too deep",
            json!({"kind": "exception", "seq": 1, "event_type": "fetch", "name": "Error", "stack": stack}).to_string(),
        ),
        (
            "large-data",
            "a large line",
            format!(
                r#"{{"kind":"log","seq":2,"data":{{"order":77,"text":"{}"}}}}"#,
                "y".repeat(5_000)
            ),
        ),
        (
            "large-numbers",
            "large numbers",
            r#"{"kind":"log","seq":3,"data":{"snowflake":12345678901234567890,"rate":1.50}}"#.to_owned(),
        ),
    ] {
        database
            .connection()
            .execute(
                "INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, context_json, \
                 timestamp) VALUES (?1, 'large', 'large', 'large', 'error', ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-50 minutes'))",
                [id, message, &context],
            )
            .unwrap();
    }
}

/// Stores many plain rows of the hours before.
fn store_many(system: &System) {
    let database = system.database().unwrap();
    database
        .connection()
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) \
             INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, context_json, \
             timestamp) SELECT printf('many-%08d', i), 'many', printf('r-%d', i), printf('c-%d', i), 'info', \
             printf('line %d of many', i), '{\"kind\":\"log\",\"seq\":1,\"data\":{\"n\":' || i || '}}', \
             strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 hours', printf('-%d.%03d seconds', i / 10, i % 10)) FROM n",
            [MANY],
        )
        .unwrap();
}

/// Returns a script for the browser, with the system and the page in its environment.
fn script(workspace: &Workspace, chrome: &Path, system: &System, page: &Page) -> Command {
    let shots = workspace.root().join("target/ui-tests");
    std::fs::create_dir_all(&shots).unwrap();
    let mut node = workspace.command("node").unwrap();
    node.current_dir(workspace.root().join(ui_tests::FOLDER))
        .env("CHROME", chrome)
        .env("PAGE_URL", page.url())
        .env("PAGE_PID", page.process_id().to_string())
        .env("SYSTEM_URL", system.server.url())
        .env("SYSTEM_TOKEN", API_TOKEN)
        .env("SHOTS", &shots);
    node
}

#[test]
fn the_page_in_a_browser() {
    let workspace = Workspace::find().unwrap();
    let chrome = ui_tests::browser::find_or_install(&workspace, |_| ()).unwrap();
    let tool = match env::var_os(ui_tests::TOOL) {
        Some(tool) => PathBuf::from(tool),
        None => build_tool(&workspace).unwrap(),
    };
    let system = SystemBuilder::whole().unwrap().start().unwrap();
    // The request that is looked for is not the only one that fails.
    for other in 0..3 {
        assert_eq!(
            request(
                &system,
                "GET",
                "/debug/throw",
                &format!("other-failing-{other}")
            ),
            500
        );
        assert_eq!(
            request(&system, "GET", "/nowhere", &format!("other-wrong-{other}")),
            404
        );
    }
    assert_eq!(request(&system, "GET", "/debug/throw", FAILING), 500);
    assert_eq!(request(&system, "POST", "/events", PASSING), 202);
    let database = system.database().unwrap();
    wait_for("the rows of both requests", Duration::from_secs(60), || {
        let failing = database.correlated(FAILING)?;
        let passing = database.correlated(PASSING)?;
        let threw = failing.iter().any(|row| row.context("kind") == "exception");
        let crossed = passing
            .iter()
            .any(|row| row.worker_name == "queue-consumer");
        Ok((threw && crossed).then_some(()))
    })
    .unwrap();
    archive_lines(&system);
    store_hostile(&system);
    store_large(&system);
    store_many(&system);
    let [page, other] = [(); 2].map(|()| Page::start(&tool, system.server.port()).unwrap());

    let mut tests: Vec<_> =
        std::fs::read_dir(workspace.root().join(ui_tests::FOLDER).join("browser"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
            .collect();
    tests.sort();
    let status = script(&workspace, &chrome, &system, &page)
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(tests)
        .env("OTHER_URL", other.url())
        .env("FAILING", FAILING)
        .env("PASSING", PASSING)
        .env("ARCHIVED", ARCHIVED)
        .env("MANY", MANY.to_string())
        .status()
        .unwrap();
    assert!(status.success(), "{}", system.server.output_tail());
}

/// Makes the pictures of the README and of docs/ui.md anew, in `target/ui-tests`: look at them, and copy two to
/// docs/images.
#[test]
#[ignore = "takes two minutes to make pictures, and tests nothing"]
fn pictures() {
    let workspace = Workspace::find().unwrap();
    let chrome = ui_tests::browser::find_or_install(&workspace, |_| ()).unwrap();
    let tool = build_tool(&workspace).unwrap();
    let system = SystemBuilder::whole().unwrap().start().unwrap();
    let page = Page::start(&tool, system.server.port()).unwrap();
    let status = script(&workspace, &chrome, &system, &page)
        .arg("browser/pictures.mjs")
        .status()
        .unwrap();
    assert!(status.success(), "{}", system.server.output_tail());
}
