//! The ladder over a clock that tests move: a queue and a KV namespace that refuse, hesitate and never answer. Every
//! record is in the queue, in KV or counted as not confirmed, in time for the runtime.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::pending;

use log_record::limits::{MESSAGE_BODY_BYTES, SEND_BATCH_BYTES};
use tail_ingest::Body;
use tail_ingest::deliver::{DELIVERY_MS, Delivery, PUTS_AT_A_TIME, SEND_MS, deliver, send_groups};
use tail_ingest::ports::Ports;
use worker_runtime::testing::PausedClock;
use worker_runtime::{CallError, Clock, within};

const STARTED_MS: u64 = 1_795_456_626_376;

/// The connections that a call may have waiting at once.
const CONNECTIONS: usize = 6;

/// The answer of a queue or of KV to one call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// Takes it and says so after a time.
    Takes(u64),
    /// Takes it and refuses after a time.
    TakesAndRefuses(u64),
    /// Refuses after a time.
    Refuses(u64),
    /// Never answers.
    Never,
    /// There is no such binding.
    Missing,
}

/// The answers of a queue or of KV, call by call.
#[derive(Clone, Copy, Debug)]
enum Script {
    Always(Answer),
    /// Answers the call of this number, from 1, and no other one.
    Only(usize),
    /// The first answer for this number of calls, then the second.
    First(usize, Answer, Answer),
    /// Answers what holds the body `b1` at its beginning, and nothing else.
    SecondBody,
}

impl Script {
    fn answer(self, call: usize, bodies: &[Body]) -> Answer {
        match self {
            Self::Always(answer) => answer,
            Self::Only(only) if call == only => Answer::Takes(10),
            Self::First(count, first, _) if call <= count => first,
            Self::First(_, _, then) => then,
            Self::SecondBody if bodies[0].text.starts_with("b1 ") => Answer::Takes(10),
            Self::Only(_) | Self::SecondBody => Answer::Never,
        }
    }
}

struct Fake {
    clock: PausedClock,
    queue: Script,
    kv: Script,
    sends: Cell<usize>,
    puts: Cell<usize>,
    queued: RefCell<BTreeSet<String>>,
    kept: RefCell<BTreeSet<String>>,
    /// Calls without an answer so far, those that were given up among them.
    waiting: Cell<usize>,
    most_waiting: Cell<usize>,
    most_puts_waiting: Cell<usize>,
}

impl Fake {
    fn new(queue: Script, kv: Script) -> Self {
        Self {
            clock: PausedClock::new(STARTED_MS),
            queue,
            kv,
            sends: Cell::default(),
            puts: Cell::default(),
            queued: RefCell::default(),
            kept: RefCell::default(),
            waiting: Cell::default(),
            most_waiting: Cell::default(),
            most_puts_waiting: Cell::default(),
        }
    }

    async fn play(
        &self,
        answer: Answer,
        bodies: &[Body],
        taken: &RefCell<BTreeSet<String>>,
    ) -> Result<(), CallError> {
        if answer == Answer::Missing {
            return Err(CallError::MissingBinding("IT"));
        }
        self.waiting.set(self.waiting.get() + 1);
        self.most_waiting
            .set(self.most_waiting.get().max(self.waiting.get()));
        if let Answer::Takes(_) | Answer::TakesAndRefuses(_) = answer {
            let texts = bodies.iter().map(|body| body.text.clone());
            taken.borrow_mut().extend(texts);
        }
        match answer {
            Answer::Takes(ms) | Answer::TakesAndRefuses(ms) | Answer::Refuses(ms) => {
                self.clock.sleep_ms(ms).await;
            }
            Answer::Never | Answer::Missing => pending().await,
        }
        self.waiting.set(self.waiting.get() - 1);
        match answer {
            Answer::Takes(_) => Ok(()),
            _ => Err(CallError::Refused("overloaded".to_owned())),
        }
    }
}

impl Ports for Fake {
    fn clock(&self) -> &impl Clock {
        &self.clock
    }

    async fn send_batch(&self, bodies: &[Body], limit_ms: u64) -> Result<(), CallError> {
        self.sends.set(self.sends.get() + 1);
        let answer = self.queue.answer(self.sends.get(), bodies);
        let sent = self.play(answer, bodies, &self.queued);
        within(&self.clock, limit_ms, sent).await
    }

    async fn put_fallback(&self, body: &Body) -> Result<(), CallError> {
        self.puts.set(self.puts.get() + 1);
        let before = self.waiting.get();
        let answer = self.kv.answer(self.puts.get(), std::slice::from_ref(body));
        let put = self.play(answer, std::slice::from_ref(body), &self.kept);
        self.most_puts_waiting
            .set(self.most_puts_waiting.get().max(before + 1));
        put.await
    }
}

/// Returns `count` bodies of ten records each, `b0 …`, `b1 …`, filled up to `bytes`.
fn bodies(count: usize, bytes: usize) -> Vec<Body> {
    (0..count)
        .map(|index| {
            let mut text = format!("b{index} ");
            text.push_str(&"x".repeat(bytes.saturating_sub(text.len())));
            Body { text, records: 10 }
        })
        .collect()
}

/// Delivers `bodies` and checks what holds whatever fails.
async fn deliver_all(fake: &Fake, bodies: &[Body]) -> Delivery {
    let delivery = deliver(fake, bodies, STARTED_MS, None).await;
    let told = delivery.queued + delivery.fallback + delivery.not_confirmed;
    assert_eq!(told, bodies.len() * 10, "each record is counted once");
    let (queued, kept) = (fake.queued.borrow(), fake.kept.borrow());
    assert!(delivery.queued <= queued.len() * 10);
    assert!(delivery.fallback <= kept.len() * 10);
    let nowhere = bodies
        .iter()
        .filter(|body| !queued.contains(&body.text) && !kept.contains(&body.text))
        .count();
    assert!(nowhere * 10 <= delivery.not_confirmed);
    assert!(fake.clock.elapsed_ms() <= DELIVERY_MS);
    assert!(fake.most_waiting.get() <= CONNECTIONS);
    delivery
}

const TAKES: Script = Script::Always(Answer::Takes(10));
const REFUSES: Script = Script::Always(Answer::Refuses(10));
const SILENT: Script = Script::Always(Answer::Never);

#[tokio::test(start_paused = true)]
async fn every_fault_leaves_each_record_somewhere_in_time() {
    use Answer::{Missing, Never, Refuses, Takes, TakesAndRefuses};
    let queues = [
        TAKES,
        REFUSES,
        SILENT,
        Script::Always(Takes(4_900)),
        Script::Always(Takes(6_000)),
        Script::Always(TakesAndRefuses(10)),
        Script::Always(Refuses(4_900)),
        Script::Always(Refuses(8_000)),
        Script::Always(Refuses(57_000)),
        Script::Always(Missing),
        Script::Only(1),
        Script::Only(2),
        Script::SecondBody,
        Script::First(2, Refuses(10), Takes(10)),
        Script::First(1, Never, Takes(4_900)),
        Script::First(3, Takes(4_000), Never),
    ];
    let kvs = [
        TAKES,
        REFUSES,
        SILENT,
        Script::Always(Takes(2_000)),
        Script::Always(Takes(7_900)),
        Script::Always(Takes(8_100)),
        Script::Always(Refuses(57_000)),
        Script::Always(Missing),
        Script::Only(2),
        Script::SecondBody,
    ];
    for queue in queues {
        for kv in kvs {
            for (count, bytes) in [(0, 0), (1, 10), (9, 10), (9, MESSAGE_BODY_BYTES), (250, 10)] {
                let fake = Fake::new(queue, kv);
                println!("{queue:?}, {kv:?}, {count} bodies of {bytes} bytes");
                deliver_all(&fake, &bodies(count, bytes)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_second_of_a_call_is_not_used_up() {
    assert_eq!(DELIVERY_MS, 25_000);
    // The slowest there is: the queue takes all its time, and KV never answers.
    for queue in [
        Script::Always(Answer::Takes(4_999)),
        Script::Always(Answer::Refuses(4_999)),
        SILENT,
    ] {
        let fake = Fake::new(queue, SILENT);
        deliver_all(&fake, &bodies(9, MESSAGE_BODY_BYTES)).await;
        assert!(fake.clock.elapsed_ms() <= 24_000, "{queue:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_recovers_in_three_retries_gets_all() {
    for failures in 0..=3 {
        let queue = Script::First(failures, Answer::Refuses(10), Answer::Takes(10));
        let fake = Fake::new(queue, TAKES);
        let delivery = deliver_all(&fake, &bodies(3, 10)).await;
        assert_eq!(delivery.queued, 30);
        assert_eq!((fake.sends.get(), fake.puts.get()), (failures + 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_leaves_all_to_kv() {
    let fake = Fake::new(REFUSES, TAKES);
    let delivery = deliver_all(&fake, &bodies(3, 10)).await;
    assert_eq!((delivery.fallback, delivery.not_confirmed), (30, 0));
    assert_eq!((fake.sends.get(), fake.puts.get()), (4, 3));
    let refused = CallError::Refused("overloaded".to_owned());
    assert_eq!(delivery.queue_error, Some(refused));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_takes_and_refuses_loses_nothing() {
    let queue = Script::First(1, Answer::TakesAndRefuses(10), Answer::Takes(10));
    let fake = Fake::new(queue, TAKES);
    // The same body twice, with the same log ids: D1 keeps one row of each.
    assert_eq!(deliver_all(&fake, &bodies(1, 10)).await.queued, 10);
    assert_eq!(fake.sends.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_two_silences_no_body_goes_to_the_queue() {
    for silence in [
        Answer::Never,
        Answer::Refuses(8_000),
        Answer::Refuses(57_000),
        Answer::Takes(6_000),
    ] {
        let fake = Fake::new(Script::Always(silence), TAKES);
        let delivery = deliver_all(&fake, &bodies(9, MESSAGE_BODY_BYTES)).await;
        assert_eq!(
            (fake.sends.get(), delivery.fallback),
            (2, 90),
            "{silence:?}"
        );
        let silent = CallError::TimedOut { limit_ms: SEND_MS };
        assert_eq!(delivery.queue_error, Some(silent));
        assert!((10_000..11_000).contains(&fake.clock.elapsed_ms()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_answers_in_time_is_waited_for() {
    let fake = Fake::new(Script::Always(Answer::Takes(4_900)), TAKES);
    assert_eq!(deliver_all(&fake, &bodies(1, 10)).await.queued, 10);
    let fake = Fake::new(Script::Only(2), TAKES);
    let delivery = deliver_all(&fake, &bodies(1, 10)).await;
    assert_eq!((delivery.queued, fake.sends.get()), (10, 2));
}

#[tokio::test(start_paused = true)]
async fn the_queue_keeps_what_it_took_before_it_fell_silent() {
    // Nine full bodies are five groups; the first is taken, the rest goes to KV.
    let fake = Fake::new(Script::Only(1), TAKES);
    let delivery = deliver_all(&fake, &bodies(9, MESSAGE_BODY_BYTES)).await;
    assert_eq!((delivery.queued, delivery.fallback), (20, 70));
    assert_eq!(fake.sends.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_refused_group_leaves_the_next_to_the_queue() {
    let queue = Script::First(4, Answer::Refuses(10), Answer::Takes(10));
    let fake = Fake::new(queue, TAKES);
    let delivery = deliver_all(&fake, &bodies(3, MESSAGE_BODY_BYTES)).await;
    assert_eq!((delivery.queued, delivery.fallback), (10, 20));
    assert!(fake.queued.borrow().iter().all(|it| it.starts_with("b2 ")));
}

#[tokio::test(start_paused = true)]
async fn a_missing_queue_is_asked_once() {
    let fake = Fake::new(Script::Always(Answer::Missing), TAKES);
    let delivery = deliver_all(&fake, &bodies(9, MESSAGE_BODY_BYTES)).await;
    assert_eq!((fake.sends.get(), delivery.fallback), (1, 90));
    assert_eq!(delivery.queue_error, Some(CallError::MissingBinding("IT")));
    assert!(fake.clock.elapsed_ms() < 100, "no retry");
}

#[tokio::test(start_paused = true)]
async fn at_most_three_puts_are_under_way() {
    let fake = Fake::new(REFUSES, Script::Always(Answer::Takes(2_000)));
    let delivery = deliver_all(&fake, &bodies(9, 10)).await;
    assert_eq!((delivery.fallback, fake.puts.get()), (90, 9));
    assert_eq!(fake.most_puts_waiting.get(), PUTS_AT_A_TIME);
}

#[tokio::test(start_paused = true)]
async fn eight_seconds_are_all_that_kv_has() {
    // Nine puts of 3 s, three at a time: two rounds are in time, the third is not.
    let fake = Fake::new(REFUSES, Script::Always(Answer::Takes(3_000)));
    let delivery = deliver_all(&fake, &bodies(9, 10)).await;
    assert_eq!((delivery.fallback, delivery.not_confirmed), (60, 30));
    let silent = delivery.fallback_error.unwrap();
    assert!(silent.is_silence(), "{silent}");

    let fake = Fake::new(REFUSES, SILENT);
    let delivery = deliver_all(&fake, &bodies(9, 10)).await;
    assert_eq!((delivery.not_confirmed, fake.puts.get()), (90, 3));
    let silent = CallError::TimedOut { limit_ms: 8_000 };
    assert_eq!(delivery.fallback_error, Some(silent));
}

#[tokio::test(start_paused = true)]
async fn one_put_that_fails_leaves_the_others_in_kv() {
    for refusal in [Answer::Refuses(10), Answer::Never] {
        let kv = Script::First(1, refusal, Answer::Takes(10));
        let fake = Fake::new(REFUSES, kv);
        let delivery = deliver_all(&fake, &bodies(9, 10)).await;
        assert_eq!((delivery.fallback, delivery.not_confirmed), (80, 10));
    }
}

#[tokio::test(start_paused = true)]
async fn time_used_up_before_is_not_there_again() {
    for (spent_ms, sends, puts) in [(10_000, 1, 1), (12_000, 0, 1), (24_000, 0, 0)] {
        let fake = Fake::new(SILENT, SILENT);
        fake.clock.sleep_ms(spent_ms).await;
        let delivery = deliver_all(&fake, &bodies(1, 10)).await;
        assert_eq!((fake.sends.get(), fake.puts.get()), (sends, puts));
        assert_eq!(delivery.not_confirmed, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_before_is_the_first_one() {
    let taken = Fake::new(SILENT, SILENT);
    let delivery = deliver(&taken, &bodies(1, 10), STARTED_MS, Some(Ok(()))).await;
    assert_eq!((delivery.queued, taken.sends.get()), (10, 0));

    let fake = Fake::new(SILENT, Script::Always(Answer::Takes(10)));
    let silence = CallError::TimedOut { limit_ms: SEND_MS };
    let delivery = deliver(&fake, &bodies(1, 10), STARTED_MS, Some(Err(silence))).await;
    assert_eq!((delivery.fallback, fake.sends.get()), (10, 1));
}

#[test]
fn groups_keep_within_what_one_send_batch_takes() {
    assert_eq!(send_groups(&[]).count(), 0);
    let counts = |bodies: &[Body]| send_groups(bodies).map(<[Body]>::len).collect::<Vec<_>>();
    assert_eq!(counts(&bodies(250, 10)), [100, 100, 50]);
    let sized = |bytes| bodies(1, bytes).remove(0);
    assert_eq!(
        counts(&[
            sized(MESSAGE_BODY_BYTES),
            sized(MESSAGE_BODY_BYTES),
            sized(10)
        ]),
        [2, 1]
    );
    assert_eq!(counts(&[sized(SEND_BATCH_BYTES + 1), sized(10)]), [1, 1]);
}
