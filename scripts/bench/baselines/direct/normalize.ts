// Trace events to rows, as one writes it in TypeScript without thinking of speed: one object per row, the context as a
// JSON string. It keeps Tailrace's rules for ids, levels, order and correlation, so that both store the same rows; it
// does not redact secrets, cut what is too large, or expect malformed events, all of which tail-ingest does.

import type { Level, TraceItem, TraceLog } from "../trace";

export interface Row {
  log_id: string;
  worker_name: string;
  request_id: string;
  correlation_id: string;
  log_level: Level;
  message: string;
  context_json: string;
  timestamp: string;
  execution_time_ms: number;
}

const LEVELS: Record<string, Level> = {
  debug: "debug", trace: "debug", log: "info", info: "info", warn: "warn", warning: "warn", error: "error",
  fatal: "error", critical: "error",
};

interface Line {
  level: Level;
  message: string;
  correlationId?: string;
  data?: unknown;
  args?: unknown[];
  worker?: string;
}

/** What a console line says: a structured line's own fields, or its arguments as text. */
function readLine(log: TraceLog): Line {
  let args = log.message;
  let worker: string | undefined;
  if (args.length > 1 && typeof args[0] === "string") {
    // The local runtime puts the Worker's name before what console.log prints.
    const name = /^\[([\w-]+)\]$/.exec(args[0]);
    if (name) {
      worker = name[1];
      args = args.slice(1);
    }
  }
  const level = LEVELS[log.level] ?? "info";
  const [first, ...rest] = args;
  const more = rest.length > 0 ? rest : undefined;
  if (typeof first === "string" && first.startsWith("{")) {
    try {
      const line = JSON.parse(first);
      return {
        level: LEVELS[String(line.level).toLowerCase()] ?? level,
        message: String(line.message ?? ""),
        correlationId: line.correlation_id ?? line.correlationId ?? line.trace_id,
        data: line.context,
        args: more,
        worker,
      };
    } catch {
      // Not JSON after all: plain text.
    }
  }
  const message = args.map((arg) => (typeof arg === "string" ? arg : JSON.stringify(arg))).join(" ");
  return { level, message, args: more, worker };
}

function invocationLevel(item: TraceItem): Level {
  const status = item.event?.response?.status ?? 0;
  if (status >= 500) return "error";
  if (item.outcome !== "ok" && item.outcome !== "canceled") return "error";
  return status >= 400 || item.outcome === "canceled" ? "warn" : "info";
}

function normalizeItem(item: TraceItem): Row[] {
  const request = item.event?.request;
  const headers = request?.headers ?? {};
  const path = request && new URL(request.url).pathname;
  const status = item.event?.response?.status;
  const started = item.eventTimestamp ?? Date.now();
  const requestId = headers["cf-ray"] ?? crypto.randomUUID();

  const logs = item.logs;
  const lines = logs.map(readLine);
  const worker = item.scriptName ?? lines.find((line) => line.worker)?.worker ?? "unknown-worker";
  const fallback = headers["x-correlation-id"] ?? headers["x-request-id"] ?? crypto.randomUUID();
  let correlation = lines.find((line) => line.correlationId)?.correlationId ?? fallback;

  const shared = {
    event_type: request ? "fetch" : "other",
    outcome: item.outcome,
    ...(request && { method: request.method, path, status }),
  };
  const row = (level: Level, message: string, context: object, at: number): Row => ({
    log_id: crypto.randomUUID(),
    worker_name: worker,
    request_id: requestId,
    correlation_id: correlation,
    log_level: level,
    message,
    context_json: JSON.stringify(context),
    timestamp: new Date(at).toISOString(),
    execution_time_ms: item.cpuTime,
  });

  const rows = [
    row(
      invocationLevel(item),
      request ? `${request.method} ${path} ${status}` : "invocation",
      { kind: "invocation", seq: 0, ...shared, url: request?.url, headers, latency_ms: item.wallTime, cpu_time_ms: item.cpuTime },
      started,
    ),
  ];
  lines.forEach((line, index) => {
    correlation = line.correlationId ?? correlation;
    const context = { kind: "log", seq: rows.length, ...shared, args: line.args, data: line.data };
    rows.push(row(line.level, line.message, context, logs[index].timestamp));
  });
  for (const exception of item.exceptions) {
    const context = { kind: "exception", seq: rows.length, ...shared, name: exception.name, stack: exception.stack };
    rows.push(row("error", exception.message, context, exception.timestamp));
  }
  return rows;
}

export function normalize(events: TraceItem[]): Row[] {
  return events.flatMap(normalizeItem);
}
