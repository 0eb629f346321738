//! log-writer dies in the middle of a batch, as when its memory does not suffice. Its code has no place that panics, so
//! the test leaves it hardly any memory: a limit in the built Wasm, which is otherwise as it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use checkout::poll;
use harness::{System, SystemBuilder};
use serde_json::json;
use tempfile::TempDir;
use toml_edit::value;

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Memory beyond what the Worker starts with, in pages of 64 KiB: enough for one large message, and not for ten.
const SPARE_PAGES: u32 = 8;

fn envelope(n: u64, message: &str) -> String {
    let row = json!([
        format!("0193579c-0000-7000-8000-{n:012}"),
        "shop",
        format!("ray-{n}"),
        "order-1",
        "info",
        message,
        {"kind": "log", "seq": 0},
        "2036-11-23T17:57:06.376Z",
        null
    ]);
    json!({"v": 1, "records": [row]}).to_string()
}

/// A number as Wasm has it (LEB128), and where it ends.
fn number(bytes: &[u8], mut at: usize) -> (u32, usize) {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        number |= u32::from(byte & 0x7f) << shift;
        at += 1;
        if byte < 0x80 {
            return (number, at);
        }
        shift += 7;
    }
}

/// The module with a limit to its memory, which it has none of: the section of memories, number 5, lists one, without
/// (0) or with (1) a maximum after its size in pages.
fn limited(module: &[u8]) -> Vec<u8> {
    const MEMORIES: u8 = 5;
    let mut at = 8; // after the magic number and the version
    loop {
        let id = module[at];
        let (length, start) = number(module, at + 1);
        let end = start + usize::try_from(length).unwrap();
        if id == MEMORIES {
            assert_eq!(module[start..start + 2], [1, 0]);
            let (pages, _) = number(module, start + 2);
            let [pages, most] = [pages, pages + SPARE_PAGES].map(|it| u8::try_from(it).unwrap());
            assert!(most < 0x80, "a number of one byte");
            return [
                &module[..at],
                &[MEMORIES, 4, 1, 1, pages, most],
                &module[end..],
            ]
            .concat();
        }
        at = end;
    }
}

/// log-writer as it is built, in a folder of its own, with a limit to its memory.
fn short_of_memory(main: &Path) -> io::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let build = main.parent().unwrap();
    for file in ["index.js", "package.json"] {
        fs::copy(build.join(file), folder.path().join(file))?;
    }
    let wasm = "index_bg.wasm";
    fs::write(
        folder.path().join(wasm),
        limited(&fs::read(build.join(wasm))?),
    )?;
    let main = folder.path().join("index.js");
    Ok((folder, main))
}

/// The bodies of the test's own messages on the dead-letter queue. (The probe's invocations are messages as well.)
fn dead(system: &System) -> Vec<String> {
    let keys = system.server.kv_keys("RECEIVED", "").unwrap();
    let values = keys
        .iter()
        .map(|key| system.server.kv_value("RECEIVED", key).unwrap());
    values.filter(|body| body.contains("ray-")).collect()
}

#[test]
fn messages_of_a_dead_log_writer_become_dead_letters() {
    let mut builder = SystemBuilder::probed().unwrap();
    let mut folders = Vec::new();
    builder.vary("log-writer", |config| {
        let main = config.document["main"].as_str().unwrap();
        let (folder, main) = short_of_memory(Path::new(main)).unwrap();
        folders.push(folder);
        config.document["main"] = value(main.to_str().unwrap());
        config.document["queues"]["consumers"][0]["max_retries"] = value(2);
    });
    let system = builder.start().unwrap();

    let too_much: BTreeSet<String> = (0..10).map(|n| envelope(n, &"x".repeat(100_000))).collect();
    // One sendBatch takes 256 kB. All of them are well within the five seconds of a batch.
    for two in Vec::from_iter(too_much.clone()).chunks(2) {
        system.send(two).unwrap();
    }
    let all = poll(LIMIT, || Ok((dead(&system).len() >= 10).then_some(()))).unwrap();
    assert!(all.is_some(), "{}", system.server.output_tail());
    let found = dead(&system);
    assert_eq!(found.len(), 10);
    assert!(BTreeSet::from_iter(found) == too_much, "as they were");

    // Of the memory that the ten took, none is missing.
    system.send(&[envelope(10, &"x".repeat(100_000))]).unwrap();
    let stored = || system.database()?.rows("worker_name = ?1", "shop");
    let all = poll(LIMIT, || Ok((stored()?.len() == 1).then_some(()))).unwrap();
    assert!(all.is_some(), "{}", system.server.output_tail());
    assert_eq!(dead(&system).len(), 10);
}
