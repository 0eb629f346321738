// Group commit, as databases do it: while one message is on its way to the queue, the records of the calls that come
// meanwhile gather, and go as one message when it is there. A call that comes alone is sent at once and waits for nobody.
// A call's promise is fulfilled only when its own records are on the queue, or wherever the ladder took them.
//
// To the runtime each call is a request of its own, which can die alone. So a call keeps what it has until it hears that
// it is safe, and if it hears nothing, sends it itself. What goes twice for it is stored once, by its id. And it does I/O
// only when the runtime itself called it or answered it, never when another call's promise did: workerd has been seen to
// forget such I/O. Hence nobody is told "your turn"; whoever sent the last message sends the next.

import { decode, text } from "./glue.js";

const AS_TEXT = { contentType: "text" };

// When a call gives up on another: far beyond what the ladder takes (three retries within a second, then KV), and far
// below the 30 s that the runtime gives a call.
const PATIENCE_MS = 10_000;
// How long a call goes on sending for others before the next one takes over.
const SERVICE_MS = 1_000;

// What an envelope begins and ends with, and how many bytes it may have; see `log_record::envelope`.
let head = "";
let tail = "";
let limit = 0;

let sentAt = 0; // when the message on its way was sent, in ms since 1970; 0 if none is
let gathering; // what goes next, if anything has come

export function envelope(start, end, bytes) {
  head = start;
  tail = end;
  limit = bytes;
}

class Group {
  bodies = [];
  bytes = 0; // of the bodies; of the envelope made of them at most
  records = 0;
  #listeners = [];

  add(body, bytes, records, listener) {
    this.bodies.push(body);
    this.bytes += bytes;
    this.records += records;
    this.#listeners.push(listener);
  }

  // One envelope of all records.
  join() {
    if (this.bodies.length === 1) return this.bodies[0];
    const rows = this.bodies.map((body) => body.slice(head.length, body.length - tail.length));
    return head + rows.join(",") + tail;
  }

  settle() {
    for (const listener of this.#listeners) listener();
  }
}

// Sends one body, of so many bytes and records. `refused(body, records, error)` takes over from a refusal by the queue;
// what it returns is fulfilled in any case.
export function send(queue, body, bytes, records, refused) {
  const now = Date.now();
  if (sentAt === 0 || now - sentAt > PATIENCE_MS) {
    sentAt = now;
    return lead(queue, body, records, refused, now + SERVICE_MS);
  }
  // A full message waits for nothing.
  const full = gathering !== undefined && gathering.bytes + bytes > limit ? flush(queue, refused) : undefined;
  const own = follow(queue, body, bytes, records, refused);
  return full === undefined ? own : Promise.all([full, own]);
}

// `send` of a body as it lies in Wasm memory.
export function sendEncoded(queue, body, records, refused) {
  return send(queue, decode(body), body.length, records, refused);
}

function offer(queue, body, records, refused) {
  try {
    return queue.send(body, AS_TEXT).catch((error) => refused(body, records, text(error)));
  } catch (error) {
    return refused(body, records, text(error));
  }
}

// Sends a body at once, and then, until `end`, what has gathered meanwhile.
async function lead(queue, body, records, refused, end) {
  try {
    await offer(queue, body, records, refused);
    while (gathering !== undefined) {
      sentAt = Date.now();
      const last = sentAt > end;
      if (last) sentAt = 0; // the next call to come leads
      await flush(queue, refused);
      if (last) return;
    }
    sentAt = 0;
  } catch (error) {
    sentAt = 0;
    throw error; // which the runtime logs
  }
}

// Sends all that has gathered.
async function flush(queue, refused) {
  const group = gathering;
  gathering = undefined;
  await offer(queue, group.join(), group.records, refused);
  group.settle();
}

// Leaves a body to whoever sends next.
function follow(queue, body, bytes, records, refused) {
  const group = (gathering ??= new Group());
  let timer;
  const heard = new Promise((resolve) => {
    timer = setTimeout(() => {
      resolve(group === gathering ? flush(queue, refused) : offer(queue, body, records, refused));
    }, PATIENCE_MS);
    group.add(body, bytes, records, resolve);
  });
  return heard.then(() => clearTimeout(timer));
}
