// The built log-writer with the largest batch that a queue can deliver, whose messages the runtime holds until the handler
// ends, with the archive and without; with batches that cannot be read; and with settings that are wrong. Run by
// `scripts/harness/tests/batch.rs`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gunzipSync } from "node:zlib";

import { start } from "./runtime.mjs";

setFlagsFromString("--expose_gc");
const collectGarbage = runInNewContext("gc");

const MB = 1e6;
const MESSAGES = 100;
const BODY_BYTES = 127_400;

const lines = [];
for (const method of ["log", "warn", "error"]) console[method] = (text) => lines.push(String(text));

// `worker` checks the class names of bindings.
class WorkerQueue {
  async send() {}
  async sendBatch() {}
}
class KvNamespace {
  async put() {}
  async get() { return null; }
  async delete() {}
  async list() { return { keys: [], list_complete: true }; }
}
class D1PreparedStatement {
  constructor(sql, parameters = []) {
    this.sql = sql;
    this.parameters = parameters;
  }
  bind(...parameters) { return new D1PreparedStatement(this.sql, parameters); }
}

/** Takes objects as R2 does, create-only, and keeps their lines' number. */
class R2Bucket {
  constructor(during) {
    this.during = during;
    this.lines = new Map();
  }
  async put(key, object, { onlyIf }) {
    assert.deepEqual(onlyIf, { etagDoesNotMatch: "*" });
    assert.ok(object instanceof ArrayBuffer);
    await this.during();
    if (this.lines.has(key)) return null;
    const text = gunzipSync(object).toString();
    assert.ok(text.endsWith("}\n"));
    this.lines.set(key, text.split("\n").length - 1);
    return { key };
  }
}

const encoder = new TextEncoder();

/** Answers like D1, which writes a call's statements as one JSON text in UTF-8. */
class D1Database {
  constructor(during) {
    this.during = during;
    this.rows = 0;
    this.cataloged = 0;
  }
  prepare(sql) { return new D1PreparedStatement(sql); }
  async batch(statements) {
    const request = encoder.encode(JSON.stringify(statements.map(({ sql, parameters }) => ({ sql, parameters }))));
    await this.during(request);
    const counts = statements.map(({ parameters }) => JSON.parse(parameters[0]).length);
    if (statements[0].sql.includes("archive_objects")) {
      this.cataloged += counts[0];
      return [{ success: true, results: [], meta: { changes: counts[0], rows_written: 2 * counts[0] } }];
    }
    this.rows += counts.reduce((sum, count) => sum + count, 0);
    const meta = (changes) => ({ changes, rows_written: 4 * changes, size_after: 1e6, duration: 1 });
    return counts.map((count) => ({ success: true, results: [], meta: meta(count) }));
  }
}

const row = (message, number, text) => JSON.stringify([
  `0193579c-0000-7000-8000-${String(message).padStart(4, "0")}${String(number).padStart(8, "0")}`,
  "shop", "ray", "corr", "info", text, { kind: "log", seq: number, method: "POST", path: "/events", status: 202 },
  "2026-11-23T17:57:06.376Z", 1,
]);

/** A body as the runtime hands it out: flat; two bytes a character, since one is not Latin-1. */
function fullBody(message) {
  const rows = [row(message, 0, "a line … [cut]")];
  let bytes = 30 + encoder.encode(rows[0]).length;
  for (let number = 1; ; number++) {
    const next = row(message, number, "x".repeat(150));
    if (bytes + next.length + 1 > BODY_BYTES) break;
    bytes += next.length + 1;
    rows.push(next);
  }
  return new TextDecoder().decode(encoder.encode(`{"v":1,"records":[${rows.join(",")}]}`));
}

function fullBatch() {
  const verdicts = { acked: 0, retried: 0 };
  const messages = Array.from({ length: MESSAGES }, (_, message) => ({
    id: `m${message}`,
    timestamp: new Date(),
    attempts: 1,
    body: fullBody(message),
    ack() { verdicts.acked += 1; },
    retry() { verdicts.retried += 1; },
  }));
  return { verdicts, batch: { queue: "tail-logs", messages } };
}

/** The bytes that are live now, Wasm's memory and Node's own 8 MB included. */
function liveBytes() {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const FRESH_BYTES = liveBytes();

/**
 * Processes full batches side by side in one isolate; returns the most bytes that were live, without those that the
 * isolates of earlier tests still hold.
 */
async function mostLiveBytes(batches, { archives = false, ROWS = "all" } = {}) {
  const held = liveBytes() - FRESH_BYTES;
  let most = 0;
  const look = async () => {
    most = Math.max(most, liveBytes());
    await new Promise((resolve) => setTimeout(resolve, 20));
    most = Math.max(most, liveBytes());
  };
  const database = new D1Database(async (request) => {
    await look();
    assert.ok(request.length > 0);
  });
  const bucket = new R2Bucket(look);
  const archive = archives ? { ARCHIVE: bucket, ROWS } : {};
  const worker = await start("log-writer", { DB: database, DLQ: new WorkerQueue(), FALLBACK: new KvNamespace(), ...archive });
  const full = Array.from({ length: batches }, fullBatch);
  await Promise.all(full.map(({ batch }) => worker.queue(batch)));
  for (const { verdicts } of full) assert.deepEqual(verdicts, { acked: MESSAGES, retried: 0 });
  const records = batches * MESSAGES * 300;
  if (archives) {
    const lines = [...bucket.lines.values()].reduce((sum, count) => sum + count, 0);
    // The batches are of the same messages, so they meet each other's objects.
    assert.ok(lines > records / batches, `${lines} lines`);
    assert.equal(database.cataloged, batches * bucket.lines.size);
  }
  if (ROWS === "all") assert.ok(database.rows > records, `${database.rows} rows`);
  else assert.equal(database.rows, batches * MESSAGES);
  return most - held;
}

test("a full batch leaves half of an isolate's memory free", async (context) => {
  const most = await mostLiveBytes(1);
  context.diagnostic(`${(most / MB).toFixed(1)} MB live at most`);
  assert.ok(most <= 64 * MB, `${(most / MB).toFixed(1)} MB`);
});

test("two full batches fit in one isolate", async (context) => {
  const most = await mostLiveBytes(2);
  context.diagnostic(`${(most / MB).toFixed(1)} MB live at most`);
  assert.ok(most <= 110 * MB, `${(most / MB).toFixed(1)} MB`);
});

for (const ROWS of ["all", "index"]) {
  test(`with the archive and ROWS=${ROWS} these bounds hold`, async (context) => {
    for (const [batches, bound] of [[1, 64 * MB], [2, 110 * MB]]) {
      const most = await mostLiveBytes(batches, { archives: true, ROWS });
      context.diagnostic(`${batches}: ${(most / MB).toFixed(1)} MB live at most`);
      assert.ok(most <= bound, `${(most / MB).toFixed(1)} MB`);
    }
  });
}

const bindings = () => ({ DB: new D1Database(async () => {}), DLQ: new WorkerQueue(), FALLBACK: new KvNamespace() });

function message(id, told, parts = {}) {
  const body = `{"v":1,"records":[${row(0, 0, id)}]}`;
  const methods = { ack() { told.push(`ack ${id}`); }, retry() { told.push(`retry ${id}`); } };
  return Object.defineProperties({ id, timestamp: new Date(), attempts: 1, body, ...methods }, parts);
}

test("a message that cannot be read is retried, and its neighbours are not", async () => {
  const told = [];
  const unreadable = { body: { get() { throw new Error("cannot be deserialized"); } } };
  const worker = await start("log-writer", bindings());
  await worker.queue({ queue: "tail-logs", messages: [message("a", told), message("b", told, unreadable), message("c", told)] });
  assert.deepEqual(told.toSorted(), ["ack a", "ack c", "retry b"]);
});

test("a batch that cannot be read rejects", async () => {
  const worker = await start("log-writer", bindings());
  const batch = { queue: "tail-logs", get messages() { throw new Error("unreadable"); } };
  await assert.rejects(async () => worker.queue(batch));
});

test("a verdict that is not taken rejects, and the others are told", async () => {
  const told = [];
  const refusing = { ack: { value() { throw new Error("no"); } } };
  const worker = await start("log-writer", bindings());
  const messages = [message("a", told), message("b", told, refusing), message("c", told)];
  await assert.rejects(async () => worker.queue({ queue: "tail-logs", messages }));
  assert.deepEqual(told, ["ack a", "ack c"]);
});

test("a malformed setting is logged once per isolate", async () => {
  const warnings = () => lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "malformed_setting");
  lines.length = 0;
  for (const isolate of [1, 2]) {
    const worker = await start("log-writer", { ...bindings(), RETENTION_DAYS: "many", MAX_ATTEMPTS: 0 });
    for (const id of ["a", "b", "c"]) await worker.queue({ queue: "tail-logs", messages: [message(id, [])] });
    assert.equal(warnings().length, 2 * isolate);
  }
  assert.deepEqual(warnings().map(({ setting, used }) => [setting, used]).slice(0, 2), [["RETENTION_DAYS", "7"], ["MAX_ATTEMPTS", "16"]]);
});

test("an index without an archive is one warning, and every record is a row", async () => {
  lines.length = 0;
  const env = { ...bindings(), ROWS: "index" };
  const worker = await start("log-writer", env);
  const told = [];
  for (const id of ["a", "b"]) {
    const rows = [0, 1, 2].map((number) => row(0, number, id)).join(",");
    await worker.queue({ queue: "tail-logs", messages: [message(id, told, { body: { value: `{"v":1,"records":[${rows}]}` } })] });
  }
  assert.deepEqual(told, ["ack a", "ack b"]);
  assert.equal(env.DB.rows, 6);
  const warnings = lines.filter((line) => JSON.parse(line).event === "archive_missing");
  assert.equal(warnings.length, 1);
});

test("an object that is there is as good as stored, and a refusal is not", async () => {
  const env = { ...bindings(), ARCHIVE: new R2Bucket(async () => {}) };
  const worker = await start("log-writer", env);
  const told = [];
  for (let delivery = 0; delivery < 2; delivery++) {
    await worker.queue({ queue: "tail-logs", messages: [message("a", told)] });
  }
  assert.deepEqual(told, ["ack a", "ack a"]);
  assert.deepEqual([...env.ARCHIVE.lines.values()], [1]);
  env.ARCHIVE.put = async () => { throw new Error("put: internal error (10001)"); };
  await worker.queue({ queue: "tail-logs", messages: [message("b", told)] });
  assert.deepEqual(told, ["ack a", "ack a", "retry b"]);
});
