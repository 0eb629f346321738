//! Ten questions that operators ask, over what eleven real loggers wrote: the records that tail-ingest made of their lines,
//! as the local runtime handed them over. What each question must find was read from the loggers' own calls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs
)]

mod support;

use std::collections::BTreeMap;

use support::{Cloud, Ran};

/// The records of all loggers.
async fn zoo() -> Cloud {
    let cloud = Cloud::start().await;
    support::rows::insert_loggers(&cloud.state().db);
    cloud
}

/// Counts the records of an answer by correlation id, which names the logger.
fn by_id(ran: &Ran) -> BTreeMap<String, usize> {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut counts = BTreeMap::new();
    for record in ran.json() {
        let id = record["correlation_id"].as_str().unwrap().to_owned();
        *counts.entry(id).or_default() += 1;
    }
    counts
}

fn messages(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let records = ran.json();
    let messages = records.iter().map(|record| record["message"].as_str());
    messages
        .map(|message| message.unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_questions_of_operators_are_answered() {
    let cloud = zoo().await;
    let ask = async |arguments: &[&str]| {
        let all = [&["logs", "-n", "all", "--json"], arguments].concat();
        cloud.run(&all).await
    };
    let counts = |expected: &[(&str, usize)]| -> BTreeMap<String, usize> {
        let owned = expected
            .iter()
            .map(|(id, count)| ((*id).to_owned(), *count));
        owned.collect()
    };

    // 1. Whose card was declined? The words are in messages, in the errors that were passed along, and in data.
    let ran = ask(&["--level", "error", "--grep", "card declined"]).await;
    assert_eq!(
        by_id(&ran),
        counts(&[
            ("trace-of-consola", 2),
            ("trace-of-console", 2),
            ("trace-of-evlog", 2),
            ("trace-of-loglevel", 1),
            ("trace-of-logtape", 3),
            ("trace-of-pino", 1),
            ("trace-of-pino-node", 2),
            ("trace-of-tslog", 4),
            ("trace-of-winston", 1),
        ])
    );

    // 2. What became of order 7, whichever logger told of it?
    let ran = ask(&["-q", "order.id:7"]).await;
    assert_eq!(
        by_id(&ran),
        counts(&[
            ("own-of-consola", 1),
            ("own-of-console", 3),
            ("own-of-debug", 1),
            ("own-of-evlog", 2),
            ("own-of-loglevel", 1),
            ("own-of-pino", 3),
            ("own-of-pino-node", 1),
            ("own-of-tslog", 1),
            ("own-of-winston", 4),
        ])
    );

    // 3. And where did it go wrong?
    let ran = ask(&["-q", "order.id:7 level>=warn -worker:cron"]).await;
    let expected = ["colour placed", "warn: bright placed", "ERROR order failed"];
    let found = messages(&ran);
    assert_eq!(found.len(), 3, "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }

    // 4. Which requests came to one path?
    let ran = ask(&["-q", "path:/pino kind:invocation"]).await;
    assert_eq!(
        messages(&ran),
        ["GET /pino 200 (0 ms)", "GET /pino-node 200 (0 ms)"]
    );

    // 5. Which lines did the requests behind it log that are no news?
    let ran = ask(&[
        "--path", "/debug", "--kind", "log", "--grep", "PLACED", "-i", "-v",
    ])
    .await;
    assert_eq!(by_id(&ran), counts(&[("trace-of-debug", 5)]));

    // 6. In which function was it thrown?
    let ran = ask(&["--grep", "at speak", "--path", "/console"]).await;
    let expected = [
        "PaymentError: card declined",
        "payment failed PaymentError: card declined",
    ];
    assert_eq!(messages(&ran), expected);

    // 7. Which orders, by a pattern?
    let ran = ask(&[
        "--grep",
        r"order o-\d+ (placed|has)",
        "-E",
        "--since",
        "2026-11-25T00:00Z",
    ])
    .await;
    assert_eq!(
        messages(&ran),
        [
            "order o-7 has 2 items of 3, 1.5 kg: {\"a\":1}",
            "orders:api order o-7 has 2 items +1ms",
            "order o-7 placed"
        ]
    );

    // 8. Who asked for something that was moved? Half of an id is enough.
    let ran = ask(&["-q", "id:trace-of-ho 302"]).await;
    assert_eq!(messages(&ran), ["--> GET /hono/moved 302 0ms"]);

    // 9. What happened around it?
    let ran = ask(&["-q", "\"/hono/moved 302\"", "-C", "2"]).await;
    assert_eq!(
        messages(&ran),
        [
            "--> GET /hono/broken 500 0ms",
            "<-- GET /hono/moved",
            "--> GET /hono/moved 302 0ms"
        ]
    );

    // 10. A table of it, for a spreadsheet.
    let fields = "log_level,correlation_id,data.order.id";
    let ran = cloud
        .run(&[
            "logs",
            "-q",
            "order.id:7 path:/winston level:warn",
            "-o",
            "csv",
            "--fields",
            fields,
        ])
        .await;
    let row = "warn,own-of-winston,7\n";
    assert_eq!(
        ran.stdout,
        format!("{fields}\n{row}{row}"),
        "{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_what_its_lines_carried() {
    let cloud = zoo().await;
    let ran = cloud.run(&["trace", "own-of-loglevel", "--utc"]).await;
    ran.says("order placed order.id=7 order.prompt_tokens=12 ");
    ran.says("user.hasPassword=true user.password=REDACTED");
    let ran = cloud
        .run(&["trace", "own-of-loglevel", "-o", "logfmt"])
        .await;
    ran.says("message=\"order placed\" data.order.id=7 ");
}
