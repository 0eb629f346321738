//! Each condition at its limit and just beyond it.

use super::*;
use crate::client::queue_state::{Backlog, Consumer, QueueState};
use crate::commands::status::look::QueueSeen;

const NOW: &str = "2026-11-25T12:00:00.000Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// The time so many seconds ago.
fn ago(seconds: i64) -> String {
    time::stored_ms(now().as_millisecond() - seconds * 1000)
}

fn expected() -> Expected {
    Expected {
        writer: Consumer {
            kind: "worker".to_owned(),
            script: Some("log-writer".to_owned()),
            batch_size: Some(100),
            max_retries: Some(100),
            dead_letter_queue: Some("dlq".to_owned()),
            ..Consumer::default()
        },
        pull: Consumer {
            kind: "http_pull".to_owned(),
            max_retries: Some(100),
            ..Consumer::default()
        },
        dead_letter_seconds: 1_209_600,
        settings: None,
    }
}

fn queue(part: PartName) -> QueueSeen {
    let expected = expected();
    let is_letters = part == PartName::DeadLetters;
    QueueSeen {
        state: QueueState {
            id: "id".to_owned(),
            delivery_paused: false,
            retention_seconds: Some(1_209_600),
            consumers: vec![if is_letters {
                expected.pull
            } else {
                expected.writer
            }],
        },
        backlog: Ok(Backlog {
            messages: Some(0),
            ..Backlog::default()
        }),
        letters: is_letters.then(|| Ok(BTreeMap::new())),
    }
}

fn conditions(part: PartName, seen: PartSeen, given: &StatusLimits) -> Vec<&'static str> {
    let limits = Limits::new(given, None);
    let judged = judge(part, seen, &limits, &expected(), now());
    assert_eq!(judged.state == State::Red, !judged.red.is_empty());
    judged.red.iter().map(|finding| finding.condition).collect()
}

fn of_queue(part: PartName, change: impl FnOnce(&mut QueueSeen)) -> Vec<&'static str> {
    let mut seen = queue(part);
    change(&mut seen);
    let seen = PartSeen::Queue("q".to_owned(), seen);
    conditions(part, seen, &StatusLimits::default())
}

#[test]
fn a_queue_as_deployed_is_not_red() {
    for part in [PartName::Queue, PartName::DeadLetters] {
        assert!(of_queue(part, |_| ()).is_empty());
        assert_eq!(
            of_queue(part, |seen| seen.state.delivery_paused = true),
            ["delivery_paused"]
        );
        assert_eq!(
            of_queue(part, |seen| seen.state.consumers.clear()),
            ["consumer_missing"]
        );
        let changed = of_queue(part, |seen| {
            if let Some(consumer) = seen.state.consumers.first_mut() {
                consumer.max_retries = Some(3);
            }
        });
        assert_eq!(changed, ["settings"]);
    }
}

#[test]
fn another_consumer_or_no_dead_letter_queue_is_red() {
    let of = |change: fn(&mut Consumer)| {
        of_queue(PartName::Queue, |seen| {
            seen.state.consumers.iter_mut().for_each(change);
        })
    };
    assert_eq!(
        of(|consumer| consumer.script = Some("other".to_owned())),
        ["consumer_missing"]
    );
    assert_eq!(
        of(|consumer| consumer.dead_letter_queue = None),
        ["settings"]
    );
    // What the platform does not say is not held against it.
    assert!(of(|consumer| consumer.batch_size = None).is_empty());
    let kept = of_queue(PartName::DeadLetters, |seen| {
        seen.state.retention_seconds = Some(345_600);
    });
    assert_eq!(kept, ["settings"]);
}

#[test]
fn a_message_is_red_beyond_ten_minutes() {
    let of = |seconds: i64| {
        of_queue(PartName::Queue, |seen| {
            let ms = now().as_millisecond() - seconds * 1000;
            seen.backlog = Ok(Backlog {
                messages: Some(1),
                bytes: Some(1),
                oldest_ms: u64::try_from(ms).ok(),
            });
        })
    };
    assert!(of(600).is_empty());
    assert_eq!(of(601), ["oldest_message"]);
}

#[test]
fn any_dead_letter_is_red_however_it_is_seen() {
    let counted = of_queue(PartName::DeadLetters, |seen| {
        seen.backlog = Ok(Backlog {
            messages: Some(1),
            ..Backlog::default()
        });
        seen.letters = Some(Err("no permission".to_owned()));
    });
    assert_eq!(counted, ["dead_letters"]);
    // The platform's count is late.
    let peeked = of_queue(PartName::DeadLetters, |seen| {
        seen.letters = Some(Ok(BTreeMap::from([("rejected", 2)])));
    });
    assert_eq!(peeked, ["dead_letters"]);
}

#[test]
fn a_key_is_red_beyond_fifteen_minutes() {
    let of = |keys: &[String]| {
        let seen = PartSeen::Fallback("kv".to_owned(), keys.to_vec(), false);
        conditions(PartName::Fallback, seen, &StatusLimits::default())
    };
    let key = |seconds| fallback::key(fallback::ENVELOPES, &ago(seconds), "uuid-with-Z");
    assert!(of(&[]).is_empty());
    assert!(of(&[key(900), "not ours".to_owned()]).is_empty());
    assert_eq!(of(&[key(1), key(901)]), ["key_age"]);
    let letter = fallback::key(fallback::DEAD_LETTERS, &ago(901), "u");
    assert_eq!(of(&[letter]), ["key_age"]);
}

fn database(bytes: u64, oldest: i64, newest: i64) -> DatabaseSeen {
    DatabaseSeen {
        bytes: Some(bytes),
        oldest: Some(ago(oldest)),
        newest: Some((ago(newest), "2026-11-25 12:00:00".to_owned())),
    }
}

#[test]
fn a_database_is_red_from_eighty_percent() {
    let of = |bytes| {
        let seen = PartSeen::Database("db".to_owned(), database(bytes, 10, 1));
        conditions(PartName::Database, seen, &StatusLimits::default())
    };
    assert!(of(7_999_999_999).is_empty());
    assert_eq!(of(8_000_000_000), ["database_size"]);
}

#[test]
fn days_until_full_are_told_only_where_they_come_first() {
    // A gigabyte a day, kept for 7 days: 10 GB are never reached.
    assert_eq!(days_until_full(1_000_000_000, DAY, 7 * DAY), None);
    // Two a day: 8 GB are left after the first day, which are 4 days.
    assert_eq!(days_until_full(2_000_000_000, DAY, 7 * DAY), Some(4));
    // The oldest rows are deleted already.
    assert_eq!(days_until_full(9_000_000_000, 8 * DAY, 7 * DAY), None);
    assert_eq!(days_until_full(9_000_000_000, 60, 7 * DAY), None);
}

#[test]
fn rows_are_red_when_they_outlive_the_retention_or_stay_away() {
    let of = |oldest, newest, given: &StatusLimits| {
        conditions(
            PartName::Rows,
            PartSeen::Rows(database(1, oldest, newest)),
            given,
        )
    };
    let none = StatusLimits::default();
    assert!(of(8 * DAY, 5 * DAY, &none).is_empty());
    assert_eq!(of(8 * DAY + 1, 1, &none), ["past_retention"]);
    let expecting = StatusLimits {
        expect_rows: Some(Age::from_seconds(900)),
        ..StatusLimits::default()
    };
    assert!(of(DAY, 900, &expecting).is_empty());
    assert_eq!(of(DAY, 901, &expecting), ["no_rows"]);
    let empty = DatabaseSeen {
        bytes: Some(1),
        oldest: None,
        newest: None,
    };
    let seen = || PartSeen::Rows(empty.clone());
    assert!(conditions(PartName::Rows, seen(), &none).is_empty());
    assert_eq!(conditions(PartName::Rows, seen(), &expecting), ["no_rows"]);
}

#[test]
fn the_lag_is_between_a_rows_time_and_when_it_was_stored() {
    let judged = judge_rows(
        &database(1, 10, 5),
        &Limits::new(&StatusLimits::default(), None),
        now(),
        &mut Vec::new(),
    );
    assert_eq!(judged.lag_seconds, Some(5));
    assert_eq!(judged.newest_seconds, Some(5));
}

#[test]
fn what_is_not_visible_locally_is_not_red() {
    let seen = PartSeen::NotVisibleLocally("tail-logs".to_owned());
    let limits = Limits::new(&StatusLimits::default(), None);
    let judged = judge(PartName::Queue, seen, &limits, &expected(), now());
    assert_eq!(judged.state, State::NotVisibleLocally);
    assert_eq!(
        judged.unknown.as_deref(),
        Some("tail-logs: not visible locally")
    );
}

#[test]
fn every_section_of_the_runbook_exists() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(RUNBOOK);
    let text = std::fs::read_to_string(file).unwrap();
    let anchors: Vec<String> = text
        .lines()
        .filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        })
        .map(|heading| {
            let kept = heading.to_lowercase().replace(' ', "-");
            kept.chars()
                .filter(|c| c.is_alphanumeric() || *c == '-')
                .collect()
        })
        .collect();
    for section in [SLOW, CHANGED, LETTERS, KEYS, FULL, OLD_ROWS, NOTHING] {
        assert!(anchors.iter().any(|anchor| anchor == section), "{section}");
    }
}
