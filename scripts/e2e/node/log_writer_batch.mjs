// The built log-writer with the largest batch that a queue can deliver, whose messages the runtime holds until the handler
// ends; and with batches that cannot be read. Run by `scripts/e2e/tests/batch.rs`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

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

const encoder = new TextEncoder();

/** Answers like D1, which writes a call's statements as one JSON text in UTF-8. */
class D1Database {
  constructor(during) {
    this.during = during;
    this.rows = 0;
  }
  prepare(sql) { return new D1PreparedStatement(sql); }
  async batch(statements) {
    const request = encoder.encode(JSON.stringify(statements.map(({ sql, parameters }) => ({ sql, parameters }))));
    await this.during(request);
    const counts = statements.map(({ parameters }) => JSON.parse(parameters[0]).length);
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

/** Processes full batches side by side in one isolate; returns the most bytes that were live. */
async function mostLiveBytes(batches) {
  let most = 0;
  const database = new D1Database(async (request) => {
    most = Math.max(most, liveBytes());
    await new Promise((resolve) => setTimeout(resolve, 20));
    most = Math.max(most, liveBytes());
    assert.ok(request.length > 0);
  });
  const worker = await start("log-writer", { DB: database, DLQ: new WorkerQueue(), FALLBACK: new KvNamespace() });
  const full = Array.from({ length: batches }, fullBatch);
  await Promise.all(full.map(({ batch }) => worker.queue(batch)));
  for (const { verdicts } of full) assert.deepEqual(verdicts, { acked: MESSAGES, retried: 0 });
  assert.ok(database.rows > batches * MESSAGES * 300, `${database.rows} rows`);
  return most;
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
