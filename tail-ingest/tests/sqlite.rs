//! The rows once SQLite has taken them apart as log-writer does: strings survive in full.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use log_record::{Envelope, RecordView};
use rusqlite::Connection;
use serde_json::json;
use tail_ingest::{Settings, normalize_and_pack};

/// Message and context of each record of `input`, through the operators that log-writer inserts with.
fn stored(input: &str) -> Vec<(String, String)> {
    let normalized = normalize_and_pack(input.as_bytes(), &Settings::default(), 7, 1).unwrap();
    let database = Connection::open_in_memory().unwrap();
    normalized
        .bodies
        .iter()
        .flat_map(|body| {
            let envelope = Envelope::decode(&body.text).unwrap();
            let rows: Vec<&str> = envelope.records.iter().map(RecordView::raw).collect();
            let rows = format!("[{}]", rows.join(","));
            let mut statement = database
                .prepare("SELECT r.value->>5, r.value->>6, json_valid(r.value->>6) FROM jsonb_each(?1) r ORDER BY r.key")
                .unwrap();
            statement
                .query_map([rows], |row| {
                    assert!(row.get::<_, bool>(2)?, "the context is no JSON");
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn control_characters_nul_and_half_pairs_survive() {
    let text = "nul \0 control \u{1}\u{1f}\u{7f} quote \" \\ \u{2028} 🦀 naïve\r\n\t";
    let input = json!([{"scriptName": "w", "logs": [
        {"timestamp": 1, "level": "log", "message": [text, {"k\0": text}]},
        {"timestamp": 2, "level": "log", "message": [json!({"message": text, "context": {"v": text}}).to_string()]},
    ]}]);
    let rows = stored(&input.to_string());
    assert!(rows[1].0.starts_with(text), "{:?}", rows[1].0);
    assert_eq!(rows[2].0, text);
    let context: serde_json::Value = serde_json::from_str(&rows[2].1).unwrap();
    assert_eq!(context["data"]["v"], text);
    let context: serde_json::Value = serde_json::from_str(&rows[1].1).unwrap();
    assert_eq!(context["args"][0]["k\0"], text);
}

#[test]
fn half_pairs_are_stored_as_the_escape_that_names_them() {
    let rows = stored(
        r#"[{"scriptName":"w","logs":[
            {"level":"log","message":["a \ud83d b",{"k\udd80":"\ud83d\ud83e\udd80"}]},
            {"level":"log","message":["{\"message\":\"\\ud83d\",\"context\":{\"v\":\"\\udd80\"}}"]}]}]"#,
    );
    assert!(rows[1].0.starts_with("a \\ud83d b"));
    let context: serde_json::Value = serde_json::from_str(&rows[1].1).unwrap();
    assert_eq!(context["args"][0]["k\\udd80"], "\\ud83d🦀");
    assert_eq!(rows[2].0, "\\ud83d");
    let context: serde_json::Value = serde_json::from_str(&rows[2].1).unwrap();
    assert_eq!(context["data"]["v"], "\\udd80");
}

#[test]
fn huge_numbers_and_deep_nesting_survive() {
    let deep = format!("{}7{}", "[".repeat(3_000), "]".repeat(3_000));
    let rows = stored(&format!(
        r#"[{{"scriptName":"w","logs":[{{"level":"log","message":["x",{{"n":123456789012345678901234567890,"f":1e400,"deep":{deep}}}]}}]}}]"#
    ));
    assert!(rows[1].1.contains("123456789012345678901234567890"));
    assert!(rows[1].1.contains("1e400"));
    assert_eq!(
        rows[1].1.matches('[').count(),
        deep.matches('[').count() + 1
    );
}
