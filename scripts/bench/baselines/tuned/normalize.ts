// Trace events to the text of a queue message, in TypeScript with every measure that helped in Rust: rows as arrays by
// position, the context embedded as JSON, what records share written once, time-ordered ids from one random draw per
// call, timestamps cached by the second. The text is an envelope that log-writer reads as well. Unlike the other baseline
// it redacts secrets by name, as tail-ingest does; like it, it neither cuts what is too large nor expects malformed events.

import type { Level, TraceItem, TraceLog } from "../trace";

const LEVELS: Record<string, Level> = {
  debug: "debug", trace: "debug", log: "info", info: "info", warn: "warn", warning: "warn", error: "error",
  fatal: "error", critical: "error",
};

export interface Envelope {
  body: string;
  records: number;
}

/** The longest message body, in UTF-16 units: the queue's limit for text that is mostly ASCII, with room. */
export const BODY_UNITS = 120_000;
export const HEAD = '{"v":1,"records":[';
export const TAIL = "]}";

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");

let second = -1;
let secondText = "";

function timestamp(ms: number): string {
  const its = Math.floor(ms / 1000);
  if (its !== second) {
    second = its;
    secondText = new Date(its * 1000).toISOString().slice(0, 20);
  }
  return `${secondText}${String(ms - its * 1000).padStart(3, "0")}Z`;
}

/** UUIDs of version 7: the time, the position in the call, and 62 bits that are random for each call. */
function ids() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  const tail = `-${hex(0x8000 | (high & 0x3fff), 4)}-${hex(high >>> 16, 4)}${hex(low, 8)}`;
  let position = 0;
  let millisecond = -1;
  let prefix = "";
  return (ms: number) => {
    if (ms !== millisecond) {
      millisecond = ms;
      const time = hex(ms, 12);
      prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
    }
    return prefix + hex(position++ & 0xfff, 3) + tail;
  };
}

/** Whole words of a name that make it secret, as those in `author` and `monkey` do not. */
const SECRET = /(?:^|[^a-z]|(?<=[a-z])(?=[A-Z]))(?:auth|jwt|key|secret|token|password|passwd|cookie|authorization|apikey)s?(?:$|[^a-z])/i;
const known = new Map<string, boolean>();

function isSecret(name: string): boolean {
  let secret = known.get(name);
  if (secret === undefined) {
    if (known.size > 10_000) known.clear();
    secret = SECRET.test(name);
    known.set(name, secret);
  }
  return secret;
}

function holdsSecret(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsSecret);
  for (const name in value) {
    if (isSecret(name) || holdsSecret((value as Record<string, unknown>)[name])) return true;
  }
  return false;
}

/** JSON text of a value, with text under secret names redacted. */
function redacted(value: unknown): string {
  if (!holdsSecret(value)) return JSON.stringify(value);
  return JSON.stringify(value, (name, inner) => (typeof inner === "string" && isSecret(name) ? "REDACTED" : inner));
}

interface Line {
  level: Level;
  /** JSON text of a string. */
  message: string;
  correlationId?: string;
  /** What follows in the context, JSON text. */
  more: string;
}

function readLine(log: TraceLog, args: unknown[]): Line {
  const level = LEVELS[log.level] ?? "info";
  const first = args[0];
  const rest = args.length > 1 ? `,"args":${redacted(args.slice(1))}` : "";
  if (typeof first === "string" && first.charCodeAt(0) === 123) {
    try {
      const line = JSON.parse(first);
      return {
        level: LEVELS[line.level] ?? level,
        message: JSON.stringify(String(line.message ?? "")),
        correlationId: line.correlation_id ?? line.correlationId ?? line.trace_id,
        more: line.context === undefined ? rest : `${rest},"data":${redacted(line.context)}`,
      };
    } catch {
      // Not JSON after all: plain text.
    }
  }
  const message = args.map((arg) => (typeof arg === "string" ? arg : JSON.stringify(arg))).join(" ");
  return { level, message: JSON.stringify(message), more: rest };
}

function invocationLevel(outcome: string, status: number): Level {
  if (status >= 500 || (outcome !== "ok" && outcome !== "canceled")) return "error";
  return status >= 400 || outcome === "canceled" ? "warn" : "info";
}

export function normalize(events: TraceItem[]): Envelope[] {
  const envelopes: Envelope[] = [];
  let body = "";
  let records = 0;
  const finish = () => {
    if (records > 0) envelopes.push({ body: `${HEAD}${body}${TAIL}`, records });
    body = "";
    records = 0;
  };
  const add = (row: string) => {
    if (body.length + row.length > BODY_UNITS) finish();
    body = records++ === 0 ? row : `${body},${row}`;
  };
  const id = ids();
  for (const item of events) {
    const { event, logs, exceptions, outcome, cpuTime, wallTime } = item;
    const request = event?.request;
    const headers = request?.headers;
    const status = event?.response?.status ?? 0;
    const requestId = headers?.["cf-ray"] ?? id(item.eventTimestamp ?? Date.now());
    let worker = item.scriptName ?? "unknown-worker";
    let correlation = headers?.["x-correlation-id"] ?? headers?.["x-request-id"];

    const lines: Line[] = [];
    let named = false;
    for (const log of logs) {
      let args = log.message;
      const first = args[0];
      if (args.length > 1 && typeof first === "string" && first.charCodeAt(0) === 91 && first.endsWith("]")) {
        // The local runtime puts the Worker's name before what console.log prints.
        worker = item.scriptName ?? first.slice(1, -1);
        args = args.slice(1);
      }
      const line = readLine(log, args);
      if (!named && line.correlationId !== undefined) {
        named = true;
        correlation = line.correlationId;
      }
      lines.push(line);
    }
    correlation ??= id(item.eventTimestamp ?? Date.now());

    let what = '"event_type":"other"';
    let message = '"invocation"';
    let invocation = "";
    if (request) {
      const { method, url } = request;
      const start = url.indexOf("/", url.indexOf("//") + 2);
      const query = url.indexOf("?", start);
      const path = start < 0 ? "/" : url.slice(start, query < 0 ? undefined : query);
      what = `"event_type":"fetch","outcome":"${outcome}","method":"${method}","path":${JSON.stringify(path)},"status":${status}`;
      message = JSON.stringify(`${method} ${path} ${status}`);
      invocation = `,"url":${JSON.stringify(url)},"headers":${redacted(headers)}`;
    }
    const names = `,${JSON.stringify(worker)},${JSON.stringify(requestId)},`;
    let correlationText = JSON.stringify(correlation);
    let seq = 0;
    const row = (level: Level, text: string, kind: string, more: string, ms: number) =>
      add(
        `["${id(ms)}"${names}${correlationText},"${level}",${text},{"kind":"${kind}","seq":${seq++},${what}${more}},"${timestamp(ms)}",${cpuTime}]`,
      );
    row(
      invocationLevel(outcome, status), message, "invocation",
      `${invocation},"latency_ms":${wallTime},"cpu_time_ms":${cpuTime}`, item.eventTimestamp ?? Date.now(),
    );
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index];
      if (line.correlationId !== undefined && line.correlationId !== correlation) {
        correlation = line.correlationId;
        correlationText = JSON.stringify(correlation);
      }
      row(line.level, line.message, "log", line.more, logs[index].timestamp);
    }
    for (const { name, message, stack, timestamp } of exceptions) {
      row("error", JSON.stringify(message), "exception", `,"name":${JSON.stringify(name)},"stack":${JSON.stringify(stack)}`, timestamp);
    }
  }
  finish();
  return envelopes;
}
