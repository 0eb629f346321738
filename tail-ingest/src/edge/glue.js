// JavaScript's side of the Worker: what crosses into Wasm and back. `frame.rs` describes the text that `collect` writes.
// Nothing here throws because of what an event holds: what cannot be read is replaced by a note that says so.

const encoder = new TextEncoder();

const FIELDS = new Set([
  "event", "eventTimestamp", "logs", "exceptions", "diagnosticsChannelEvents", "scriptName", "entrypoint",
  "scriptVersion", "scriptTags", "dispatchNamespace", "durableObjectId", "tailAttributes", "preview", "executionModel",
  "outcome", "cpuTime", "wallTime", "truncated",
]);
const LEVELS = new Set(["log", "info", "warn", "error", "debug"]);
const LOG_FIELDS = new Set(["timestamp", "level", "message", "errorInfo"]);
const DEPTH = 200; // nesting beyond this is noted, not copied

const note = (problem, error) => `[${problem}: ${text(error)}]`;

function text(value) {
  try {
    return String(value?.message ?? value).slice(0, 500);
  } catch {
    return "unknown";
  }
}

// `object[key]`, or a note where reading it throws.
function read(object, key) {
  try {
    return object[key];
  } catch (error) {
    return note("unreadable", error);
  }
}

// A copy of anything that JSON can write: no cycles, no BigInt, no throwing getters.
function copy(value, above) {
  switch (typeof value) {
    case "bigint":
    case "symbol":
    case "function":
      return text(String(value));
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (above.includes(value)) return "[cyclic]";
  if (above.length >= DEPTH) return "[too deep]";
  const within = [...above, value];
  try {
    if (typeof value.toJSON === "function") return copy(value.toJSON(), within);
    if (Array.isArray(value)) return Array.from(value, (_, index) => copy(read(value, index), within));
    const result = {};
    for (const key of Object.keys(value)) {
      Object.defineProperty(result, key, { value: copy(read(value, key), within), enumerable: true });
    }
    return result;
  } catch (error) {
    return note("unreadable", error);
  }
}

// JSON text of anything; what JSON has no word for is null.
function json(value) {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    try {
      return JSON.stringify(copy(value, [])) ?? "null";
    } catch (error) {
      return JSON.stringify(note("unreadable", error));
    }
  }
}

const isObject = (value) => typeof value === "object" && value !== null;

// The event without the parts that are large and not stored: of `request.cf` only where the request came in.
function project(event) {
  const request = isObject(event) ? read(event, "request") : undefined;
  if (!isObject(request) || Array.isArray(event)) return event;
  const kept = {};
  for (const key in request) {
    const value = read(request, key);
    if (key === "cf") {
      if (isObject(value)) kept.cf = { colo: read(value, "colo"), country: read(value, "country") };
    } else if (typeof value !== "function") {
      kept[key] = value;
    }
  }
  const projected = { request: kept };
  for (const key in event) {
    if (key !== "request") projected[key] = read(event, key);
  }
  return projected;
}

// Adds the fields of one trace event. `strict` looks for half surrogate pairs, which only JSON can carry across.
function add(fields, item, strict) {
  if (!isObject(item) || Array.isArray(item)) {
    fields.push("X" + json(item));
    return;
  }
  const head = {};
  for (const key in item) {
    if (key === "logs") continue;
    const value = read(item, key);
    if (value === null || value === undefined || (typeof value === "function" && !FIELDS.has(key))) continue;
    head[key] = key === "event" ? project(value) : value;
  }
  let logs = read(item, "logs");
  if (!Array.isArray(logs)) {
    if (logs !== null && logs !== undefined) head.logs = logs;
    logs = [];
  }
  fields.push("I" + json(head));
  if (logs.length === 0) return;
  // All lines of an event have the same shape: a field that this code does not know shows in the first.
  let known = true;
  for (const key in logs[0]) known &&= LOG_FIELDS.has(key);
  for (let index = 0; index < logs.length; index++) {
    const log = read(logs, index);
    if (!known || !line(fields, log, strict)) fields.push("J" + json(log));
  }
}

// Adds the fields of an ordinary console line; false if it is none.
function line(fields, log, strict) {
  try {
    const { timestamp, level, message } = log;
    if (!Number.isFinite(timestamp) || !LEVELS.has(level) || !Array.isArray(message)) return false;
    const count = message.length;
    for (let index = 0; index < count; index++) {
      const value = message[index];
      if (typeof value !== "string" || value.includes("\0") || (strict && !value.isWellFormed())) return false;
    }
    if (log.errorInfo) return false;
    fields.push(`L${timestamp} ${level} ${count}`);
    for (let index = 0; index < count; index++) fields.push(message[index]);
    return true;
  } catch {
    return false;
  }
}

function write(events, strict) {
  const fields = [];
  if (Array.isArray(events)) {
    for (let index = 0; index < events.length; index++) {
      const start = fields.length;
      const item = read(events, index);
      try {
        add(fields, item, strict);
      } catch {
        // Whatever got here was not foreseen: the whole event as JSON, or a note.
        fields.length = start;
        fields.push("X" + json(item));
      }
    }
  } else {
    fields.push("X" + json(events));
  }
  return fields.join("\0");
}

let waiting = ""; // text that did not fit the buffer it was offered

// Writes the events as text into Wasm memory: `length` bytes from `start` on. Returns how many bytes were written, or,
// if they might not fit, the negative of how many are wanted; `again` then writes them.
export function collect(events, memory, start, length) {
  waiting = write(events, false);
  if (!waiting.isWellFormed()) waiting = write(events, true);
  return again(memory, start, length);
}

export function again(memory, start, length) {
  const wanted = waiting.length * 3; // UTF-8 takes at most three bytes for a UTF-16 unit
  if (wanted > length) {
    const exact = wanted > 1 << 20 ? encoder.encode(waiting).length : wanted;
    if (exact > length) return -exact;
  }
  const { written } = encoder.encodeInto(waiting, new Uint8Array(memory.buffer, start, length));
  waiting = "";
  return written;
}

const AS_TEXT = { contentType: "text" };

// Offers one body to the queue. Returns the queue's own promise; `refused(body, records, error)` takes over from a
// refusal.
export function send(queue, body, records, refused) {
  try {
    return queue.send(body, AS_TEXT).catch((error) => refused(body, records, text(error)));
  } catch (error) {
    return refused(body, records, text(error));
  }
}

// Offers several bodies to the queue at once.
export function sendBatch(queue, bodies) {
  return queue.sendBatch(bodies.map((body) => ({ body, contentType: "text" })));
}

export function put(kv, key, value, expirationTtl) {
  return kv.put(key, value, { expirationTtl });
}

export function describe(error) {
  return text(error);
}

// A variable as text: numbers and booleans as they are written, lists with commas. Secrets and bindings are none.
export function variable(env, name) {
  const value = read(env, name);
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.map(text).join(",");
  return typeof value === "object" ? json(value) : text(value);
}

export function binding(env, name) {
  const value = read(env, name);
  return isObject(value) ? value : undefined;
}

export function answer(request) {
  const read = request.method === "GET" || request.method === "HEAD";
  return read ? new Response("OK") : new Response("GET only", { status: 405, headers: { allow: "GET, HEAD" } });
}

// 53 random bits.
export function random() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high >>> 11) * 4294967296 + low;
}
