//! Each rung of the ladder: what happens when D1, the queue or KV misbehaves, over real SQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::borrow::Cow;

use common::*;
use log_record::fallback::{BODIES, DEAD_LETTERS};
use log_record::limits::MESSAGE_BODY_BYTES;
use log_record::{DeadLetterPayload, Reason};
use log_writer::batch::Verdict::{Ack, Retry};
use log_writer::batch::process_batch;
use log_writer::d1_error::ErrorKind;
use log_writer::message::{Body, Message, MessageSource};
use log_writer::ports::CallError;
use log_writer::settings::{Route, Settings};

fn settings() -> Settings {
    Settings::default()
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_trouble_is_ridden_out_within_the_invocation() {
    let world = world();
    world.store.faults.set([Fault::Before(LOCKED); 3]);
    let (verdicts, stats) = world
        .process(&settings(), &[message(1, 1, good(0..10))])
        .await;
    assert_eq!(verdicts, [Ack]);
    assert_eq!((rows(&world), stats.d1_retries), (10, 3));
    let slept_ms = world.clock.elapsed_ms();
    assert!((347..=1_050).contains(&slept_ms), "{slept_ms} ms");
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_after_the_commit_doubles_nothing() {
    let world = world();
    world
        .store
        .faults
        .set([Fault::After("D1_ERROR: Network connection lost.")]);
    let (verdicts, stats) = world
        .process(&settings(), &[message(1, 1, good(0..10))])
        .await;
    assert_eq!(verdicts, [Ack]);
    assert_eq!((rows(&world), stats.duplicates), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn longer_trouble_delays_the_messages_more_each_time() {
    let world = world();
    world.store.faults.always(LOCKED);
    for (attempts, delay_seconds) in [(1, 10), (2, 20), (3, 40), (15, 600)] {
        let (verdicts, stats) = world
            .process(&settings(), &[message(1, attempts, good(0..10))])
            .await;
        assert_eq!(verdicts, [Retry { delay_seconds }]);
        assert_eq!(stats.retried_messages, 1);
        assert_eq!(stats.d1_error, Some(ErrorKind::Transient));
    }
    assert_eq!(letters(&world).len() + kept(&world, "").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_database_is_left_alone_at_once_and_longer() {
    let world = world();
    world.store.faults.always(OVERLOADED);
    let (verdicts, _) = world
        .process(&settings(), &[message(1, 1, good(0..10))])
        .await;
    assert_eq!(verdicts, [Retry { delay_seconds: 80 }]);
    assert_eq!(world.store.calls.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_records_are_dead_letters() {
    let world = world();
    world.store.faults.always(LOCKED);
    let messages = [message(1, 16, good(0..10)), message(2, 15, good(10..20))];
    let (verdicts, stats) = world.process(&settings(), &messages).await;
    assert_eq!(verdicts, [Ack, Retry { delay_seconds: 600 }]);
    let letters = letters(&world);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, Reason::RetriesExhausted);
    assert_eq!(letters[0].detail, LOCKED);
    assert_eq!(letters[0].attempts, 16);
    let failed_at = &letters[0].failed_at;
    assert!(failed_at.starts_with("2026-11-23T18:00:0"), "{failed_at}");
    assert_eq!(
        ids_of_letter(&world, &letters[0]),
        (0..10).map(id).collect::<Vec<_>>()
    );
    assert_eq!(stats.dead_letters[&Reason::RetriesExhausted], 1);
    assert_eq!(stats.dead_letter_records, 10);
}

#[tokio::test(start_paused = true)]
async fn neighbours_of_undecodable_bodies_are_stored() {
    let world = world();
    let mut object = message(4, 1, "");
    object.body = Body::Other(good(20..21)); // would be an envelope if it were text
    let messages = [
        message(1, 1, good(0..5)),
        message(2, 1, "no JSON"),
        message(3, 1, r#"{"v":2,"records":"who knows"}"#),
        object,
        message(5, 1, r#"{"v":1,"records":[["too","short"]]}"#),
        message(6, 1, good(5..10)),
        message(7, 1, envelope(&[])),
    ];
    let (verdicts, stats) = world.process(&settings(), &messages).await;
    assert_eq!(verdicts, [Ack; 7]);
    assert_eq!(rows(&world), 10);
    let found: Vec<_> = letters(&world)
        .into_iter()
        .map(|letter| match letter.payload {
            DeadLetterPayload::Body(body) => (letter.reason, body),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            (Reason::Undecodable, "no JSON".to_owned()),
            (
                Reason::UnsupportedVersion,
                r#"{"v":2,"records":"who knows"}"#.to_owned()
            ),
            (Reason::Undecodable, good(20..21)),
            (
                Reason::Undecodable,
                r#"{"v":1,"records":[["too","short"]]}"#.to_owned()
            ),
        ]
    );
    assert_eq!(stats.dead_letters[&Reason::Undecodable], 3);
    assert_eq!(stats.dead_letters[&Reason::UnsupportedVersion], 1);
}

/// Messages whose second one cannot be read.
struct Unreadable(Vec<Message>);

impl MessageSource for Unreadable {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn attempts(&self, index: usize) -> u32 {
        self.0.as_slice().attempts(index)
    }

    fn read(&self, index: usize) -> Result<Cow<'_, Message>, CallError> {
        match index {
            1 => Err(CallError::Refused("cannot be deserialized".to_owned())),
            _ => self.0.as_slice().read(index),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_comes_again_alone() {
    let world = world();
    let messages = Unreadable(tens(3, 1));
    let (verdicts, stats) = process_batch(&world.ports, &settings(), &messages).await;
    assert_eq!(verdicts, [Ack, Retry { delay_seconds: 10 }, Ack]);
    assert_eq!((stats.unreadable, stats.retried_messages), (1, 1));
    assert_eq!((rows(&world), letters(&world).len()), (20, 0));
}

/// Messages that have failed before may take many calls; new ones do not wait for them.
#[tokio::test(start_paused = true)]
async fn new_messages_are_written_first_and_apart() {
    let world = world();
    let messages = [
        message(1, 2, good(10..20)),
        message(2, 1, good(20..30)),
        message(3, 1, good(30..40)),
    ];
    world
        .store
        .faults
        .set([Fault::None, Fault::Before(OVERLOADED)]);
    let (verdicts, stats) = world.process(&settings(), &messages).await;
    assert_eq!(verdicts, [Retry { delay_seconds: 160 }, Ack, Ack]);
    assert_eq!((stats.slices, rows(&world)), (2, 20));
}

#[tokio::test(start_paused = true)]
async fn one_rejected_record_costs_its_neighbours_nothing() {
    let world = world();
    let mut middle: Vec<String> = (1000..1010).map(|n| row(n, "info")).collect();
    middle.insert(5, bad_row(7777));
    let mut messages: Vec<_> = (0..99_usize)
        .map(|n| message(n, 1, good(n as u64 * 10..n as u64 * 10 + 10)))
        .collect();
    messages.insert(50, message(99, 1, envelope(&middle)));
    let (verdicts, stats) = world.process(&settings(), &messages).await;
    assert_eq!(verdicts, [Ack; 100]);
    assert_eq!(rows(&world), 1000);
    let letters = letters(&world);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, Reason::Rejected);
    assert!(
        letters[0].detail.contains("CHECK constraint failed"),
        "{}",
        letters[0].detail
    );
    assert_eq!(ids_of_letter(&world, &letters[0]), [id(7777)]);
    assert_eq!(stats.dead_letter_records, 1);
    // Told apart in about 2 × (log2(100) + log2(11)) calls.
    assert!(
        world.store.calls.borrow().len() <= 23,
        "{:?}",
        world.store.calls
    );
}

#[tokio::test(start_paused = true)]
async fn rejected_records_of_one_message_share_a_letter() {
    let world = world();
    let rows = [bad_row(1), row(2, "info"), bad_row(3)];
    let (verdicts, _) = world
        .process(&settings(), &[message(1, 1, envelope(&rows))])
        .await;
    assert_eq!(verdicts, [Ack]);
    let letters = letters(&world);
    assert_eq!(letters.len(), 1);
    assert_eq!(ids_of_letter(&world, &letters[0]), [id(1), id(3)]);
    assert_eq!(world.store.ids(), [id(2)]);
}

#[tokio::test(start_paused = true)]
async fn messages_wait_for_a_missing_table() {
    let world = world();
    world
        .store
        .execute("ALTER TABLE tail_logs RENAME TO hidden");
    let batch = [message(1, 1, good(0..10))];
    let (verdicts, stats) = world.process(&settings(), &batch).await;
    assert_eq!(verdicts, [Retry { delay_seconds: 10 }]);
    assert_eq!(stats.d1_error, Some(ErrorKind::NotReady));
    assert_eq!(world.store.calls.borrow().len(), 1);
    world
        .store
        .execute("ALTER TABLE hidden RENAME TO tail_logs");
    assert_eq!(world.process(&settings(), &batch).await.0, [Ack]);
    assert_eq!((rows(&world), letters(&world).len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_fails_oddly_delays_neighbours_once() {
    let world = world();
    world.store.make_odd([3]);
    let batch = |attempts| {
        [
            message(1, attempts, good(0..5)),
            message(2, attempts, good(5..10)),
        ]
    };
    let (verdicts, stats) = world.process(&settings(), &batch(1)).await;
    assert_eq!(stats.d1_error, Some(ErrorKind::Unknown));
    assert_eq!(verdicts, [Retry { delay_seconds: 10 }; 2]);
    assert_eq!(rows(&world), 0);
    let (verdicts, _) = world.process(&settings(), &batch(2)).await;
    assert_eq!(verdicts, [Retry { delay_seconds: 20 }, Ack]);
    assert_eq!(rows(&world), 9);
    let (verdicts, _) = world.process(&settings(), &batch(16)).await;
    assert_eq!(verdicts, [Ack; 2]);
    let letters = letters(&world);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, Reason::RetriesExhausted);
    assert_eq!(ids_of_letter(&world, &letters[0]), [id(3)]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outage_is_not_hammered() {
    let world = world();
    world.store.faults.always(NEW);
    let messages: Vec<_> = (0..100_usize)
        .map(|n| message(n, 2, good(n as u64 * 10..n as u64 * 10 + 10)))
        .collect();
    let (verdicts, _) = world.process(&settings(), &messages).await;
    assert_eq!(verdicts, [Retry { delay_seconds: 20 }; 100]);
    assert!(
        world.store.calls.borrow().len() <= 5,
        "{:?}",
        world.store.calls
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_much_is_made_smaller_when_it_comes_again() {
    let world = world();
    world.store.faults.set([Fault::Before(TOO_MUCH)]);
    let (verdicts, _) = world
        .process(&settings(), &[message(1, 1, good(0..10))])
        .await;
    assert_eq!(verdicts, [Retry { delay_seconds: 80 }]);
    world.store.faults.set([Fault::Before(TOO_MUCH)]);
    let (verdicts, _) = world
        .process(&settings(), &[message(1, 2, good(0..10))])
        .await;
    assert_eq!((verdicts, rows(&world)), (vec![Ack], 10));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_rejected_records_stay_within_the_budget() {
    let world = world();
    let messages: Vec<_> = (0..10_usize)
        .map(|m| {
            let rows: Vec<String> = (0..200).map(|n| bad_row(m as u64 * 200 + n)).collect();
            message(m, 1, envelope(&rows))
        })
        .collect();
    let mut todo = messages;
    for _ in 0..10 {
        world.store.calls.borrow_mut().clear();
        let (verdicts, _) = world.process(&settings(), &todo).await;
        assert!(world.store.calls.borrow().iter().sum::<usize>() <= 1000);
        let mut verdicts = verdicts.into_iter();
        todo.retain(|_| verdicts.next().unwrap() != Ack);
    }
    assert_eq!(todo.len(), 0);
    let dead: usize = letters(&world)
        .iter()
        .map(|l| ids_of_letter(&world, l).len())
        .sum();
    assert_eq!(dead, 2000);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_fit_a_message_whatever_they_hold() {
    let world = world();
    // Rejected records that fill a message; one record that fills a message alone; a body that escaping makes too long.
    let wide = |n: u64, bytes: usize| {
        row_at(n, "loud", "2026-11-23T17:00:00.000Z").replace("line", &"\\n".repeat(bytes / 2))
    };
    let mut many: Vec<String> = (0..12).map(|n| wide(n, 10_000)).collect();
    // To the last byte: a dead letter's frame is larger than an envelope's, so these do not fit one letter.
    let room = MESSAGE_BODY_BYTES - envelope(&many).len();
    many[11] = wide(11, 10_000 + room);
    assert!(MESSAGE_BODY_BYTES - envelope(&many).len() < 2);
    let one = wide(100, MESSAGE_BODY_BYTES - 200);
    let body = "\"".repeat(MESSAGE_BODY_BYTES);
    let messages = [
        message(1, 1, envelope(&many)),
        message(2, 1, envelope(std::slice::from_ref(&one))),
        message(3, 1, body.clone()),
    ];
    let (verdicts, _) = world.process(&settings(), &messages).await;
    assert_eq!(verdicts, [Ack; 3]);
    let sent = world.queue.sent.borrow();
    for text in sent.iter() {
        assert!(text.len() <= MESSAGE_BODY_BYTES, "{}", text.len());
    }
    let mut ids: Vec<String> = letters(&world)
        .iter()
        .flat_map(|letter| ids_of_letter(&world, letter))
        .collect();
    ids.sort();
    let mut expected: Vec<String> = (0..12).chain([100]).map(id).collect();
    expected.push(body);
    expected.sort();
    assert!(ids == expected, "a record is missing or changed");
    assert_eq!(kept(&world, BODIES).len(), 2);
    assert_eq!(kept(&world, DEAD_LETTERS).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn when_the_queue_refuses_kv_keeps_the_letter_for_30_days() {
    let world = world();
    world.queue.faults.always("queue is down");
    let batch = [message(1, 1, "no JSON"), message(2, 1, good(0..3))];
    let (verdicts, stats) = world.process(&settings(), &batch).await;
    assert_eq!(verdicts, [Ack; 2]);
    assert_eq!(rows(&world), 3);
    let kept = kept(&world, DEAD_LETTERS);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].0, "dead-letter/2026-11-23T17:59:59.000Z-message1-0");
    assert!(kept[0].1.contains("no JSON"));
    let month = |ttl: &u64| *ttl == 30 * 86_400;
    assert!(world.kv.ttls.borrow().values().all(month));
    assert_eq!((stats.fallback_writes, stats.queue_refusals), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_in_kv_outlives_the_letter_that_names_it() {
    let world = world();
    world.queue.faults.always("queue is down");
    let settings = Settings {
        retention_days: 1,
        ..settings()
    };
    let body = "\"".repeat(MESSAGE_BODY_BYTES);
    let (verdicts, _) = world.process(&settings, &[message(1, 1, body)]).await;
    assert_eq!(verdicts, [Ack]);
    let ttls = world.kv.ttls.borrow();
    let ttl = |prefix| {
        let mut found = ttls.iter().filter(|(key, _)| key.starts_with(prefix));
        *found.next().unwrap().1
    };
    assert_eq!(ttl(DEAD_LETTERS), 30 * 86_400);
    // It may come to the queue on its last day in KV, and stay there for as long as a queue keeps anything.
    assert!(ttl(BODIES) >= ttl(DEAD_LETTERS) + 14 * 86_400);
}

#[tokio::test(start_paused = true)]
async fn in_local_development_dead_letters_go_to_kv() {
    let world = world();
    let settings = Settings {
        dead_letters: Route::Kv,
        ..settings()
    };
    let (verdicts, _) = world.process(&settings, &[message(1, 1, "no JSON")]).await;
    assert_eq!(verdicts, [Ack]);
    assert_eq!(
        (letters(&world).len(), kept(&world, DEAD_LETTERS).len()),
        (0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn when_kv_refuses_too_the_message_stays() {
    let world = world();
    world.queue.faults.always("queue is down");
    world.kv.faults.always("KV is down");
    let rows_of_two = envelope(&[row(1, "info"), bad_row(2)]);
    let batch = [
        message(1, 1, "no JSON"),
        message(2, 1, rows_of_two),
        message(3, 1, good(10..13)),
    ];
    let (verdicts, stats) = world.process(&settings(), &batch).await;
    let stay = Retry { delay_seconds: 80 };
    assert_eq!(verdicts, [stay, stay, Ack]);
    assert_eq!(rows(&world), 4);
    assert_eq!((stats.kv_refusals, stats.retried_messages), (2, 2));
    // And once they take dead letters again, everything settles.
    world.queue.faults.heal();
    world.kv.faults.heal();
    assert_eq!(world.process(&settings(), &batch).await.0, [Ack; 3]);
    assert_eq!((rows(&world), letters(&world).len()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn a_letter_written_twice_to_kv_is_kept_once() {
    let world = world();
    world.queue.faults.always("queue is down");
    world.kv.faults.set([Fault::After("lost the answer")]);
    let batch = [message(1, 1, "no JSON")];
    assert_ne!(world.process(&settings(), &batch).await.0, [Ack]);
    assert_eq!(world.process(&settings(), &batch).await.0, [Ack]);
    assert_eq!(kept(&world, "").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_database_gives_up_its_oldest_logs_for_new_ones() {
    let world = world();
    for k in 0..40_u64 {
        let old: Vec<String> = (0..1000)
            .map(|n| row_at(100_000 + k * 1000 + n, "info", "2026-11-20T00:00:00.000Z"))
            .collect();
        world
            .process(&settings(), &[message(1, 1, envelope(&old))])
            .await;
    }
    let pages = world.store.number("PRAGMA page_count");
    world
        .store
        .execute(&format!("PRAGMA max_page_count = {pages}"));
    let (verdicts, stats) = world
        .process(&settings(), &[message(2, 1, good(0..1000))])
        .await;
    assert_eq!(verdicts, [Ack]);
    assert_eq!(stats.oldest_dropped, 10_000);
    assert_eq!(stats.rows_inserted, 1000);
    assert_eq!(rows(&world), 31_000);
    // The oldest are gone, the newest are there.
    let oldest = world.store.ids()[0].clone();
    assert_eq!(oldest, {
        let mut ids: Vec<String> = (100_000..140_000).map(id).collect();
        ids.sort();
        ids[10_000].clone()
    });
}

#[tokio::test(start_paused = true)]
async fn a_full_database_without_logs_keeps_the_messages_waiting() {
    let world = world();
    world
        .store
        .faults
        .always("D1_ERROR: Exceeded maximum DB size");
    let (verdicts, stats) = world
        .process(&settings(), &[message(1, 1, good(0..10))])
        .await;
    assert_eq!(verdicts, [Retry { delay_seconds: 80 }]);
    assert_eq!(stats.oldest_dropped, 0);
}
