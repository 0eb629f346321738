//! Single events whose records say one thing each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use log_record::{Level, LogRecord};
use serde_json::{Value, json};
use tail_ingest::{Settings, normalize_json};

fn records_with(input: &Value, settings: &Settings) -> Vec<LogRecord> {
    let text = serde_json::to_vec(input).unwrap();
    normalize_json(&text, settings, 7, 1).unwrap().0
}

fn records(input: &Value) -> Vec<LogRecord> {
    records_with(input, &Settings::default())
}

fn context(record: &LogRecord) -> Value {
    serde_json::from_str(record.context.get()).unwrap()
}

/// Returns the record of one console line.
fn line(arguments: &Value) -> LogRecord {
    let item = json!({"scriptName": "w", "logs": [{"timestamp": 1, "level": "log", "message": arguments}]});
    records(&json!([item])).remove(1)
}

#[test]
fn a_deep_diagnostics_message_spares_its_request() {
    let deep = format!("{}7{}", "[".repeat(3_000), "]".repeat(3_000));
    let item = json!({
        "scriptName": "shop", "outcome": "ok",
        "event": {
            "request": {"url": "https://a.example/p?token=hunter2", "method": "GET",
                "headers": {"x-correlation-id": "c", "x-authentication": "hunter2"}},
            "response": {"status": 500},
        },
        "diagnosticsChannelEvents": [{"timestamp": 1, "channel": "x", "message": {"deep": "HERE"}}],
    });
    let text = item.to_string().replace("\"HERE\"", &deep).into_bytes();
    let (found, _) = normalize_json(&text, &Settings::default(), 7, 1).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].worker_name, "shop");
    assert_eq!(found[0].log_level, Level::Error);
    assert!(found.iter().all(|record| record.correlation_id == "c"));
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn json_at_the_end_of_a_text_is_judged_by_its_names() {
    let secret = json!({"order": 7, "client_secret": ["hunter2"], "long": "x".repeat(300)});
    for arguments in [
        json!([format!("saved {secret}")]),
        json!(["x", format!("saved {secret}")]),
        json!(["%s and %o", "x", format!("saved {secret}")]),
        json!([{"data": format!("saved {secret}")}]),
        json!([{"message": format!("saved [{secret}]")}]),
        json!([{"message": {"message": secret.to_string()}}]),
    ] {
        let found = format!("{:?}", line(&arguments));
        assert!(!found.contains("hunter2"), "{arguments}: {found}");
        assert!(found.contains("order"), "{arguments}: {found}");
    }
    let message = format!("saved {secret}");
    let item = json!({"exceptions": [{
        "timestamp": 1, "name": "Error", "message": message, "stack": format!("Error: {message}\n    at save"),
    }]});
    let found = format!("{:?}", records(&json!([item])));
    assert!(
        !found.contains("hunter2") && found.contains("at save"),
        "{found}"
    );
}

#[test]
fn a_secret_name_before_json_covers_all_of_it() {
    for text in [
        r#"password: {"a":"hunter2"}"#,
        r#"saved, "client_secret": {"a":{"b":"hunter2"}}"#,
        r#"passwords: ["hunter2"]"#,
    ] {
        for arguments in [json!([text]), json!(["x", text]), json!([{"data": text}])] {
            let found = format!("{:?}", line(&arguments));
            assert!(!found.contains("hunter2"), "{arguments}: {found}");
        }
    }
    // Only a name is meant, not a word of the sentence.
    let found = line(&json!([r#"the password was changed {"user":"ann"}"#]));
    assert_eq!(context(&found)["data"], json!({"user": "ann"}));
}

#[test]
fn a_line_with_thousands_of_members_is_read_at_once() {
    // Quadratic work would take minutes here.
    let members = |prefix: &str| -> Value {
        (0..60_000)
            .map(|n| (format!("{prefix}{n}"), json!(n)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut object = members("a");
    object["context"] = members("b");
    let record = line(&json!([object]));
    assert_eq!(record.log_level, Level::Info);
}

#[test]
fn a_line_of_nested_lists_is_read_at_once() {
    // The same: each list could be a name and its secret.
    let depth = 30_000;
    let secret = r#"["password","hunter2"]"#;
    let nested = r#"["a","#.repeat(depth) + secret + &"]".repeat(depth);
    let found = line(&json!([format!("{{\"list\":{nested}}}")]));
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn a_context_of_null_is_kept() {
    let record = line(&json!([{"message": "m", "context": null}]));
    assert_eq!(context(&record)["data"], json!({"context": null}));
}

#[test]
fn a_level_that_nobody_understands_is_never_dropped() {
    let settings = Settings {
        min_level: Level::Error,
        sample_rate: 0.0,
        ..Settings::default()
    };
    let log = |level: Value| json!({"timestamp": 1, "level": "log", "message": [{"level": level, "message": "m"}]});
    let item = json!({"scriptName": "w", "outcome": "ok", "logs": [log(json!("loud")), log(json!(17)), log(json!("info"))]});
    let found = records_with(&json!([item]), &settings);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].log_level, Level::Info);
    assert_eq!(context(&found[0])["data"]["level"], "loud");
}

#[test]
fn a_request_shares_one_id_on_all_its_records() {
    let item = |headers: Value| {
        json!({"scriptName": "w", "event": {"request": {"url": "https://a.example/", "method": "GET", "headers": headers}},
        "logs": [
            {"timestamp": 1, "level": "log", "message": ["before"]},
            {"timestamp": 2, "level": "log", "message": [{"message": "own", "correlation_id": "line"}]},
            {"timestamp": 3, "level": "log", "message": ["after"]},
            {"timestamp": 4, "level": "log", "message": [{"message": "of a request", "requestId": "entity-1"}]},
        ]})
    };
    let ids = |headers: Value| -> Vec<String> {
        let found = records(&json!([item(headers)]));
        found
            .into_iter()
            .map(|record| record.correlation_id)
            .collect()
    };
    assert_eq!(
        ids(json!({"x-correlation-id": "h"})),
        ["h", "h", "line", "h", "h"]
    );
    assert_eq!(
        ids(json!({"x-request-id": "h"})),
        ["h", "h", "line", "h", "h"]
    );
    assert_eq!(ids(json!({})), ["line", "line", "line", "line", "entity-1"]);
}

#[test]
fn a_queue_batch_keeps_its_requests_apart() {
    let item = json!({"scriptName": "w", "event": {"queue": "q", "batchSize": 2}, "logs": [
        {"timestamp": 1, "level": "log", "message": [{"message": "one", "requestId": "r-1"}]},
        {"timestamp": 2, "level": "log", "message": ["more of one"]},
        {"timestamp": 3, "level": "log", "message": ["two", {"traceId": "t-2", "level": "warn"}]},
    ]});
    let ids: Vec<_> = records(&json!([item]))
        .into_iter()
        .map(|record| record.correlation_id)
        .collect();
    assert_eq!(ids, ["r-1", "r-1", "r-1", "t-2"]);
}

#[test]
fn headers_are_read_in_the_order_that_is_set() {
    let settings = Settings {
        correlation_headers: vec!["x-my-id".to_owned(), "traceparent".to_owned()],
        ..Settings::default()
    };
    let item = json!({"scriptName": "w", "event": {"request": {"url": "https://a.example/", "method": "GET",
        "headers": {"X-My-Id": "mine", "x-correlation-id": "ignored"}}}});
    assert_eq!(
        records_with(&json!([item]), &settings)[0].correlation_id,
        "mine"
    );
}

#[test]
fn an_id_that_loses_stays_in_the_data() {
    let item = json!({"scriptName": "w", "event": {"request": {"url": "https://a.example/", "method": "GET",
        "headers": {"x-correlation-id": "h"}}}, "logs": [
        {"timestamp": 1, "level": "log", "message": [{"message": "m", "trace_id": "t", "req": {"id": "r", "ip": "::1"}}]},
    ]});
    let found = records(&json!([item]));
    assert_eq!(found[1].correlation_id, "h");
    assert_eq!(
        context(&found[1])["data"],
        json!({"trace_id": "t", "req": {"id": "r", "ip": "::1"}})
    );
}

#[test]
fn hibernation_and_a_reader_who_left_are_told_apart() {
    let found = records(&json!([
        {"scriptName": "w", "outcome": "ok", "event": {"reason": "inactive"}},
        {"scriptName": "w", "outcome": "responseStreamDisconnected", "event": null},
    ]));
    assert_eq!(context(&found[0])["event_type"], "hibernation");
    assert_eq!(context(&found[0])["hibernation_reason"], "inactive");
    assert_eq!(found[0].message, "hibernation inactive");
    assert_eq!(found[1].log_level, Level::Warn);
}

#[test]
fn messages_are_short_and_data_is_whole() {
    let long: String = "x".repeat(5_000);
    let record = line(&json!([{"a": long, "b": 1}]));
    assert!(record.message.len() < 300, "{}", record.message);
    assert_eq!(context(&record)["data"]["a"], json!(long));
}

#[test]
fn a_request_without_a_message_is_named_by_its_facts() {
    for (logged, message) in [
        (
            json!({"method": "GET", "path": "/a", "status": 404}),
            "GET /a 404",
        ),
        (
            json!({"level": 30, "req": {"id": 7, "method": "GET", "url": "/a"}, "res": {"statusCode": 500}}),
            "GET /a 500",
        ),
        (
            json!({"http": {"method": "PUT", "url": "/a?token=x", "status_code": 200}}),
            "PUT /a?token=REDACTED 200",
        ),
        (
            json!({"request": {"method": "GET"}}),
            r#"{"request":{"method":"GET"}}"#,
        ),
    ] {
        assert_eq!(line(&json!([logged])).message, message);
    }
}

#[test]
fn a_line_without_a_message_says_what_went_wrong() {
    for (object, message) in [
        (json!({"error.message": "boom", "error.type": "E"}), "boom"),
        (json!({"errorType": "E", "errorMessage": "boom"}), "boom"),
        (
            json!({"event": "pay", "exception.message": "boom"}),
            "pay: boom",
        ),
        (
            json!({"error": {"message": "own"}, "error.message": "dotted"}),
            "own",
        ),
        (json!({"@message": "hclog", "@level": "info"}), "hclog"),
        (
            json!({"MessageTemplate": "Hi {X}", "RenderedMessage": "Hi 1"}),
            "Hi 1",
        ),
        (
            json!({"http.request.method": "GET", "url.path": "/a", "http.response.status_code": 404}),
            "GET /a 404",
        ),
        (
            json!({"httpRequest": {"requestMethod": "GET", "requestUrl": "/a", "status": 200}}),
            "GET /a 200",
        ),
    ] {
        let record = line(&json!([object.to_string()]));
        assert_eq!(record.message, message, "{object}");
    }
}

#[test]
fn objects_in_a_message_are_without_escape_sequences() {
    let record = line(&json!(["saved", {"by": "\u{1b}[31mred\u{1b}[39m"}]));
    assert_eq!(record.message, r#"saved {"by":"red"}"#);
    assert_eq!(context(&record)["args"][0]["by"], "\u{1b}[31mred\u{1b}[39m");
}

#[test]
fn pairs_of_a_secret_name_and_its_value_are_redacted() {
    let headers = json!([["accept", "*/*"], ["authorization", "hunter2"]]);
    for arguments in [
        json!([headers]),
        json!(["headers", headers]),
        json!([{"headers": headers}]),
        json!([headers.to_string()]),
    ] {
        let found = format!("{:?}", line(&arguments));
        assert!(!found.contains("hunter2"), "{arguments}: {found}");
        assert!(found.contains("*/*"), "{arguments}: {found}");
    }
    let lists = json!([[["password", "email", "name"], ["token"], "cookie"], "x"]);
    assert!(!format!("{:?}", line(&lists)).contains("REDACTED"));
}

#[test]
fn an_id_header_of_the_operators_own_is_shown() {
    let item = json!({
        "scriptName": "shop", "logs": [],
        "event": {"request": {"url": "https://a.example/", "method": "GET", "headers": {
            "x-story-key": "story-7", "x-other-key": "hunter2", "x-password-id": "hunter3", "x-tenant": "hunter4",
        }}},
    });
    let read = |redact: &str| {
        let vars = [
            ("CORRELATION_HEADERS", "X-Story-Key x-password-id x-tenant"),
            ("REDACT", redact),
        ];
        let find = |name: &str| vars.iter().find(|(known, _)| *known == name);
        let (settings, _) = Settings::read(|name| find(name).map(|(_, text)| (*text).to_owned()));
        records_with(&item, &settings).remove(0)
    };
    let record = read("tenant");
    assert_eq!(record.correlation_id, "story-7");
    assert_eq!(
        context(&record)["headers"],
        json!({"x-story-key": "story-7", "x-other-key": "REDACTED", "x-password-id": "REDACTED", "x-tenant": "REDACTED"})
    );
    assert_eq!(
        context(&read("story"))["headers"]["x-story-key"],
        "REDACTED"
    );
}
