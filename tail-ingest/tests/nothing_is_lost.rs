//! Whatever is logged, by whatever logger and in whatever order: every text of it is in the record, in the message or in
//! the context.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tail_ingest::{Settings, normalize_json};

/// Names that mean something to some logger, and some that mean nothing. None is a secret's.
const NAMES: [&str; 40] = [
    "message",
    "msg",
    "text",
    "body",
    "short_message",
    "version",
    "0",
    "1",
    "@m",
    "@mt",
    "level",
    "severity",
    "lvl",
    "context",
    "properties",
    "attributes",
    "args",
    "type",
    "status",
    "event",
    "error",
    "err",
    "trace",
    "dd",
    "req",
    "fields",
    "span",
    "spans",
    "log",
    "_meta",
    "requestId",
    "traceId",
    "worker",
    "service",
    "kind",
    "seq",
    "method",
    "path",
    "a",
    "line.a",
];

/// A text that no other is part of once `number_texts` has given it a number.
const MARK: &str = "KEEP";

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(MARK.to_owned()),
        Just(format!("{MARK} {}", "y".repeat(250))),
        Just(format!("error {MARK}")),
        Just(format!("%s {MARK}")),
        Just(format!("{MARK} %o")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    text()
        .prop_map(Value::from)
        .prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(prop::sample::select(&NAMES[..]), inner, 0..6)
                    .prop_map(|members| {
                        let members: Map<String, Value> = members
                            .into_iter()
                            .map(|(name, value)| (name.to_owned(), value))
                            .collect();
                        Value::from(members)
                    }),
            ]
        })
}

/// Gives each mark in `value` a number, so that each can be looked for.
fn number_texts(value: &mut Value, count: &mut usize) {
    match value {
        Value::String(text) => {
            *text = text.replace(MARK, &format!("{MARK}{count}."));
            *count += 1;
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| number_texts(value, count)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|value| number_texts(value, count)),
        _ => {}
    }
}

/// Ways of passing an argument to `console`.
#[derive(Clone, Copy, Debug)]
enum Form {
    AsItIs,
    JsonText,
    JsonAfterText,
}

fn argument() -> impl Strategy<Value = (Form, Value)> {
    let form = prop_oneof![
        Just(Form::AsItIs),
        Just(Form::JsonText),
        Just(Form::JsonAfterText)
    ];
    (form, value())
}

proptest! {
    #[test]
    fn every_text_is_in_the_record(arguments in prop::collection::vec(argument(), 1..4)) {
        let mut count = 0;
        let arguments: Vec<Value> = arguments
            .into_iter()
            .map(|(form, mut value)| {
                number_texts(&mut value, &mut count);
                match form {
                    Form::AsItIs => value,
                    Form::JsonText => value.to_string().into(),
                    Form::JsonAfterText => format!("saved {value}").into(),
                }
            })
            .collect();
        let event = json!({
            "scriptName": "api",
            "outcome": "ok",
            "eventTimestamp": 1_795_600_000_000_u64,
            "event": { "queue": "orders", "batchSize": 1 },
            "logs": [{ "timestamp": 1_795_600_000_001_u64, "level": "log", "message": arguments }],
        });
        let input = event.to_string();
        let (records, _) = normalize_json(input.as_bytes(), &Settings::default(), 1, 2).unwrap();
        let stored = serde_json::to_string(&records).unwrap();
        for number in 0..count {
            let mark = format!("{MARK}{number}.");
            prop_assert!(stored.contains(&mark), "{mark} is lost of {input}\nstored: {stored}");
        }
    }
}
