//! The operator's tool on a system that runs: `status --local` and `sql --local`, as D1 and KV of the real local runtime
//! answer them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use checkout::wait_for;
use harness::{System, SystemBuilder};
use log_record::fallback;
use serde_json::json;
use tailrace::cli::{GlobalArgs, PartName, StatusLimits};
use tailrace::client::Client;
use tailrace::client::d1::Database;
use tailrace::commands::sql::{self, question::Question};
use tailrace::commands::status;
use tailrace::commands::status::report::{Facts, Report, State};
use tailrace::place::Place;
use tailrace::retry::Policy;

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The address that `tailrace … --local PORT` connects to.
fn connect(system: &System) -> (Client, Place) {
    let port = system.server.port();
    let global = GlobalArgs {
        local: Some(port),
        ..GlobalArgs::default()
    };
    let client = Client::local(port, Policy::default()).unwrap();
    (client, Place::find(&global, None, |_| None).unwrap())
}

async fn look(client: &Client, place: &Place) -> Report {
    status::check(client, place, &PartName::ALL, &StatusLimits::default()).await
}

fn state(report: &Report, name: PartName) -> State {
    let part = report.parts.iter().find(|part| part.part == name).unwrap();
    part.state
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_local_system_is_seen_as_far_as_it_shows() {
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    system.log_lines("seen", 3).unwrap();
    let database = system.database().unwrap();
    wait_for("the rows", LIMIT, || {
        Ok((database.correlated("seen")?.len() >= 3).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
    let (client, place) = connect(&system);
    let report = look(&client, &place).await;
    assert_eq!(report.state, State::Ok, "{report:#?}");
    for name in [PartName::Queue, PartName::DeadLetters, PartName::Workers] {
        assert_eq!(state(&report, name), State::NotVisibleLocally);
    }
    for name in [PartName::Database, PartName::Rows, PartName::Fallback] {
        assert_eq!(state(&report, name), State::Ok, "{report:#?}");
    }
    let seen = |report: &Report, name| {
        let part = report.parts.iter().find(|part| part.part == name).unwrap();
        serde_json::to_value(&part.seen).unwrap()
    };
    assert!(seen(&report, PartName::Database)["bytes"].as_u64().unwrap() > 0);
    let rows = seen(&report, PartName::Rows);
    // Stored by D1's clock within the limit of the test.
    assert!(
        rows["lag_seconds"].as_u64().unwrap() <= LIMIT.as_secs(),
        "{rows}"
    );

    // What nobody drains is red.
    let key = fallback::key(fallback::ENVELOPES, "2026-11-01T00:00:00.000Z", "left");
    let path = format!(
        "/cdn-cgi/local/explorer/api/storage/kv/namespaces/FALLBACK/values/{}",
        key.replace('/', "%2F").replace(':', "%3A")
    );
    let (answer, _, body) = system.request("PUT", &path, &[], "left").unwrap();
    assert_eq!(answer, 200, "{body}");
    let report = look(&client, &place).await;
    assert_eq!(
        state(&report, PartName::Fallback),
        State::Red,
        "{report:#?}"
    );
    let fallback = report
        .parts
        .iter()
        .find(|part| part.part == PartName::Fallback);
    assert!(matches!(fallback.unwrap().seen, Some(Facts::Fallback(ref facts)) if facts.keys == 1));

    // Any question, with D1's own plan.
    let database = Database::find(&client, &place.database()).await.unwrap();
    let question =
        Question::read("SELECT count(*) AS n FROM tail_logs WHERE correlation_id = 'seen'")
            .unwrap();
    assert_eq!(
        sql::scans(&database, &question).await.unwrap(),
        Vec::<String>::new()
    );
    let answer = sql::ask(&database, &question, 10).await.unwrap();
    assert_eq!(answer.table.columns, ["n"]);
    assert!(answer.table.rows[0][0].as_u64().unwrap() >= 3, "{answer:?}");
    let scan = Question::read("SELECT message FROM tail_logs WHERE message LIKE '%x%'").unwrap();
    assert_eq!(
        sql::scans(&database, &scan).await.unwrap(),
        ["SCAN tail_logs"]
    );
    assert_eq!(
        json!(sql::ask(&database, &question, 0).await.unwrap().is_cut),
        json!(true)
    );
}
