// JavaScript's side of the crossing: trace events as JSON text and texts, in UTF-8. Nothing here throws because of what an
// event holds: what cannot be read is replaced by a note that says so.

const encoder = new TextEncoder();

// Nesting beyond this is noted, not copied.
const MAX_DEPTH = 200;

// Stands before each text. JSON text never has it.
const SEPARATOR = "\0";

/**
 * Returns the trace events of a tail call as one text: JSON text, and behind it the texts of console lines that are nothing
 * but text, as nearly all are. They cross as they are: most are JSON themselves, and within JSON text each of their quotes
 * would be escaped here and decoded on the other side.
 */
export function eventsToText(events) {
  const texts = [];
  const json = Array.isArray(events)
    ? `[${Array.from(events, (item) => itemToJson(item, texts)).join(",")}]`
    : anyToJson(events);
  return [json, ...texts].join(SEPARATOR);
}

/** Writes `text` to `bytes` in UTF-8. Returns the number of bytes written, or -1 where it does not fit. */
export function encodeInto(text, bytes) {
  const { read, written } = encoder.encodeInto(text, bytes);
  return read === text.length ? written : -1;
}

function itemToJson(item, texts) {
  const before = texts.length;
  try {
    // Reading the runtime's objects by names that stand in the source is several times faster than leaving it to
    // JSON.stringify.
    return JSON.stringify(plainItem(item, texts)) ?? "null";
  } catch {
    texts.length = before;
    return anyToJson(item);
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function plainItem(item, texts) {
  if (!isObject(item)) return item;
  const {
    event, eventTimestamp, scriptName, outcome, cpuTime, wallTime, truncated, executionModel, entrypoint, scriptVersion,
    scriptTags, dispatchNamespace, durableObjectId, preview, tailAttributes, logs, exceptions, diagnosticsChannelEvents,
  } = item;
  return withOthers(item, {
    event: plainEvent(event), eventTimestamp, scriptName, outcome, cpuTime, wallTime, truncated, executionModel,
    entrypoint, scriptVersion, scriptTags, dispatchNamespace, durableObjectId, preview, tailAttributes,
    logs: plainLogs(logs, texts), exceptions, diagnosticsChannelEvents,
  });
}

/** Of `request.cf`, which describes the connection at length, only where the request came in is kept. */
function plainEvent(event) {
  if (!isObject(event) || !isObject(event.request)) return event;
  const { method, url, headers, cf } = event.request;
  const place = isObject(cf) ? { colo: cf.colo, country: cf.country } : cf;
  const { response } = event;
  return withOthers(event, {
    request: withOthers(event.request, { method, url, headers, cf: place }),
    response: isObject(response) ? withOthers(response, { status: response.status }) : response,
  });
}

const LOG_MEMBERS = new Set(["timestamp", "level", "message", "errorInfo"]);

function plainLogs(logs, texts) {
  if (!Array.isArray(logs) || !isObject(logs[0])) return logs;
  // All lines of an event are of one class, so one tells whether they have members that are not known here.
  for (const name in logs[0]) {
    if (!LOG_MEMBERS.has(name)) return logs;
  }
  return logs.map((log) => {
    const { timestamp, level, message } = log;
    const isTexts = Array.isArray(message) && message.length > 0 && message.every(isText);
    // Reading a member takes a while, and JSON text was not an error.
    const errorInfo = isTexts && message.length === 1 && looksLikeObject(message[0]) ? undefined : log.errorInfo;
    if (errorInfo) return { timestamp, level, message, errorInfo };
    if (!isTexts) return { timestamp, level, message };
    texts.push(...message);
    return { timestamp, level, "tailrace:texts": message.length };
  });
}

const looksLikeObject = (text) => text.startsWith("{") && text.endsWith("}");

/** Returns whether `value` is text that comes back from UTF-8 as it was, and does not look like two. */
const isText = (value) => typeof value === "string" && value.isWellFormed() && !value.includes(SEPARATOR);

// The classes of the runtime whose instances were seen to have no members but those that are read by name: what an
// instance has, its class decides, so one look is enough. A plain object can hold anything, and is looked at each time.
const known = new WeakSet();

/** Adds the members of `source` that `target` does not have: what the runtime comes to say is kept. */
function withOthers(source, target) {
  const prototype = Object.getPrototypeOf(source);
  if (prototype === null || !known.has(prototype)) {
    let hasOthers = false;
    for (const name in source) {
      if (name in target || typeof source[name] === "function") continue;
      target[name] = source[name];
      hasOthers = true;
    }
    if (!hasOthers && prototype !== null && prototype !== Object.prototype) known.add(prototype);
  }
  return target;
}

/** Returns JSON text of anything. */
function anyToJson(value) {
  try {
    return JSON.stringify(copy(value, [])) ?? "null";
  } catch (error) {
    return JSON.stringify(note("unreadable", error));
  }
}

/** Copies anything that JSON can write: no cycles, no BigInt, no throwing getters. */
function copy(value, above) {
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return errorText(value);
  if (typeof value !== "object" || value === null) return value;
  if (above.includes(value)) return "[cyclic]";
  if (above.length >= MAX_DEPTH) return "[too deep]";
  const within = [...above, value];
  try {
    if (typeof value.toJSON === "function") return copy(value.toJSON(), within);
    if (Array.isArray(value)) return Array.from(value, (_, index) => copy(read(value, index), within));
    const result = {};
    for (const name in value) {
      const member = read(value, name);
      if (typeof member === "function") continue;
      Object.defineProperty(result, name, { value: copy(member, within), enumerable: true });
    }
    return result;
  } catch (error) {
    return note("unreadable", error);
  }
}

/** Returns `object[name]`, or a note where reading it throws. */
function read(object, name) {
  try {
    return object[name];
  } catch (error) {
    return note("unreadable", error);
  }
}

const note = (problem, error) => `[${problem}: ${errorText(error)}]`;

function errorText(error) {
  try {
    return String(error?.message ?? error).slice(0, 500);
  } catch {
    return "unknown";
  }
}
