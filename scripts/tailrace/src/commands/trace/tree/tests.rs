use serde_json::Value;

use super::*;
use crate::sql::IdColumn;

fn row(worker: &str, kind: &str, message: &str) -> Row {
    let context = format!(
        r#"{{"kind":"{kind}","latency_ms":3,"stack":"at {}"}}"#,
        "x".repeat(200)
    );
    let cells = [
        "id",
        worker,
        "run",
        "corr",
        "info",
        message,
        &context,
        "2026-11-23T00:00:00.000Z",
    ];
    Row::read(
        cells
            .map(Value::from)
            .into_iter()
            .chain([Value::Null])
            .collect(),
    )
    .unwrap()
}

#[test]
fn a_tree_fits_the_terminal_and_only_a_narrow_one_has_no_bars() {
    let found = Found {
        id: "corr".to_owned(),
        column: IdColumn::Correlation,
        rows: vec![
            row(
                "queue-consumer",
                "invocation",
                "queue events: 1 message, and more words than fit in any line",
            ),
            row("queue-consumer", "exception", &"y".repeat(200)),
            // As long as a name can be.
            row(&"long-name".repeat(7), "invocation", "GET /"),
        ],
        invocations: BTreeMap::new(),
    };
    for (width, bars) in [(60, false), (80, true), (120, true)] {
        let lines = render(&found, &Zone::Utc, Some(width), false);
        for line in &lines {
            let plain = anstream::adapter::strip_str(line).to_string();
            assert!(output::columns(&plain) <= width, "{width}: {plain}");
        }
        assert_eq!(lines.concat().contains('█'), bars, "{width}");
        let whole = |fact: &str| lines.iter().any(|line| line.contains(fact));
        assert!(whole("2 Workers") && whole("3 records"), "{lines:?}");
    }
}

#[test]
fn a_bar_shows_where_and_how_long_and_never_nothing() {
    assert_eq!(bar(0, 100, 100, 24), "█".repeat(24));
    assert_eq!(bar(0, 50, 100, 24), "█".repeat(12) + &"·".repeat(12));
    assert_eq!(bar(100, 100, 100, 24), "·".repeat(23) + "█");
    assert_eq!(bar(0, 0, 100, 24), "█".to_owned() + &"·".repeat(23));
    assert_eq!(bar(0, 50, 100, 8), "████····");
}
