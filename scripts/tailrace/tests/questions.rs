//! Ten questions that operators ask, over what eleven real loggers wrote: the records that tail-ingest made of their lines,
//! as the local runtime handed them over. (The harness's test `zoo` asks the same of a system that runs.)

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use support::Cloud;
use support::questions::QUESTIONS;

/// The records of all loggers.
async fn zoo() -> Cloud {
    let cloud = Cloud::start().await;
    support::rows::insert_loggers(&cloud.state().db);
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_questions_of_operators_are_answered() {
    let cloud = zoo().await;
    let mut wrong = Vec::new();
    for question in &QUESTIONS {
        let ran = cloud.run(&question.command_line("2026-11-25T00:00Z")).await;
        assert_eq!(ran.code, 0, "{}: {}", question.asks, ran.stderr);
        wrong.extend(question.judge(&ran.stdout));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_what_its_lines_carried() {
    let cloud = zoo().await;
    let ran = cloud.run(&["trace", "own-of-loglevel", "--utc"]).await;
    ran.says("order placed order.id=7 order.prompt_tokens=12 ");
    ran.says("user.password=REDACTED user.apiKey=REDACTED user.hasPassword=true");
    let ran = cloud
        .run(&["trace", "own-of-loglevel", "-o", "logfmt"])
        .await;
    ran.says("message=\"order placed\" data.order.id=7 ");
}
