//! Properties of any input: nothing panics, nothing is lost, every limit is kept, no listed secret gets through.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{Envelope, LogRecord};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tail_ingest::redaction::REDACTED;
use tail_ingest::{Settings, normalize_and_pack, normalize_json};

const NOW_MS: u64 = 1_795_456_700_000;

fn records(input: &Value) -> Vec<LogRecord> {
    let text = serde_json::to_vec(input).unwrap();
    normalize_json(&text, &Settings::default(), 7, NOW_MS)
        .unwrap()
        .0
}

/// Any JSON value, with strings and keys that mean something here among them.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        any::<String>(),
        Just("correlation_id".to_owned()),
        Just("[worker]".to_owned()),
        Just(r#"{"level":"warn","message":"m","context":{"a":1},"b":2}"#.to_owned()),
        Just("\0\u{1}\"\\".to_owned()),
        Just("%s of %d %c \u{1b}[31mred".to_owned()),
        Just(r#"INFO {"level":"warn","trace_id":"t"}"#.to_owned()),
    ];
    let key = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "timestamp",
            "level",
            "message",
            "errorInfo",
            "name",
            "stack",
            "channel",
            "request",
            "response",
            "headers",
            "url",
            "method",
            "status",
            "cf",
            "queue",
            "cron",
            "context",
            "correlation_id",
            "worker",
            "password",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A trace event in order, with a few lines.
fn sound() -> Value {
    json!({
        "event": {"request": {"url": "https://a.example/p", "method": "GET", "headers": {"x-correlation-id": "c"}, "cf": {"colo": "AMS"}}, "response": {"status": 200}},
        "eventTimestamp": 1_795_456_626_376_u64,
        "scriptName": "orders", "outcome": "ok", "cpuTime": 1, "wallTime": 2, "truncated": false, "executionModel": "stateless",
        "logs": [
            {"timestamp": 1_795_456_626_377_u64, "level": "log", "message": ["one", 2]},
            {"timestamp": 1_795_456_626_378_u64, "level": "warn", "message": ["{\"message\":\"two\",\"correlation_id\":\"d\"}"]},
        ],
        "exceptions": [{"timestamp": 1_795_456_626_379_u64, "name": "Error", "message": "three", "stack": "    at x"}],
        "diagnosticsChannelEvents": [{"timestamp": 1_795_456_626_380_u64, "channel": "four", "message": {}}],
    })
}

/// Every path into `value`, as JSON pointers.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                pointers(value, &format!("{at}/{key}"), out);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

/// Returns the number of records that an item must give.
fn expected(item: &Value) -> usize {
    let list = |name| item.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    1 + list("logs") + list("exceptions") + list("diagnosticsChannelEvents")
}

proptest! {
    #[test]
    fn any_value_in_place_of_any_field_loses_no_record(value in any_json(), pick in any::<prop::sample::Index>()) {
        let mut item = sound();
        let mut paths = Vec::new();
        pointers(&item, "", &mut paths);
        *item.pointer_mut(&paths[pick.index(paths.len())]).unwrap() = value;
        let found = records(&json!([item.clone(), sound()]));
        // What is excluded by name is meant to be.
        if item["scriptName"] != "tail-ingest" && item["scriptName"] != "log-writer" {
            prop_assert_eq!(found.len(), expected(&item) + 5);
        }
        for record in &found {
            let context: Value = serde_json::from_str(record.context.get()).unwrap();
            prop_assert!(context.is_object());
            prop_assert!(record.context.get().starts_with("{\"kind\":\""), "{}", record.context);
        }
    }

    #[test]
    fn ids_are_unique_and_order_records_as_they_were_logged(values in prop::collection::vec(any_json(), 0..20), times in prop::collection::vec(0u64..5, 20)) {
        let logs: Vec<Value> = values
            .iter()
            .zip(&times)
            .map(|(value, time)| json!({"timestamp": 1_795_456_626_376 + time, "level": "log", "message": [value]}))
            .collect();
        let found = records(&json!([{"scriptName": "w", "eventTimestamp": 1_795_456_626_376_u64, "logs": logs}, sound()]));
        let ids: BTreeSet<&str> = found.iter().map(|record| record.log_id.as_str()).collect();
        prop_assert_eq!(ids.len(), found.len());
        // The records of one invocation come in the order of their lines, and so does ORDER BY timestamp, log_id.
        let first: Vec<_> = found.iter().take(logs.len() + 1).map(|record| (&record.timestamp, &record.log_id)).collect();
        prop_assert!(first.is_sorted(), "{first:?}");
    }

    #[test]
    fn secrets_of_every_type_are_gone_from_every_place(
        name in prop::sample::select(vec![
            "Authorization", "cookie", "SET-COOKIE", "x-api-key", "x-jwt", "my-secret", "csrf-token", "db_password",
            "APIToken", "dbpassword", "clientSecret", "passphrase",
        ]),
        word in prop::sample::select(vec![
            "api_key", "authToken", "PASSWORD", "client-secret", "jwt", "Cookie", "secrets", "credentials", "refreshtoken",
            "DB_PASSWORD", "otp", "pwd",
        ]),
        text in "[a-z]{3}s3cr3t[a-z]{3}",
        shape in 0..4,
        around in any_json(),
    ) {
        let value = match shape {
            0 => json!(text),
            1 => json!([text]),
            2 => json!({"user": "u", "value": text}),
            _ => json!([{"deep": {"er": [text]}}]),
        };
        let logged = json!({"context": {word: value, "deep": [{word: [value]}]}, word: value, "around": around});
        let payload = json!({word: value, "level": "warn"}).to_string();
        let item = json!({
            "event": {"request": {
                "url": format!("https://user:{text}@a.example/p?a=1&{name}={text}#f"), "method": "GET",
                "headers": {name: text, "referer": format!("https://b.example/?{name}={text}")},
            }, "later": {name: value}},
            "tailAttributes": {name: value},
            "unheard": {name: value},
            "logs": [
                {"message": [logged.to_string()]},
                {"message": [logged, {word: value}]},
                {"message": ["text", {"a": [{word: value}]}]},
                {"message": ["login", payload]},
                {"message": [format!("INFO {payload}")]},
                {"message": ["format %s %o", {word: value}, payload]},
                {"message": [{"body": payload, "inner": json!({"text": payload}).to_string()}]},
                {"message": [format!("GET /x?{name}={text}&page=2 failed")], "extra": {word: value}},
                {"message": ["failed"], "errorInfo": [{"name": "E", "message": "m", "cause": {word: value}}]},
            ],
            "exceptions": [{"name": "E", "message": format!("at https://a.example/?{name}={text}"), "extra": {word: value}}],
            "diagnosticsChannelEvents": [{"channel": "c", "message": {word: value}, "extra": {word: value}}],
        });
        let found = serde_json::to_string(&records(&json!([item]))).unwrap();
        prop_assert!(!found.contains(&text), "{found}");
        prop_assert!(found.contains(REDACTED));
    }

    #[test]
    fn harmless_names_survive_at_every_place(
        name in prop::sample::select(vec![
            "prompt_tokens", "max_tokens", "token_count", "page_token", "nextToken", "key", "keys", "cache_key",
            "primary_key", "public_key", "idempotency_key", "object_key", "token_type", "auth_method", "code",
            "error_code", "status_code", "websocket_code", "session_id", "callSid", "pass", "passed", "author", "keyword",
            "secretary", "monkey", "state",
        ]),
        value in prop_oneof![Just(json!("harmless value")), Just(json!(["harmless value"])), Just(json!({"a": "harmless value"})), Just(json!(12_345))],
    ) {
        let item = json!({
            "event": {"queue": "q", "batchSize": 1},
            "tailAttributes": {name: value},
            "logs": [
                {"message": [{"message": "m", name: value, "context": {"inner": {name: value}}}]},
                {"message": ["text", {name: value, "level": "warn"}]},
                {"message": [json!({name: value, "hasPassword": true, "cookieConsent": true}).to_string()]},
            ],
        });
        let found = serde_json::to_string(&records(&json!([item]))).unwrap();
        prop_assert!(!found.contains(REDACTED), "{found}");
    }

    #[test]
    fn sampling_keeps_or_drops_a_trace_whole(rate in 0.0f64..=1.0, id in "[a-z0-9-]{1,40}") {
        let settings = Settings { sample_rate: rate, ..Settings::default() };
        let item = |level: &str| json!({"scriptName": "w", "outcome": "ok", "logs": [
            {"timestamp": 1, "level": level, "message": [json!({"message": "m", "correlation_id": id}).to_string()]},
            {"timestamp": 2, "level": "info", "message": ["x"]},
        ]});
        let count = |level: &str| {
            let input = serde_json::to_vec(&json!([item(level)])).unwrap();
            normalize_json(&input, &settings, 7, NOW_MS).unwrap().0.len()
        };
        let kept = count("log");
        prop_assert!(kept == 3 || kept == 0);
        prop_assert_eq!(count("warn"), kept);
        // An error is always kept.
        prop_assert_eq!(count("error"), kept.max(1));
    }

    #[test]
    fn any_console_arguments_give_a_record(arguments in prop::collection::vec(any_json(), 0..5), method in "log|warn|error|x") {
        let item = json!({"scriptName": "w", "logs": [{"timestamp": 1, "level": method, "message": arguments}]});
        let found = records(&json!([item]));
        prop_assert_eq!(found.len(), 2);
        prop_assert!(!found[1].message.contains('\u{1b}'), "{:?}", found[1].message);
    }
}

proptest! {
    // Few cases, since each is up to a megabyte of text.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn packing_keeps_every_limit_and_loses_nothing(sizes in prop::collection::vec(prop_oneof![0usize..300, 1_000usize..200_000], 0..6), fill in prop::sample::select(vec!["x", "é", "\"", "\u{1}", "🦀"])) {
        let logs: Vec<Value> = sizes
            .iter()
            .enumerate()
            .map(|(index, size)| json!({"timestamp": 1, "level": "log", "message": [format!("{index} {}", fill.repeat(size / fill.len())), {"data": fill.repeat(size / 2)}]}))
            .collect();
        let input = serde_json::to_vec(&json!([{"scriptName": "w", "logs": logs}])).unwrap();
        let normalized = normalize_and_pack(&input, &Settings::default(), 7, NOW_MS).unwrap();
        let mut seq = 0;
        for body in &normalized.bodies {
            prop_assert!(body.text.len() <= MESSAGE_BODY_BYTES);
            let envelope = Envelope::decode(&body.text).unwrap();
            prop_assert_eq!(envelope.records.len(), body.records);
            for view in &envelope.records {
                prop_assert!(view.raw().len() <= RECORD_BYTES);
                let record = view.to_record().unwrap();
                let context: Value = serde_json::from_str(record.context.get()).unwrap();
                prop_assert_eq!(&context["seq"], seq);
                // What was cut says so, and how much there was.
                let cut = record.message.ends_with("[cut]");
                prop_assert_eq!(cut, context["cut"]["message"].is_number());
                seq += 1;
            }
        }
        prop_assert_eq!(seq, sizes.len() + 1);
        prop_assert_eq!(normalized.counts.records, sizes.len() + 1);
    }
}
