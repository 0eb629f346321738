//! The rows that arrive in D1 where nothing fails, over real SQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::*;
use log_record::Level;
use log_writer::batch::Verdict::Ack;
use log_writer::settings::Settings;

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_statement_and_every_message_is_acked() {
    let world = world();
    let messages: Vec<_> = (0..100_usize)
        .map(|n| message(n, 1, good(n as u64 * 10..n as u64 * 10 + 10)))
        .collect();
    let (verdicts, stats) = world.process(&Settings::default(), &messages).await;
    assert_eq!(verdicts, [Ack; 100]);
    assert_eq!(rows(&world), 1000);
    assert_eq!(*world.store.calls.borrow(), [1]);
    assert_eq!(
        (
            stats.messages,
            stats.records,
            stats.rows_inserted,
            stats.duplicates
        ),
        (100, 1000, 1000, 0)
    );
    assert_eq!(stats.lag_ms, 999);
    assert_eq!(stats.level(), Level::Info);
}

#[tokio::test(start_paused = true)]
async fn large_batches_stay_within_a_parameter() {
    let world = world();
    let messages: Vec<_> = (0..100_usize)
        .map(|m| {
            let rows: Vec<String> = (0..12)
                .map(|n| row(m as u64 * 12 + n, "info").replace("line", &"x".repeat(10_000)))
                .collect();
            message(m, 1, envelope(&rows))
        })
        .collect();
    let (verdicts, stats) = world.process(&Settings::default(), &messages).await;
    assert_eq!(verdicts, [Ack; 100]);
    assert_eq!(stats.rows_inserted, 1200);
    // 12.2 MB in six transactions, at most 98 records a statement.
    assert_eq!(*world.store.calls.borrow(), [3, 3, 3, 3, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn values_arrive_in_d1_as_they_were_on_the_wire() {
    let world = world();
    let row = r#"["id-1","w","r","c","warn","\"q\" \\ \n \u0000 naïve 🦀 42",{"kind":"log","n":[1.50,12345678901234567890,1e400,null,"\u00e9"]},"2026-11-23T17:59:59.000Z",null]"#;
    let number = row.replace("id-1", "id-2").replace(",null]", ",12]");
    let (verdicts, _) = world
        .process(
            &Settings::default(),
            &[message(1, 1, envelope(&[row.to_owned(), number]))],
        )
        .await;
    assert_eq!(verdicts, [Ack]);
    let connection = world.store.connection.borrow();
    let (message, context, time): (String, String, Option<i64>) = connection
        .query_row(
            "SELECT message, context_json, execution_time_ms FROM tail_logs WHERE log_id = 'id-1'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(message, "\"q\" \\ \n \0 naïve 🦀 42");
    assert_eq!(
        context,
        r#"{"kind":"log","n":[1.50,12345678901234567890,1e400,null,"\u00e9"]}"#
    );
    assert_eq!(time, None);
    let kind: String = connection
        .query_row(
            "SELECT typeof(execution_time_ms) FROM tail_logs WHERE log_id = 'id-2'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kind, "integer");
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_twice_is_stored_once() {
    let world = world();
    let messages = [message(1, 1, good(0..10)), message(2, 1, good(5..15))];
    let (verdicts, stats) = world.process(&Settings::default(), &messages).await;
    assert_eq!(verdicts, [Ack; 2]);
    assert_eq!((stats.rows_inserted, stats.duplicates), (15, 5));
    let (verdicts, stats) = world.process(&Settings::default(), &messages).await;
    assert_eq!(verdicts, [Ack; 2]);
    assert_eq!((stats.rows_inserted, stats.duplicates), (0, 20));
    assert_eq!(rows(&world), 15);
}
