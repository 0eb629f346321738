// The built tail-ingest with a queue and a KV namespace that refuse, hesitate and never answer, over a clock that the test
// moves. Run by `scripts/harness/tests/delivery.rs`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PausedTime, start } from "./runtime.mjs";

const LIMIT_MS = 25_000;
const CONNECTIONS = 6;

const time = new PausedTime(1_795_456_626_376);

const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));

let lines = []; // of the Worker's own log: { level, … }
for (const method of ["log", "warn", "error"]) {
  console[method] = (text) => lines.push({ method, ...(text.startsWith("{") ? JSON.parse(text) : { text }) });
}

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const refusal = () => new Error("Queue is overloaded. Please back off.");

// The answers of a binding to a call: `take` stores what it was given.
const takes = (ms = 10) => async (take) => {
  take();
  await after(ms);
};
const refuses = (ms = 10) => async () => {
  await after(ms);
  throw refusal();
};
const takesAndRefuses = async (take) => {
  take();
  await after(10);
  throw refusal();
};
const throws = () => {
  throw refusal();
};
const silent = () => new Promise(() => {});
const first = (count, one, other) => (take, call) => (call <= count ? one : other)(take, call);
const only = (number, one) => (take, call) => (call === number ? one : silent)(take, call);

/** The ids of the records in an envelope. */
const ids = (body) => JSON.parse(body).records.map(([id]) => id);

/** A queue and a KV namespace, and what they hold. */
function bindings(queue, kv) {
  const held = { queue: new Set(), kv: new Set(), sends: 0, puts: 0, ttls: new Set(), keys: new Set() };
  held.waiting = held.mostWaiting = 0; // calls without an answer so far
  const play = (answer, call, take) => {
    const promise = answer(take, call); // or an error, at once
    held.mostWaiting = Math.max(held.mostWaiting, ++held.waiting);
    const answered = () => held.waiting--;
    promise.then(answered, answered);
    return promise;
  };
  const store = (set, bodies) => () => bodies.flatMap(ids).forEach((id) => set.add(id));
  class WorkerQueue {
    send(body, options) {
      assert.equal(options.contentType, "text");
      return play(queue, ++held.sends, store(held.queue, [body]));
    }
    sendBatch(messages) {
      assert.ok(messages.every(({ contentType }) => contentType === "text"));
      assert.ok(messages.reduce((bytes, { body }) => bytes + body.length + 500, 0) <= 256_000);
      return play(queue, ++held.sends, store(held.queue, messages.map(({ body }) => body)));
    }
  }
  class KvNamespace {
    put(key, body, options) {
      held.ttls.add(options.expirationTtl);
      held.keys.add(key);
      return play(kv, ++held.puts, store(held.kv, [body]));
    }
    // The names that `worker` looks up.
    get() {}
    getWithMetadata() {}
    list() {}
    delete() {}
  }
  return { env: { TAIL_LOGS: new WorkerQueue(), FALLBACK: new KvNamespace() }, held };
}

/** A request that logged `messages`. */
const event = (messages) => ({
  scriptName: "shop",
  outcome: "ok",
  eventTimestamp: time.now,
  cpuTime: 1,
  wallTime: 2,
  truncated: false,
  executionModel: "stateless",
  event: { request: { method: "GET", url: "https://a.example/", headers: {} }, response: { status: 200 } },
  logs: messages.map((message) => ({ timestamp: time.now, level: "log", message: [message] })),
  exceptions: [],
  diagnosticsChannelEvents: [],
});

// Lines of which one fills a message, but for the invocation beside the first.
const large = (count) => event(Array.from({ length: count }, (_, line) => `line ${line} `.padEnd(100_000, "x")));

/** Calls the tail handler; what it returns says when it is over. */
function call(worker, events) {
  const state = { started: time.now, over: false };
  Promise.resolve(worker.tail(events)).then(
    () => Object.assign(state, { over: true, took: time.now - state.started }),
    (error) => Object.assign(state, { over: true, took: time.now - state.started, error }),
  );
  return state;
}

/** Delivers `count` full messages and checks what holds whatever fails. */
async function deliver(queue, kv, count) {
  lines = [];
  const { env, held } = bindings(queue, kv);
  const worker = await start("tail-ingest", env);
  const timers = time.timers;
  const state = call(worker, [large(count)]);
  await time.pass(30_000, () => state.over);

  assert.ok(state.over, "the call ends");
  assert.equal(state.error, undefined);
  assert.ok(state.took <= LIMIT_MS, `${state.took} ms`);
  const records = count + 1;
  const found = held.queue.union(held.kv).size;
  const lost = lines.reduce((sum, line) => sum + (line.not_confirmed ?? 0), 0);
  assert.ok(found + lost >= records, `${found} found and ${lost} counted of ${records}`);
  for (const line of lines) {
    assert.equal(line.event, "delivery");
    assert.equal(line.queued + line.fallback + line.not_confirmed, records);
    assert.equal(line.method, line.not_confirmed > 0 ? "error" : "warn");
    assert.equal(line.level, line.method);
  }
  assert.ok(lines.length <= 1, "one line says it all");
  assert.ok(held.mostWaiting <= CONNECTIONS);
  // Timers are cleared, but for those of the fakes that have yet to answer.
  assert.ok(time.timers - timers <= held.waiting, `${time.timers - timers} timers are left`);

  // Late answers, and then another call of the same isolate.
  await time.pass(120_000);
  assert.deepEqual(unhandled, []);
  assert.equal(lines.length <= 1, true);
  return { held, lines, took: state.took };
}

const QUEUES = {
  takes: takes(),
  "refuses at once": refuses(),
  throws,
  "takes and refuses": takesAndRefuses,
  "never answers": silent,
  "takes after 4.9 s": takes(4_900),
  "takes and answers after 6 s": takes(6_000),
  "refuses after 4.9 s": refuses(4_900),
  "refuses after 8 s": refuses(8_000),
  "refuses after 57 s": refuses(57_000),
  "answers the first send alone": only(1, takes()),
  "answers the second send alone": only(2, takes()),
  "recovers after two refusals": first(2, refuses(), takes()),
};
const KVS = {
  takes: takes(),
  refuses: refuses(),
  throws,
  "never answers": silent,
  "takes after 3 s": takes(3_000),
  "refuses after 57 s": refuses(57_000),
  "answers the second put alone": only(2, takes()),
};

for (const [queueName, queue] of Object.entries(QUEUES)) {
  test(`a queue that ${queueName}, and every kind of KV`, async () => {
    for (const [kvName, kv] of Object.entries(KVS)) {
      for (const count of [1, 9]) {
        await deliver(queue, kv, count).catch((error) => {
          error.message = `KV that ${kvName}, ${count} bodies: ${error.message}`;
          throw error;
        });
      }
    }
  });
}

test("what the queue does not take is in KV for 30 days", async () => {
  const { held, lines } = await deliver(refuses(8_000), takes(), 9);
  assert.equal(held.kv.size, 10);
  assert.equal(held.keys.size, 9);
  for (const key of held.keys) {
    assert.match(key, /^envelope\/2026-11-2\dT[\d:.]{12}Z-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  }
  assert.deepEqual([...held.ttls], [30 * 24 * 60 * 60]);
  assert.equal(held.sends, 2);
  const { fallback, not_confirmed, queue_error } = lines[0];
  assert.deepEqual([fallback, not_confirmed, queue_error], [10, 0, "no answer within 5000 ms"]);
});

test("what nobody confirms is counted", async () => {
  const { lines, took } = await deliver(silent, silent, 9);
  assert.equal(lines[0].not_confirmed, 10);
  assert.ok(took > 18_000 && took < 20_000, `${took} ms`);
  const refused = await deliver(refuses(), refuses(), 1);
  assert.equal(refused.lines[0].queue_error, refusal().message);
  assert.equal(refused.lines[0].fallback_error, refusal().message);
});

test("missing bindings are named, and the records counted", async () => {
  lines = [];
  for (const env of [{}, { TAIL_LOGS: null, FALLBACK: null }, { TAIL_LOGS: "text", FALLBACK: 1 }]) {
    const worker = await start("tail-ingest", env);
    const state = call(worker, [event(["one"])]);
    await time.pass(1_000, () => state.over);
    const line = lines.pop();
    assert.equal(line.not_confirmed, 2);
    assert.equal(line.queue_error, "binding TAIL_LOGS is missing");
    assert.equal(line.method, "error");
  }
  assert.deepEqual(unhandled, []);
});

test("a call beside one that hangs waits for nothing", async () => {
  const { env, held } = bindings(first(1, silent, takes()), takes());
  const worker = await start("tail-ingest", env);
  const hanging = call(worker, [event(["one"])]);
  await time.pass(1_000);
  const beside = call(worker, [event(["two"])]);
  await time.pass(1_000);
  assert.equal(hanging.over, false);
  assert.equal(beside.took, 10);
  assert.equal(held.queue.size, 2);
  await time.pass(30_000);
  assert.equal(held.queue.size, 4);
});

test("a call after the instance broke has what it needs", async () => {
  const { env, held } = bindings(first(1, silent, refuses()), takes());
  const worker = await start("tail-ingest", env);
  call(worker, [event(["one"])]); // hangs, and dies with its instance
  await time.pass(1_000);
  worker.breakInstance();
  const next = call(worker, [event(["two"])]);
  await time.pass(3_000);
  assert.ok(next.over && next.took < 3_000);
  assert.equal(held.kv.size, 2);
});

test("a malformed setting is named once in an isolate", async () => {
  lines = [];
  const { env } = bindings(takes(), takes());
  const worker = await start("tail-ingest", { ...env, SAMPLE_RATE: "most" });
  for (let calls = 0; calls < 3; calls++) {
    const state = call(worker, [event(["one"])]);
    await time.pass(1_000, () => state.over);
  }
  assert.deepEqual(lines.map(({ event, setting }) => [event, setting]), [["malformed_setting", "SAMPLE_RATE"]]);
});

test("a setting of any length is read whole", async () => {
  const names = Array.from({ length: 80 }, (_, number) => `field_${100 + number}`);
  const { env } = bindings(takes(), takes());
  const bodies = [];
  env.TAIL_LOGS.send = async (body) => void bodies.push(body);
  const worker = await start("tail-ingest", { ...env, REDACT: names.join(" ") });
  const context = Object.fromEntries(names.map((name) => [name, `secret of ${name}`]));
  const state = call(worker, [event([JSON.stringify({ message: "m", context })])]);
  await time.pass(1_000, () => state.over);
  assert.equal(bodies.length, 1);
  assert.deepEqual(bodies[0].match(/secret of \w+/g), null);
});

test("a line reads the same however its texts cross", async () => {
  const calls = [
    ["plain"], [""], [], ["a", "b %s", ""], [7, "b"], ["\0"], ["a\0b", "c"], ["half \ud83d"], ["whole 🦀é"], ["x".repeat(70_000)],
    [JSON.stringify({ level: "warn", message: "m", context: { password: "p", n: [1, "\0"] } })], [{ message: "object" }], ["last"],
  ];
  // A member that no line has today: then the lines cross within the JSON text.
  const read = async (more) => {
    const { env } = bindings(takes(), takes());
    const rows = [];
    env.TAIL_LOGS.send = async (body) => void rows.push(...JSON.parse(body).records);
    env.TAIL_LOGS.sendBatch = async (messages) => messages.forEach(({ body }) => rows.push(...JSON.parse(body).records));
    const worker = await start("tail-ingest", env);
    const logs = calls.map((message) => ({ timestamp: time.now, level: "log", message, ...more }));
    const state = call(worker, [{ ...event([]), logs }]);
    await time.pass(1_000, () => state.over);
    return rows.map(([, worker, , , level, message, { unknown, ...context }]) => ({ worker, level, message, context }));
  };
  const rows = await read({});
  assert.equal(rows.length, calls.length + 1);
  assert.deepEqual(rows, await read({ more: 1 }));
  const messages = rows.map(({ message }) => message);
  for (const text of ["plain", "a b %s ", "a\0b c", "half \\ud83d", "whole 🦀é", "m", "last"]) {
    assert.ok(messages.includes(text), text);
  }
});
