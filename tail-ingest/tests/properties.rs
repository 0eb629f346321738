//! What must hold for any input: nothing panics, nothing is lost, every limit is kept, no listed secret gets through.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{Envelope, LogRecord};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tail_ingest::redact::REDACTED;
use tail_ingest::{Frames, Settings, normalize_and_pack, normalize_json};

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

/// How many records an item must give.
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
    fn no_listed_secret_gets_through(
        name in prop::sample::select(vec!["Authorization", "cookie", "SET-COOKIE", "x-api-key", "x-jwt", "my-secret", "csrf-token", "db_password", "X-Auth"]),
        word in prop::sample::select(vec!["api_key", "authToken", "PASSWORD", "client-secret", "jwt", "Cookie", "secrets"]),
        value in "[a-z]{3}s3cr3t[a-z]{3}",
        around in any_json(),
    ) {
        let logged = json!({"context": {word: value, "deep": [{word: [value, {"x": value}]}]}, word: value, "around": around});
        let item = json!({
            "event": {"request": {
                "url": format!("https://user:{value}@a.example/p?a=1&{name}={value}#f"), "method": "GET",
                "headers": {name: value, "referer": format!("https://b.example/?{name}={value}")},
            }},
            "tailAttributes": {name: value},
            "logs": [
                {"message": [logged.to_string()]},
                {"message": [logged, {word: value}]},
                {"message": ["text", {"a": [{word: value}]}]},
            ],
            "diagnosticsChannelEvents": [{"channel": "c", "message": {word: value}}],
        });
        let found = serde_json::to_string(&records(&json!([item]))).unwrap();
        prop_assert!(!found.contains(&value), "{found}");
        prop_assert!(found.contains(REDACTED));
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
    fn any_bytes_and_any_text_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300), text in any::<String>()) {
        let _ = normalize_json(&bytes, &Settings::default(), 7, NOW_MS);
        let _ = normalize_json(text.as_bytes(), &Settings::default(), 7, NOW_MS);
    }

    #[test]
    fn a_request_taken_apart_gives_the_records_that_it_gives_whole(
        method in any::<String>(),
        url in prop_oneof![any::<String>(), Just("https://a.example/p?token=t&a=1#f".to_owned())],
        headers in any_json(),
        cf in any::<Option<(String, Option<String>)>>(),
        status in any::<Option<u16>>(),
        rest in any_json(),
        times in any::<Option<(u32, u32)>>(),
    ) {
        let mut item = sound();
        let (colo, country) = cf.map_or((None, None), |(colo, country)| (Some(colo), country));
        item["event"] = json!({"request": {"method": method, "url": url}});
        if !headers.is_null() {
            item["event"]["request"]["headers"] = headers.clone();
        }
        let facts: Map<_, _> = [("colo", &colo), ("country", &country)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
            .collect();
        if !facts.is_empty() {
            item["event"]["request"]["cf"] = facts.into();
        }
        if let Some(status) = status {
            item["event"]["response"] = json!({"status": status});
        }
        item["cpuTime"] = json!(times.map(|(cpu, _)| cpu));
        item["wallTime"] = json!(times.map(|(_, wall)| wall));
        item["preview"] = rest.clone();

        let field = |name: &str| item[name].clone();
        let head = json!([
            method, url, headers, colo, country, status, field("eventTimestamp"), field("scriptName"),
            field("outcome"), field("cpuTime"), field("wallTime"), field("truncated"), field("executionModel"),
            {"preview": rest, "exceptions": field("exceptions"), "diagnosticsChannelEvents": field("diagnosticsChannelEvents")},
        ]);
        let mut fields = vec![format!("R{head}")];
        fields.extend(item["logs"].as_array().unwrap().iter().map(|log| format!("J{log}")));
        let settings = Settings::default();
        let mut frames = Frames::new(&settings, 7, NOW_MS);
        let frame = frames.read(&format!("{} 0\0{}", fields.len(), fields.join("\0")));
        prop_assert!(frame.whole && frame.next.is_none());
        let taken: Vec<Value> = frames
            .finish()
            .bodies
            .iter()
            .flat_map(|body| Envelope::decode(&body.text).unwrap().records)
            .map(|view| serde_json::to_value(view.to_record().unwrap()).unwrap())
            .collect();
        let whole: Vec<Value> = records(&json!([item]))
            .iter()
            .map(|record| serde_json::to_value(record).unwrap())
            .collect();
        prop_assert_eq!(taken, whole);
    }

    #[test]
    fn any_frame_gives_well_formed_bodies(fields in prop::collection::vec(prop_oneof![
        any::<String>(),
        any_json().prop_map(|value| format!("I{value}")),
        prop::collection::vec(any_json(), 12..16).prop_map(|values| format!("R{}", Value::from(values))),
        any_json().prop_map(|value| format!("J{value}")),
        any_json().prop_map(|value| format!("X{value}")),
        any::<u64>().prop_map(|time| format!("T{time}")),
        (0usize..4).prop_map(|count| format!("Llog {count}")),
    ], 0..12)) {
        let settings = Settings::default();
        let mut frames = Frames::new(&settings, 7, NOW_MS);
        frames.read(&fields.join("\0"));
        let normalized = frames.finish();
        let mut count = 0;
        for body in &normalized.bodies {
            let envelope = Envelope::decode(&body.text).unwrap();
            for view in &envelope.records {
                view.to_record().unwrap();
                count += 1;
            }
        }
        prop_assert_eq!(count, normalized.counts.records);
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
