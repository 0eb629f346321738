use serde_json::{Value, json};

use super::*;

fn row(message: &str, context: &Value) -> Row {
    stored_row(message, &context.to_string())
}

fn stored_row(message: &str, context: &str) -> Row {
    let cells = [
        "id",
        "queue-consumer",
        "run",
        "0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10",
        "info",
        message,
        context,
        "2026-11-23T00:00:00.000Z",
    ];
    let cells = cells.map(Value::from).into_iter();
    Row::read(cells.chain([Value::Null]).collect()).unwrap()
}

fn printed(style: Style, rows: &[Row]) -> String {
    let mut out = Vec::new();
    Printer::new(style).print_all(rows, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

fn style(format: RecordFormat, width: Option<usize>, wrap: bool) -> Style {
    Style {
        format,
        fields: Vec::new(),
        wrap,
        zone: Zone::Utc,
        width,
    }
}

fn text(width: usize, wrap: bool, row: Row) -> String {
    printed(style(RecordFormat::Text, Some(width), wrap), &[row])
}

fn long() -> Row {
    row(&format!("{}end", "some words ".repeat(20)), &json!({}))
}

#[test]
fn a_line_fits_the_terminal_and_shows_what_there_is_room_for() {
    for (width, date, id) in [
        (60, false, ""),
        (80, true, "0b0f2a1c…"),
        (120, true, "0d6f1b8f9a10"),
    ] {
        let text = text(width, false, long());
        assert_eq!(text.lines().count(), 1);
        assert!(output::columns(text.trim_end()) <= width, "{text}");
        assert_eq!(text.contains("2026-11-23"), date, "{text}");
        assert!(text.contains(id) && text.contains("some"), "{text}");
    }
}

#[test]
fn a_wrapped_line_is_whole() {
    for width in [60, 80, 120] {
        let text = text(width, true, long());
        assert!(text.contains(
            "2026-11-23 00:00:00.000Z info  queue-consumer 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10"
        ));
        assert_eq!(text.matches("words").count(), 20);
        assert!(text.trim_end().ends_with("end"));
    }
}

#[test]
fn what_the_line_carried_stands_behind_its_message() {
    let placed = || {
        row(
            "order placed",
            &json!({"kind": "log", "method": "POST", "args": ["order placed", {"a": 1}],
                "data": {"order": {"id": 42}, "note": "two words", "none": null, "tags": [1, 2]}}),
        )
    };
    let all = "order placed none=null note=\"two words\" order.id=42 tags=[1,2] args=[{\"a\":1}]";
    let whole = printed(style(RecordFormat::Text, None, false), &[placed()]);
    assert!(whole.ends_with(&format!("{all}\n")), "{whole}");
    let cut = text(90, false, placed());
    assert_eq!(output::columns(cut.trim_end()), 90, "{cut}");
    assert!(
        cut.contains("order placed none=null note") && cut.ends_with("…\n"),
        "{cut}"
    );
    let wrapped = text(80, true, placed());
    assert!(
        wrapped.contains("order.id=42") && wrapped.contains("args"),
        "{wrapped}"
    );
}

#[test]
fn an_invocation_shows_what_its_message_does_not() {
    for (message, facts, expected) in [
        (
            "GET / 503 (12 ms)",
            json!({"status": 503, "latency_ms": 12.2, "outcome": "ok"}),
            "",
        ),
        (
            "queue events: 7 messages exceededCpu",
            json!({"latency_ms": 40.26, "outcome": "exceededCpu"}),
            " ms=40.3",
        ),
        (
            "alarm",
            json!({"latency_ms": 3, "outcome": "canceled"}),
            " ms=3 outcome=canceled",
        ),
    ] {
        let mut context = facts.clone();
        context["kind"] = json!("invocation");
        let shown = printed(
            style(RecordFormat::Text, None, false),
            &[row(message, &context)],
        );
        assert!(
            shown.ends_with(&format!("{message}{expected}\n")),
            "{shown}"
        );
    }
}

#[test]
fn a_stack_stands_below_its_exception() {
    let frames: Vec<_> = (1..=6)
        .map(|n| format!("    at f{n} (a.js:{n}:1)"))
        .collect();
    let stack = format!("Error: lost\n{}", frames.join("\n"));
    let thrown = || row("Error: lost", &json!({"kind": "exception", "stack": stack}));
    let cut = text(80, false, thrown());
    let expected = "    at f4 (a.js:4:1)\n    … 2 frames more: --wrap shows all\n";
    assert!(cut.ends_with(expected), "{cut}");
    for whole in [
        text(80, true, thrown()),
        printed(style(RecordFormat::Text, None, false), &[thrown()]),
    ] {
        assert!(whole.ends_with("    at f6 (a.js:6:1)\n"), "{whole}");
    }
}

#[test]
fn logfmt_and_csv_are_one_line_each_without_control_characters() {
    let row = row(
        "a \"b\"\n\u{1b}[2J\u{9b}",
        &json!({"kind": "log", "data": {"x y": "1,\u{7f}2"}}),
    );
    let logfmt = printed(
        style(RecordFormat::Logfmt, None, false),
        std::slice::from_ref(&row),
    );
    assert_eq!(
        logfmt,
        "timestamp=2026-11-23T00:00:00.000Z log_level=info worker_name=queue-consumer \
         correlation_id=0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10 request_id=run \
         message=\"a \\\"b\\\"⏎{1b}[2J{9b}\" data.x_y=\"1,{7f}2\"\n"
    );
    let mut csv = style(RecordFormat::Csv, None, false);
    csv.fields = ["message", "data.x y", "context.kind", "nothing"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        printed(csv, &[row.clone(), row]),
        "message,data.x y,context.kind,nothing\n".to_owned()
            + &"\"a \"\"b\"\"⏎{1b}[2J{9b}\",\"1,{7f}2\",log,\n".repeat(2)
    );
}

#[test]
fn chosen_fields_keep_their_order_and_names() {
    let row = row(
        "m",
        &json!({"kind": "log", "data": {"order": {"id": 42}, "a.b": 1}}),
    );
    let names = ["data.order.id", "order.id", "a.b", "message", "lost"].map(str::to_owned);
    let mut json = style(RecordFormat::Json, None, false);
    json.fields = names.to_vec();
    assert_eq!(
        printed(json, std::slice::from_ref(&row)),
        "{\"data.order.id\":42,\"order.id\":42,\"a.b\":1,\"message\":\"m\",\"lost\":null}\n"
    );
    let mut text = style(RecordFormat::Text, None, false);
    text.fields = names.to_vec();
    assert_eq!(printed(text, &[row]), "42 42 1 m -\n");
}

#[test]
fn members_keep_their_order_and_numbers_their_digits() {
    let json = r#"{"kind":"log","data":{"z":12345678901234567890123,"a": {"y":1.10,"b":-0.0}},"args":[{"n":0.10}]}"#;
    let row = stored_row("m", json);
    for (format, expected) in [
        (
            RecordFormat::Text,
            " m z=12345678901234567890123 a.y=1.10 a.b=-0.0 args=[{\"n\":0.10}]\n",
        ),
        (
            RecordFormat::Logfmt,
            " message=m data.z=12345678901234567890123 data.a.y=1.10 data.a.b=-0.0 args=[{\"n\":0.10}]\n",
        ),
    ] {
        let shown = printed(style(format, None, false), std::slice::from_ref(&row));
        assert!(shown.ends_with(expected), "{shown}");
    }
    for (format, expected) in [
        (
            RecordFormat::Json,
            "{\"data.z\":12345678901234567890123,\"a\":{\"y\":1.10,\"b\":-0.0}}\n",
        ),
        (
            RecordFormat::Csv,
            "data.z,a\n12345678901234567890123,\"{\"\"y\"\":1.10,\"\"b\"\":-0.0}\"\n",
        ),
    ] {
        let mut chosen = style(format, None, false);
        chosen.fields = ["data.z", "a"].map(str::to_owned).to_vec();
        let shown = printed(chosen, std::slice::from_ref(&row));
        assert_eq!(shown, expected);
    }
}

#[test]
fn the_columns_of_records_are_aligned() {
    let mut short = row("m", &json!({}));
    short.worker_name = "api".to_owned();
    short.correlation_id = None;
    let shown = printed(
        style(RecordFormat::Text, Some(100), false),
        &[row("m", &json!({})), short],
    );
    let at = |line: &str| line.find(" m").unwrap();
    let lines: Vec<_> = shown.lines().collect();
    // The ellipsis is one column in three bytes.
    assert_eq!(at(lines[0]) - 2, at(lines[1]), "{shown}");
}
