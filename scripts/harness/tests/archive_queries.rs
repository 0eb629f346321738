//! The queries of docs/archive.md, on objects that log-writer has put into the real local R2: in `DuckDB` as the lockfile of
//! `duckdb/` pins it, and those that delete a day in D1. `cargo xtask test` installs `DuckDB`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use checkout::{Scratch, Workspace, process, wait_for};
use harness::SystemBuilder;
use serde_json::{Value, json};

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Requests of the day that the page asks about.
const REQUESTS: u64 = 20;

/// Records of a request: its invocation, and two lines.
const RECORDS: u64 = 3;

/// A message with one request at `hour` of `day`; `data` is what its first line logs.
fn request(number: u64, day: u64, hour: u64, data: &Value) -> String {
    let record = |n: u64| {
        json!([
            format!("0193579c-{number:04x}-7000-8000-{n:012}"),
            if number.is_multiple_of(2) {
                "shop"
            } else {
                "pay"
            },
            format!("ray-{number}"),
            // No UUID, as the runtime's own ids are: a reader that takes all of them for such fails here.
            format!("order-{number}"),
            if n == 2 { "warn" } else { "info" },
            format!("line {n} of request {number}"),
            match n {
                0 => json!({"kind": "invocation", "outcome": "ok", "latency_ms": number}),
                1 => json!({"kind": "log", "data": data}),
                _ => json!({"kind": "log"}),
            },
            format!("2036-11-{day}T{hour:02}:30:00.{n:03}Z"),
            3
        ])
    };
    let records: Vec<Value> = (0..RECORDS).map(record).collect();
    json!({"v": 1, "records": records}).to_string()
}

/// The page's blocks of `language`.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1);
    blocks
        .map(|rest| rest.split("\n```").next().unwrap().to_owned())
        .collect()
}

/// Runs `statements` in `DuckDB`, in `folder`; returns the rows of each.
fn query(workspace: &Workspace, folder: &Path, statements: &[String]) -> Vec<Vec<Value>> {
    let duckdb = workspace.harness_dir().join("duckdb");
    assert!(
        duckdb.join("node_modules").exists(),
        "DuckDB is not installed: cargo xtask test every_query_of_the_page"
    );
    let file = folder.join("statements.json");
    fs::write(&file, serde_json::to_string(statements).unwrap()).unwrap();
    let mut command = workspace.command("node").unwrap();
    command
        .arg(duckdb.join("query.mjs"))
        .arg(&file)
        .current_dir(folder);
    let printed = process::capture(&mut command).unwrap();
    assert!(printed.status.success(), "{}", printed.stderr);
    serde_json::from_str(&printed.stdout).unwrap()
}

fn number(value: &Value) -> u64 {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string()).parse().unwrap()
}

#[test]
fn every_query_of_the_page_reads_the_archive() {
    let workspace = Workspace::find().unwrap();
    let page = fs::read_to_string(workspace.root().join("docs/archive.md")).unwrap();
    // Ten years later: the rotation would delete rows of the page's own days.
    let page = page.replace("2026-11-", "2036-11-");

    let mut builder = SystemBuilder::probed().unwrap();
    builder.archive("all");
    let system = builder.start().unwrap();
    let mut bodies: Vec<String> = (0..REQUESTS)
        .map(|n| {
            request(
                n,
                25,
                [3, 12][usize::from(n >= 10)],
                &json!({"order_id": n}),
            )
        })
        .collect();
    // A new member, a member of another type, and data that is not an object: inference loses or refuses each of them.
    bodies.push(request(
        REQUESTS,
        26,
        12,
        &json!({"order_id": "A-1", "coupon": "SPRING"}),
    ));
    bodies.push(request(REQUESTS + 1, 26, 12, &json!("text")));
    // A copy, as a redelivery leaves it.
    bodies.push(request(7, 25, 3, &json!({"order_id": 7})));
    system.send(&bodies).unwrap();
    let sent = bodies.len() as u64 * RECORDS;
    wait_for("the archive", LIMIT, || {
        let catalog = system.database()?.catalog()?;
        let counts = catalog.iter().flat_map(|row| &row.counts.0);
        let own = counts.filter(|(name, _)| *name == "shop" || *name == "pay");
        let total: u64 = own.flat_map(|(_, levels)| levels.values()).sum();
        // Copies in one object are one record.
        Ok((total >= sent - RECORDS).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));

    let folder = Scratch::new().unwrap();
    system.download_objects(folder.path()).unwrap();
    // The copies of an object's records in another one.
    let hour = folder.path().join("v1/dt=2036-11-25/hour=03");
    let object = fs::read_dir(&hour).unwrap().next().unwrap().unwrap().path();
    fs::copy(&object, hour.join("copy.ndjson.gz")).unwrap();

    let mut statements: Vec<String> = blocks(&page, "sql")
        .into_iter()
        .filter(|sql| !sql.contains("r2"))
        .collect();
    let shown = statements.len();
    statements.push(
        "SELECT context->>'$.data.coupon' AS coupon FROM logs ORDER BY coupon NULLS LAST"
            .to_owned(),
    );
    let results = query(&workspace, folder.path(), &statements);
    let [_, levels, trace, latencies, orders, copied] = &results[..shown] else {
        panic!("the page has {shown} queries");
    };
    // The probe's invocations are in the archive as well.
    let of = |rows: &[Value], column: &str| {
        let is_own = |row: &&Value| row["worker_name"] == "shop" || row["worker_name"] == "pay";
        let own = rows.iter().filter(is_own);
        own.map(|row| number(&row[column])).sum::<u64>()
    };
    assert_eq!(of(levels, "logs"), REQUESTS * RECORDS, "{levels:?}");
    assert_eq!(trace.len() as u64, RECORDS, "{trace:?}");
    assert_eq!(of(latencies, "requests"), REQUESTS + 2, "{latencies:?}");
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert!(
        number(&copied[0]["Count"]) >= (REQUESTS + 2) * RECORDS,
        "{copied:?}"
    );
    assert!(folder.path().join("logs/dt=2036-11-26/hour=12").exists());
    assert_eq!(results[shown][0]["coupon"], "SPRING");

    // The statements that delete a day.
    let mut connection = system.database().unwrap().another_connection().unwrap();
    let transaction = connection.transaction().unwrap();
    let deletes: Vec<String> = blocks(&page, "sh")
        .iter()
        .flat_map(|block| block.split('"').map(str::to_owned).collect::<Vec<_>>())
        .filter(|text| text.starts_with("DELETE"))
        .collect();
    assert_eq!(deletes.len(), 1, "{deletes:?}");
    transaction.execute_batch(&deletes[0]).unwrap();
    let count = |sql: &str| -> u64 {
        let count: i64 = transaction.query_row(sql, [], |row| row.get(0)).unwrap();
        count.unsigned_abs()
    };
    for (table, day) in [
        ("tail_logs", "timestamp"),
        ("archive_objects", "first_timestamp"),
    ] {
        let left = |date: &str| {
            count(&format!(
                "SELECT count(*) FROM {table} WHERE {day} LIKE '{date}%'"
            ))
        };
        assert_eq!(left("2036-11-25"), 0, "{table}");
        assert!(left("2036-11-26") > 0, "{table}");
    }
}
