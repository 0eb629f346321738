//! The ladder in the real local runtime: D1 locked, missing and full of bad records, queues and KV absent, crons. Each
//! test accounts for every record. `log-writer/tests/ladder.rs` has the same rungs, and more, without the runtime.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::thread::sleep;
use std::time::Duration;

use checkout::{poll, wait_for};
use harness::probes::record_keys;
use harness::{System, SystemBuilder};
use log_record::fallback::{BODIES, DEAD_LETTERS, ENVELOPES};
use log_record::{DeadLetter, DeadLetterPayload, Reason};
use serde_json::{Value, json};

/// Batches wait five seconds and redeliveries one; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn id(n: u64) -> String {
    format!("0193579c-0000-7000-8000-{n:012}")
}

fn ids(range: Range<u64>) -> BTreeSet<String> {
    range.map(id).collect()
}

fn record(n: u64, level: &str) -> Value {
    json!([
        id(n),
        "shop",
        format!("ray-{n}"),
        "order-1",
        level,
        format!("line {n}"),
        {"kind": "log", "seq": 0},
        "2036-11-23T17:57:06.376Z",
        null
    ])
}

fn envelope(records: impl IntoIterator<Item = Value>) -> String {
    json!({"v": 1, "records": records.into_iter().collect::<Vec<_>>()}).to_string()
}

fn good(range: Range<u64>) -> String {
    envelope(range.map(|n| record(n, "info")))
}

/// Messages of ten good records each.
fn tens(range: Range<u64>) -> Vec<String> {
    range
        .step_by(10)
        .map(|first| good(first..first + 10))
        .collect()
}

/// The ids in D1.
fn stored(system: &System) -> BTreeSet<String> {
    let rows = system.database().unwrap().rows("worker_name = ?1", "shop");
    rows.unwrap().into_iter().map(|row| row.log_id).collect()
}

/// The ids of a test's own records in dead letters. (The probe's invocations are records as well.)
fn buried(letters: &[DeadLetter]) -> Vec<String> {
    let keys = record_keys(letters).unwrap();
    let ids = keys.into_iter().map(|(_, id)| id);
    ids.filter(|id| id.starts_with("0193579c-0000-7000"))
        .collect()
}

/// Returns whether a line says that at least `messages` were sent back to the queue.
fn sent_back(line: &Value, messages: u64) -> bool {
    line["retried_messages"].as_u64() >= Some(messages)
}

fn wait_until_stored(system: &System, expected: &BTreeSet<String>) {
    let done = poll(LIMIT, || Ok((stored(system) == *expected).then_some(()))).unwrap();
    assert!(
        done.is_some(),
        "{} of {} records stored\n{}",
        stored(system).len(),
        expected.len(),
        system.server.output_tail()
    );
}

fn wait_for_letters(system: &System, enough: impl Fn(&[DeadLetter]) -> bool) -> Vec<DeadLetter> {
    let letters = wait_for("dead letters", LIMIT, || {
        let letters = system.dead_letters()?;
        Ok(enough(&letters).then_some(letters))
    });
    letters.unwrap_or_else(|error| {
        panic!(
            "{error}: {:?}\n{}",
            system.dead_letters().unwrap(),
            system.server.output_tail()
        )
    })
}

fn wait_for_line(system: &System, event: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let line = wait_for(&format!("a line about a {event}"), LIMIT, || {
        Ok(system.server.lines(event).into_iter().find(&is_it))
    });
    line.unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()))
}

#[test]
fn a_locked_database_delays_records_and_loses_none() {
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    let lock = system.database().unwrap().another_connection().unwrap();

    // For a moment: the retries of one delivery ride it out, or the next delivery does.
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    system.send(&tens(0..100)).unwrap();
    sleep(Duration::from_millis(5_200)); // the batch is delivered after five seconds
    lock.execute_batch("ROLLBACK").unwrap();
    wait_until_stored(&system, &ids(0..100));

    // For long: until the messages were sent back to the queue.
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    system.send(&tens(100..200)).unwrap();
    wait_for_line(&system, "batch", |line| sent_back(line, 10));
    lock.execute_batch("ROLLBACK").unwrap();
    wait_until_stored(&system, &ids(0..200));
    assert!(system.dead_letters().unwrap().is_empty());
}

#[test]
fn past_the_last_attempt_the_records_are_dead_letters() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.vary("log-writer", |config| {
        config.var("MAX_ATTEMPTS", 2); // without quotes, as one may well write it
    });
    let system = builder.start().unwrap();
    let lock = system.database().unwrap().another_connection().unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    system.send(&tens(0..100)).unwrap();
    let letters = wait_for_letters(&system, |letters| buried(letters).len() >= 100);
    lock.execute_batch("ROLLBACK").unwrap();
    system.send(&tens(100..150)).unwrap();
    wait_until_stored(&system, &ids(100..150));

    let found = buried(&letters);
    assert_eq!(found.len(), 100);
    assert_eq!(BTreeSet::from_iter(found), ids(0..100));
    for letter in &letters {
        assert_eq!(letter.reason, Reason::RetriesExhausted);
        assert_eq!(letter.attempts, 2);
        assert!(letter.detail.contains("locked"), "{}", letter.detail);
    }
}

#[test]
fn messages_wait_for_a_missing_table_until_it_is_migrated() {
    let system = SystemBuilder::probed()
        .unwrap()
        .without_migrations()
        .start()
        .unwrap();
    system.send(&tens(0..100)).unwrap();
    let line = wait_for_line(&system, "batch", |line| sent_back(line, 10));
    assert_eq!(line["d1_error"], "not_ready");
    system.migrate().unwrap();
    wait_until_stored(&system, &ids(0..100));
    assert!(system.dead_letters().unwrap().is_empty());
}

/// A table of this name hides SQLite's own function, as if there were none.
#[test]
fn a_database_without_jsonb_gets_a_statement_without_it() {
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    let database = system.database().unwrap();
    database
        .connection()
        .execute_batch("CREATE TABLE jsonb_each (value)")
        .unwrap();
    system.send(&tens(0..100)).unwrap();
    wait_until_stored(&system, &ids(0..100));
    system.send(&tens(100..200)).unwrap();
    wait_until_stored(&system, &ids(0..200));

    // It was learnt once.
    let retries = system
        .server
        .lines("batch")
        .iter()
        .filter_map(|line| line["d1_retries"].as_u64())
        .sum::<u64>();
    assert_eq!(retries, 1, "{}", system.server.output_tail());
    assert!(system.dead_letters().unwrap().is_empty());
}

#[test]
fn what_cannot_be_stored_is_told_apart_from_its_neighbours() {
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    let mut messages = tens(0..500);
    let with_a_bad_one = (500..510).map(|n| record(n, if n == 505 { "loud" } else { "info" }));
    messages.insert(10, envelope(with_a_bad_one));
    messages.insert(20, "no envelope".to_owned());
    messages.insert(30, json!({"v": 99, "records": "who knows"}).to_string());
    let too_long = "\"".repeat(127_000);
    messages.insert(40, too_long.clone());
    // The same messages twice, and messages that overlap with them.
    messages.extend(tens(0..100));
    messages.push(good(495..500));
    system.send(&messages).unwrap();

    let mut expected = ids(0..510);
    expected.remove(&id(505));
    wait_until_stored(&system, &expected);
    let letters = wait_for_letters(&system, |letters| letters.len() >= 4);
    let mut reasons: Vec<Reason> = letters.iter().map(|letter| letter.reason).collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            Reason::Undecodable,
            Reason::Undecodable,
            Reason::UnsupportedVersion,
            Reason::Rejected
        ]
    );
    assert_eq!(buried(&letters), [id(505)]);
    let rejected = letters
        .iter()
        .find(|letter| letter.reason == Reason::Rejected);
    assert!(rejected.unwrap().detail.contains("CHECK constraint failed"));
    let key = letters
        .iter()
        .find_map(|letter| match &letter.payload {
            DeadLetterPayload::BodyKey(key) => Some(key),
            _ => None,
        })
        .unwrap();
    assert!(key.starts_with(BODIES));
    assert_eq!(system.server.kv_value("FALLBACK", key).unwrap(), too_long);
}

#[test]
fn without_a_dead_letter_queue_dead_letters_are_kept_in_kv() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.vary("log-writer", |config| {
        config.remove_binding("DLQ");
    });
    let system = builder.start().unwrap();
    let mut messages = tens(0..50);
    messages.push("no envelope".to_owned());
    messages.push(envelope([record(60, "loud"), record(61, "info")]));
    system.send(&messages).unwrap();
    let mut expected = ids(0..50);
    expected.insert(id(61));
    wait_until_stored(&system, &expected);
    let letters = wait_for("parked dead letters", LIMIT, || {
        let letters = system.parked_dead_letters()?;
        Ok((letters.len() >= 2).then_some(letters))
    })
    .unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(buried(&letters), [id(60)]);
}

#[test]
fn without_kv_as_well_the_message_stays_on_the_queue() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.vary("log-writer", |config| {
        config.remove_binding("DLQ").remove_binding("FALLBACK");
    });
    let system = builder.start().unwrap();
    let mut messages = tens(0..50);
    messages.push("no envelope".to_owned());
    system.send(&messages).unwrap();
    wait_until_stored(&system, &ids(0..50));
    // It comes again, and again.
    wait_for("the second redelivery", LIMIT, || {
        let stays = system
            .server
            .lines("batch")
            .iter()
            .filter(|line| sent_back(line, 1) && line["kv_refusals"] == 1)
            .count();
        Ok((stays >= 2).then_some(()))
    })
    .unwrap();
}

#[test]
fn what_tail_ingest_cannot_queue_is_drained_from_kv() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.vary("tail-ingest", |config| {
        config.remove_binding("TAIL_LOGS");
    });
    let system = builder.start().unwrap();
    for request in 0..5 {
        system.log_lines(&format!("fallen-{request}"), 20).unwrap();
    }
    wait_for("envelopes in KV", LIMIT, || {
        let keys = system.server.kv_keys("FALLBACK", ENVELOPES)?;
        Ok((keys.len() >= 5).then_some(()))
    })
    .unwrap();
    let lock = system.database().unwrap().another_connection().unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    system.server.fire_cron("log-writer", "* * * * *").unwrap();
    lock.execute_batch("ROLLBACK").unwrap();
    let ill = wait_for_line(&system, "drain", |_| true);
    assert_eq!((&ill["envelopes"], &ill["more"]), (&json!(0), &json!(true)));
    assert_eq!(
        system.server.kv_keys("FALLBACK", ENVELOPES).unwrap().len(),
        5
    );

    // Healthy again; two drains at once do no harm.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                system.server.fire_cron("log-writer", "* * * * *").unwrap();
            });
        }
    });
    let database = system.database().unwrap();
    for request in 0..5 {
        let rows = database.correlated(&format!("fallen-{request}")).unwrap();
        assert_eq!(rows.len(), 21, "20 lines and the invocation: {rows:#?}");
    }
    assert_eq!(
        system.server.kv_keys("FALLBACK", "").unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn parked_dead_letters_move_to_the_queue() {
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    let parked = DeadLetter::new(
        Reason::Undecodable,
        "no envelope",
        1,
        "2036-11-23T17:57:06.376Z",
        DeadLetterPayload::Body("a body".to_owned()),
    );
    let key = format!("{DEAD_LETTERS}2036-11-23T17:57:06.376Z-0");
    let url = format!(
        "{}/cdn-cgi/local/explorer/api/storage/kv/namespaces/FALLBACK/values/{}",
        system.server.url(),
        key.replace('/', "%2F").replace(':', "%3A")
    );
    let answer = checkout::dev_server::agent(LIMIT)
        .put(&url)
        .send(parked.encode().unwrap());
    assert!(answer.unwrap().status().is_success());
    assert_eq!(system.parked_dead_letters().unwrap().len(), 1);

    system.server.fire_cron("log-writer", "* * * * *").unwrap();
    let letters = wait_for_letters(&system, |letters| !letters.is_empty());
    assert_eq!(letters[0].encode().unwrap(), parked.encode().unwrap());
    assert_eq!(
        system.server.kv_keys("FALLBACK", "").unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn expired_rows_are_rotated_out_while_new_ones_arrive() {
    const EXPIRED: u64 = 200_000;
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    let database = system.database().unwrap();
    // Expired rows over two days that ended eight days ago, and one that is about to be.
    let fill = format!(
        "INSERT INTO tail_logs (log_id, worker_name, correlation_id, log_level, message, timestamp) \
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {EXPIRED}) \
         SELECT printf('expired-%08d', n), 'old', 'order-' || (n / 10), 'info', 'line ' || n, \
         strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-8 days', '-' || (n * 0.864) || ' seconds') FROM n"
    );
    database.connection().execute_batch(&fill).unwrap();
    database
        .connection()
        .execute_batch(
            "INSERT INTO tail_logs (log_id, worker_name, log_level, message, timestamp) \
             SELECT 'recent', 'recent', 'info', 'm', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 days')",
        )
        .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| system.server.fire_cron("log-writer", "* * * * *").unwrap());
        for request in 0..20 {
            system
                .log_lines(&format!("meanwhile-{request}"), 10)
                .unwrap();
        }
    });
    let line = wait_for_line(&system, "rotation", |_| true);
    assert_eq!(line["rows_deleted"], EXPIRED);
    assert_eq!(
        (&line["finished"], &line["expired_left"]),
        (&json!(true), &json!(0))
    );
    let of = |worker: &str| {
        let sql = "SELECT count(*) FROM tail_logs WHERE worker_name = ?1";
        let count: Result<i64, _> = database
            .connection()
            .query_row(sql, [worker], |row| row.get(0));
        count.unwrap()
    };
    assert_eq!((of("old"), of("recent")), (0, 1));
    wait_for("the new rows", LIMIT, || {
        Ok((database.count()? == 1 + 20 * 11).then_some(()))
    })
    .unwrap();
}
