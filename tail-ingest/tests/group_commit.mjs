// Group commit, with a queue that answers when a test says so and a clock that moves when it says so: what a real queue
// and the real runtime cannot be made to do. Run by `scripts/e2e/tests/group_commit.rs`.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

const HEAD = '{"v":1,"records":[';
const TAIL = "]}";
const LIMIT = 127_500;
const PATIENCE_MS = 10_000;
const SERVICE_MS = 1_000;

mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });

let instances = 0;

/** A fresh isolate: the group, a queue whose sends wait to be answered, and what was refused. */
async function isolate() {
  const { envelope, send } = await import(`../src/edge/group.js?${instances++}`);
  envelope(HEAD, TAIL, LIMIT);
  const sends = []; // { body, answer(), refuse() }, in order
  const queue = {
    send(body, options) {
      assert.deepEqual(options, { contentType: "text" });
      const { promise, resolve, reject } = Promise.withResolvers();
      sends.push({ body, answer: resolve, refuse: reject });
      return promise;
    },
  };
  const refused = []; // { body, records, error, done() }
  const ladder = (body, records, error) =>
    new Promise((done) => refused.push({ body, records, error, done }));
  /** A call with `records` records named after it; says when it is over. */
  const call = (name, records = 1, padding = "") => {
    const rows = Array.from({ length: records }, (_, at) => JSON.stringify([`${name}${at}${padding}`]));
    const body = HEAD + rows.join(",") + TAIL;
    const state = { over: false };
    send(queue, body, body.length, records, ladder).then(() => (state.over = true));
    return state;
  };
  return { call, queue, refused, sends };
}

/** Lets every promise that can settle do so. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const names = (body) => JSON.parse(body).records.map(([name]) => name);

test("a call that comes alone is sent at once, and is over when the queue has it", async () => {
  const { call, sends } = await isolate();
  const one = call("a", 2);
  assert.deepEqual(sends.map(({ body }) => names(body)), [["a0", "a1"]]);
  await settle();
  assert.equal(one.over, false);
  sends[0].answer();
  await settle();
  assert.equal(one.over, true);

  const two = call("b");
  assert.equal(sends.length, 2);
  sends[1].answer();
  await settle();
  assert.equal(two.over, true);
});

test("what comes while a message is on its way goes as one, and is over when that is there", async () => {
  const { call, sends } = await isolate();
  const first = call("a");
  const others = [call("b", 2), call("c"), call("d")];
  await settle();
  assert.equal(sends.length, 1);
  sends[0].answer();
  await settle();
  assert.equal(sends.length, 2);
  assert.deepEqual(names(sends[1].body), ["b0", "b1", "c0", "d0"]);
  assert.deepEqual(others.map(({ over }) => over), [false, false, false]);
  sends[1].answer();
  await settle();
  assert.deepEqual([first, ...others].map(({ over }) => over), [true, true, true, true]);
  mock.timers.tick(PATIENCE_MS);
  assert.equal(sends.length, 2);
});

test("no message is over the limit, and a full one waits for nothing", async () => {
  const { call, sends } = await isolate();
  call("a");
  const padding = "x".repeat(40_000);
  const others = ["b", "c", "d", "e", "f"].map((name) => call(name, 1, padding));
  await settle();
  // Three of 40,000 bytes fit; the fourth sends them, and begins the next.
  assert.deepEqual(sends.map(({ body }) => names(body).length), [1, 3]);
  sends[1].answer();
  await settle();
  // The one that sent them is still waiting for its own.
  assert.deepEqual(others.map(({ over }) => over), [true, true, true, false, false]);
  sends[0].answer();
  await settle();
  assert.deepEqual(sends.map(({ body }) => names(body).length), [1, 3, 2]);
  sends[2].answer();
  await settle();
  assert.ok(others.every(({ over }) => over));
  assert.ok(sends.every(({ body }) => body.length <= LIMIT));
});

test("a refused message goes down the ladder whole, and its calls wait for where it ends", async () => {
  const { call, refused, sends } = await isolate();
  call("a");
  const others = [call("b", 2), call("c")];
  sends[0].answer();
  await settle();
  sends[1].refuse(new Error("overloaded"));
  await settle();
  assert.equal(refused.length, 1);
  assert.deepEqual(names(refused[0].body), ["b0", "b1", "c0"]);
  assert.equal(refused[0].records, 3);
  assert.equal(refused[0].error, "overloaded");
  assert.ok(others.every(({ over }) => !over));
  refused[0].done();
  await settle();
  assert.ok(others.every(({ over }) => over));
});

test("a queue that throws is a refusal", async () => {
  const { call, queue, refused } = await isolate();
  queue.send = () => {
    throw new Error("no such queue");
  };
  const one = call("a");
  assert.equal(refused[0].error, "no such queue");
  refused[0].done();
  await settle();
  assert.equal(one.over, true);
});

test("calls whose leader died send what they have", async () => {
  const { call, sends } = await isolate();
  call("a"); // never hears from the queue
  const others = [call("b")];
  mock.timers.tick(1);
  others.push(call("c"));
  mock.timers.tick(PATIENCE_MS - 1);
  await settle();
  // The first to lose its patience takes along what the others have.
  assert.deepEqual(sends.slice(1).map(({ body }) => names(body)), [["b0", "c0"]]);
  sends[1].answer();
  await settle();
  assert.ok(others.every(({ over }) => over));
});

test("calls whose message was sent by a call that died then send it themselves", async () => {
  const { call, sends } = await isolate();
  call("a");
  const others = [call("b"), call("c")];
  sends[0].answer();
  await settle();
  assert.equal(sends.length, 2); // never answered
  mock.timers.tick(PATIENCE_MS);
  await settle();
  const later = sends.slice(2);
  for (const { answer } of later) answer();
  await settle();
  assert.deepEqual(later.flatMap(({ body }) => names(body)).sort(), ["b0", "c0"]);
  assert.ok(others.every(({ over }) => over));
});

test("after a leader died the next call leads, and takes along what has gathered", async () => {
  const { call, sends } = await isolate();
  call("a"); // never hears from the queue
  mock.timers.tick(PATIENCE_MS / 2);
  const waiting = call("b");
  mock.timers.tick(PATIENCE_MS / 2 + 1);
  const next = call("c");
  assert.deepEqual(names(sends[1].body), ["c0"]);
  sends[1].answer();
  await settle();
  assert.deepEqual(names(sends[2].body), ["b0"]);
  sends[2].answer();
  await settle();
  assert.ok(waiting.over && next.over);
});

test("a call that fails on the ladder leaves the next ones free, and its followers send what they have", async () => {
  const { queue, sends } = await isolate();
  const { envelope, send } = await import(`../src/edge/group.js?${instances++}`);
  envelope(HEAD, TAIL, LIMIT);
  const broken = () => Promise.reject(new Error("the instance is gone"));
  const body = (name) => `${HEAD}["${name}"]${TAIL}`;
  const leader = send(queue, body("a"), body("a").length, 1, broken);
  let over = false;
  send(queue, body("b"), body("b").length, 1, broken).then(() => (over = true));
  sends[0].answer();
  await settle();
  sends[1].refuse(new Error("down"));
  await assert.rejects(leader, /the instance is gone/);
  assert.equal(over, false);
  mock.timers.tick(PATIENCE_MS);
  sends[2].answer();
  await settle();
  assert.deepEqual(names(sends[2].body), ["b"]);
  assert.equal(over, true);
});

test("a call sends for others for a second at most", async () => {
  const { call, sends } = await isolate();
  const leader = call("a");
  let answered = 0;
  for (let at = 0; at < 20; at++) {
    call(`b${at}`);
    mock.timers.tick(SERVICE_MS / 10);
    sends[answered++].answer();
    await settle();
  }
  assert.equal(leader.over, true);
  // Those after it are served all the same.
  while (answered < sends.length) {
    sends[answered++].answer();
    await settle();
  }
  assert.equal(new Set(sends.flatMap(({ body }) => names(body))).size, 21);
  assert.equal(sends.flatMap(({ body }) => names(body)).length, 21);
});
