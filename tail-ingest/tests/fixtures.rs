//! Trace events and the records that must come of them: `fixtures/captured` is what the real runtime gave (sanitised),
//! `fixtures/loggers` what the common loggers write, `fixtures/written` follows the published types, and departs from
//! them. After a change that is meant,
//! `UPDATE_FIXTURES=1 cargo test -p tail-ingest --test fixtures` writes the expected records anew: review the diff.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use similar::TextDiff;
use tail_ingest::{Settings, normalize_json};

const SEED: u64 = 42;
const NOW_MS: u64 = 1_795_456_700_000;

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> = ["captured", "loggers", "written"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(files.len() > 30, "fixtures are missing");
    files
}

#[test]
fn fixtures_give_the_reviewed_records() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut differences = String::new();
    for path in fixtures() {
        let input = fs::read(&path).unwrap();
        let (records, _) = normalize_json(&input, &Settings::default(), SEED, NOW_MS).unwrap();
        let lines: String = records
            .iter()
            .map(|record| serde_json::to_string(record).unwrap() + "\n")
            .collect();
        let expected = path.with_extension("ndjson");
        if update {
            fs::write(&expected, lines).unwrap();
        } else {
            let found = lines;
            let expected = fs::read_to_string(&expected).unwrap_or_default();
            if found != expected {
                let name = path.file_name().unwrap_or_default().display();
                let difference = TextDiff::from_lines(&expected, &found);
                let mut difference = difference.unified_diff();
                writeln!(differences, "{name}\n{}", difference.context_radius(0)).unwrap();
            }
        }
    }
    assert!(differences.is_empty(), "records changed:\n{differences}");
}

/// Returns the number of logs, exceptions and diagnostics that `item` lists.
fn lines(item: &RawValue) -> usize {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(item.get()).unwrap_or_default();
    ["logs", "exceptions", "diagnosticsChannelEvents"]
        .iter()
        .filter_map(|name| serde_json::from_str::<Vec<&RawValue>>(fields.get(*name)?.get()).ok())
        .map(|list| list.len())
        .sum()
}

#[test]
fn fixtures_give_one_record_for_each_line() {
    for path in fixtures() {
        if path.file_stem().unwrap() == "pipeline-workers-are-never-recorded" {
            continue;
        }
        let input = fs::read(&path).unwrap();
        let items: Vec<&RawValue> = serde_json::from_slice(&input).unwrap();
        let expected: usize = items.iter().map(|item| 1 + lines(item)).sum();
        let (records, counts) = normalize_json(&input, &Settings::default(), SEED, NOW_MS).unwrap();
        assert_eq!(records.len(), expected, "{}", path.display());
        assert_eq!(counts.records, expected, "{}", path.display());
    }
}
