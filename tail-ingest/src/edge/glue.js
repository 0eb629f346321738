// JavaScript's side of the Worker: what crosses into Wasm and back. `frame.rs` describes the text that `collect` writes.
// Nothing here throws because of what an event holds: what cannot be read is replaced by a note that says so.

const encoder = new TextEncoder();

// What is read by name of one class of the runtime's objects, and the prototype whose instances were seen to have no
// other properties: what an instance has, its class decides, so it is enough to look at one. A plain object can hold
// anything, and is looked at each time.
class Shape {
  #names;
  #prototype;

  constructor(...names) {
    this.#names = new Set(names);
  }

  // Whether an object has no enumerable properties but these, and methods.
  fits(object) {
    const prototype = Object.getPrototypeOf(object);
    if (prototype === this.#prototype) return true;
    if (Array.isArray(object)) return false;
    for (const name in object) {
      if (!this.#names.has(name) && typeof read(object, name) !== "function") return false;
    }
    if (prototype !== null && prototype !== Object.prototype) this.#prototype = prototype;
    return true;
  }
}

const ITEM = new Shape(
  "event", "eventTimestamp", "logs", "exceptions", "diagnosticsChannelEvents", "scriptName", "entrypoint",
  "scriptVersion", "scriptTags", "dispatchNamespace", "durableObjectId", "tailAttributes", "preview", "executionModel",
  "outcome", "cpuTime", "wallTime", "truncated",
);
const FETCH = new Shape("request", "response");
const REQUEST = new Shape("cf", "headers", "method", "url");
const RESPONSE = new Shape("status");
const LINE = new Shape("timestamp", "level", "message", "errorInfo");

// What announces an ordinary console line, by level and number of arguments.
const HEADERS = Object.fromEntries(
  ["log", "info", "warn", "error", "debug"].map((level) =>
    [level, Array.from({ length: 10 }, (_, count) => `L${level} ${count}`)]),
);
Object.setPrototypeOf(HEADERS, null);
const CHUNK = 32 * 1024; // about how much text crosses at once, in UTF-16 units, where there are several events
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
const isEmpty = (value) => Array.isArray(value) && value.length === 0;

// The event without the parts that are large and not stored, property by property: of `request.cf` only where the
// request came in.
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

const present = (value) => value !== null && value !== undefined;

// The field of a trace event without its lines, where it is a request's and as the runtime makes them: by position, as
// `trace.rs` reads it. Reading a property of the runtime's objects by a name that stands here is several times faster
// than by one in a variable, as `described` does.
function requested(item) {
  if (!ITEM.fits(item)) return undefined;
  const { event } = item;
  if (!isObject(event) || !FETCH.fits(event)) return undefined;
  const { request, response } = event;
  if (!isObject(request) || !REQUEST.fits(request)) return undefined;
  let status;
  if (isObject(response)) {
    ({ status } = response);
    if (typeof status !== "number" || !RESPONSE.fits(response)) return undefined;
  } else if (present(response)) {
    return undefined;
  }
  const { cf } = request;
  return "R" + JSON.stringify([
    request.method, request.url, request.headers, isObject(cf) ? cf.colo : null, isObject(cf) ? cf.country : null,
    status, item.eventTimestamp, item.scriptName, item.outcome, item.cpuTime, item.wallTime, item.truncated,
    item.executionModel, rare(item),
  ]);
}

// The fields that few trace events have; null if there is none.
function rare(item) {
  const {
    entrypoint, scriptVersion, scriptTags, dispatchNamespace, durableObjectId, preview, tailAttributes, exceptions,
    diagnosticsChannelEvents,
  } = item;
  const none =
    !present(entrypoint) && !present(scriptVersion) && !present(scriptTags) && !present(dispatchNamespace) &&
    !present(durableObjectId) && !present(preview) && !present(tailAttributes) && isEmpty(exceptions) &&
    isEmpty(diagnosticsChannelEvents);
  return none ? null : {
    entrypoint, scriptVersion, scriptTags, dispatchNamespace, durableObjectId, preview, tailAttributes, exceptions,
    diagnosticsChannelEvents,
  };
}

// The field of any other, whatever its properties are and do.
function described(item) {
  const head = {};
  for (const key in item) {
    if (key === "logs") continue;
    const value = read(item, key);
    if (value === null || value === undefined || typeof value === "function") continue;
    head[key] = key === "event" ? project(value) : value;
  }
  const logs = read(item, "logs");
  if (logs !== null && logs !== undefined && !Array.isArray(logs)) head.logs = logs;
  return "I" + json(head);
}

let units = 0; // of the text that is being written, about

// Adds the fields of one trace event. `strict` looks for what only JSON can carry across: half surrogate pairs and NULs.
function add(fields, item, strict) {
  if (!isObject(item) || Array.isArray(item)) {
    fields.push("X" + json(item));
    return;
  }
  const logs = read(item, "logs");
  let head;
  try {
    head = Array.isArray(logs) || !present(logs) ? requested(item) : undefined;
  } catch {
    // A property cannot be read or is no JSON: `described` says which.
  }
  head ??= described(item);
  units += head.length;
  fields.push(head);
  if (!Array.isArray(logs) || logs.length === 0) return;
  // All lines of an event are of one shape.
  const ordinary = isObject(logs[0]) && LINE.fits(logs[0]);
  let latest = NaN; // the time of the line before
  for (let index = 0; index < logs.length; index++) {
    const time = ordinary ? line(fields, logs, index, latest, strict) : undefined;
    if (time === undefined) fields.push("J" + json(read(logs, index)));
    else latest = time;
  }
}

// Adds the fields of the console line at `index`, if it is an ordinary one, and returns its time; undefined if it is none.
function line(fields, logs, index, latest, strict) {
  const start = fields.length;
  try {
    const { timestamp, level, message, errorInfo } = logs[index];
    const headers = HEADERS[level];
    if (headers === undefined || !Array.isArray(message) || errorInfo) return undefined;
    const count = message.length;
    const header = headers[count];
    if (header === undefined) return undefined;
    if (timestamp !== latest) {
      if (!Number.isFinite(timestamp)) return undefined;
      fields.push("T" + timestamp);
    }
    fields.push(header);
    for (let at = 0; at < count; at++) {
      const value = message[at];
      if (typeof value !== "string" || (strict && (value.includes("\0") || !value.isWellFormed()))) {
        fields.length = start;
        return undefined;
      }
      units += value.length;
      fields.push(value);
    }
    return timestamp;
  } catch {
    fields.length = start;
    return undefined;
  }
}

// Writes the events from `from` on, as many as fit `CHUNK`. What a call with many events would make in one piece, the
// garbage collector would have to move.
function write(events, from, strict) {
  const fields = [""];
  let next = 0;
  units = 0;
  if (Array.isArray(events)) {
    for (let index = from; index < events.length; index++) {
      if (units > CHUNK) {
        next = index;
        break;
      }
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
  fields[0] = `${fields.length - 1} ${next}`;
  return fields.join("\0");
}

let waiting = ""; // text that did not fit the buffer it was offered

// Writes events as text into Wasm memory: those from the index `from` on, `length` bytes from `start` on. Returns how
// many bytes were written, or, if they might not fit, the negative of how many are wanted; `again` then writes them.
// `strict` is for events whose text did not come out as so many fields as it says, because there are NULs in it.
export function collect(events, from, strict, memory, start, length) {
  waiting = write(events, from, strict);
  if (!strict && !waiting.isWellFormed()) waiting = write(events, from, true);
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
