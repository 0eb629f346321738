//! The ladder with outlets that fail, before or after they have taken what they were given: every record ends in one
//! place, and what is lost is counted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use log_record::limits::{MESSAGE_BODY_BYTES, SEND_BATCH_BYTES};
use tail_ingest::Body;
use tail_ingest::send::{Delivery, Outlets, Refused, deliver, groups};

/// Nothing here waits for anything: the fakes answer at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

#[derive(Default)]
struct Fake {
    /// How many calls to the queue fail.
    queue_failures: Cell<usize>,
    /// The queue keeps what it was given even when it fails.
    queue_takes_and_fails: bool,
    queue_missing: bool,
    kv_failures: Cell<usize>,
    queue: RefCell<Vec<String>>,
    queue_calls: Cell<usize>,
    kv: RefCell<Vec<String>>,
    slept: RefCell<Vec<Duration>>,
}

fn fails(left: &Cell<usize>) -> bool {
    let failing = left.get() > 0;
    left.set(left.get().saturating_sub(1));
    failing
}

impl Outlets for Fake {
    async fn queue(&self, bodies: &[Body]) -> Result<(), Refused> {
        self.queue_calls.set(self.queue_calls.get() + 1);
        if self.queue_missing {
            return Err(Refused::Permanent(
                "binding TAIL_LOGS is missing".to_owned(),
            ));
        }
        let failing = fails(&self.queue_failures);
        if !failing || self.queue_takes_and_fails {
            self.queue.borrow_mut().extend(
                bodies
                    .iter()
                    .map(|body| String::from_utf8(body.bytes.clone()).unwrap()),
            );
        }
        if failing {
            return Err(Refused::Transient("overloaded".to_owned()));
        }
        Ok(())
    }

    async fn keep(&self, body: &Body) -> Result<(), Refused> {
        if fails(&self.kv_failures) {
            return Err(Refused::Transient("KV is down".to_owned()));
        }
        self.kv
            .borrow_mut()
            .push(String::from_utf8(body.bytes.clone()).unwrap());
        Ok(())
    }

    async fn sleep(&self, delay: Duration) {
        self.slept.borrow_mut().push(delay);
    }
}

fn bodies(count: usize) -> Vec<Body> {
    (0..count)
        .map(|index| Body {
            bytes: format!("body {index}").into(),
            records: 10,
        })
        .collect()
}

#[test]
fn a_queue_that_recovers_within_three_retries_gets_everything() {
    for failures in 0..=3 {
        let fake = Fake {
            queue_failures: Cell::new(failures),
            ..Fake::default()
        };
        let delivery = now(deliver(&fake, &bodies(3), None));
        assert_eq!(
            delivery,
            Delivery {
                queued: 30,
                ..Delivery::default()
            }
        );
        assert_eq!(fake.queue.borrow().len(), 3);
        assert_eq!(fake.slept.borrow().len(), failures);
        assert!(fake.kv.borrow().is_empty());
    }
}

#[test]
fn a_dead_queue_gives_everything_to_kv_once() {
    let fake = Fake {
        queue_failures: Cell::new(usize::MAX),
        ..Fake::default()
    };
    let delivery = now(deliver(&fake, &bodies(3), None));
    assert_eq!((delivery.queued, delivery.kept, delivery.lost), (0, 30, 0));
    assert_eq!(delivery.queue_error.as_deref(), Some("overloaded"));
    assert_eq!(*fake.kv.borrow(), ["body 0", "body 1", "body 2"]);
    assert!(fake.queue.borrow().is_empty());
    assert_eq!(fake.queue_calls.get(), 4);
}

#[test]
fn what_kv_refuses_as_well_is_counted_and_the_rest_is_still_kept() {
    let fake = Fake {
        queue_failures: Cell::new(usize::MAX),
        kv_failures: Cell::new(1),
        ..Fake::default()
    };
    let delivery = now(deliver(&fake, &bodies(3), None));
    assert_eq!((delivery.queued, delivery.kept, delivery.lost), (0, 20, 10));
    assert_eq!(delivery.kv_error.as_deref(), Some("KV is down"));
    assert_eq!(*fake.kv.borrow(), ["body 1", "body 2"]);
}

#[test]
fn a_missing_queue_is_not_tried_again() {
    let fake = Fake {
        queue_missing: true,
        ..Fake::default()
    };
    let delivery = now(deliver(&fake, &bodies(1), None));
    assert_eq!((delivery.kept, fake.queue_calls.get()), (10, 1));
    assert!(delivery.misconfigured);
    assert!(fake.slept.borrow().is_empty());
    assert_eq!(
        delivery.queue_error.as_deref(),
        Some("binding TAIL_LOGS is missing")
    );
}

#[test]
fn a_first_refusal_met_by_the_caller_counts_as_the_first_try() {
    let fake = Fake {
        queue_failures: Cell::new(2),
        ..Fake::default()
    };
    let refused = Refused::Transient("overloaded".to_owned());
    let delivery = now(deliver(&fake, &bodies(1), Some(refused)));
    assert_eq!(delivery.queued, 10);
    assert_eq!((fake.queue_calls.get(), fake.slept.borrow().len()), (3, 3));
}

#[test]
fn a_queue_that_takes_and_then_fails_loses_nothing() {
    let fake = Fake {
        queue_failures: Cell::new(1),
        queue_takes_and_fails: true,
        ..Fake::default()
    };
    let delivery = now(deliver(&fake, &bodies(1), None));
    // Twice the same body, with the same log ids: D1 keeps one of each.
    assert_eq!(delivery.queued, 10);
    assert_eq!(*fake.queue.borrow(), ["body 0", "body 0"]);
}

#[test]
fn one_group_that_fails_does_not_keep_the_next_from_the_queue() {
    let large = |name: char| Body {
        bytes: name.to_string().repeat(MESSAGE_BODY_BYTES).into(),
        records: 1,
    };
    let bodies = [large('a'), large('b'), large('c')];
    let fake = Fake {
        queue_failures: Cell::new(4),
        ..Fake::default()
    };
    let delivery = now(deliver(&fake, &bodies, None));
    assert_eq!((delivery.queued, delivery.kept, delivery.lost), (1, 2, 0));
    assert!(fake.queue.borrow()[0].starts_with('c'));
}

#[test]
fn groups_keep_within_what_one_send_batch_takes() {
    assert_eq!(groups(&[]).count(), 0);
    let counts = |bodies: &[Body]| groups(bodies).map(<[Body]>::len).collect::<Vec<_>>();
    assert_eq!(counts(&bodies(250)), [100, 100, 50]);
    let sized = |bytes| Body {
        bytes: vec![b'x'; bytes],
        records: 1,
    };
    assert_eq!(
        counts(&[
            sized(MESSAGE_BODY_BYTES),
            sized(MESSAGE_BODY_BYTES),
            sized(1)
        ]),
        [2, 1]
    );
    assert_eq!(counts(&[sized(SEND_BATCH_BYTES + 1), sized(1)]), [1, 1]);
}
