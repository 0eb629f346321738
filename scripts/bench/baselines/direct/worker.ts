// The design that Tailrace is compared with: a tail Worker that writes D1 itself, 100 prepared inserts a batch().

import type { TraceItem } from "../trace";
import { normalize } from "./normalize";

interface Env {
  DB: D1Database;
}

const INSERT = `INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message,
  context_json, timestamp, execution_time_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const BATCH = 100;

export default {
  async tail(events: TraceItem[], env: Env) {
    const statement = env.DB.prepare(INSERT);
    const inserts = normalize(events).map((row) =>
      statement.bind(
        row.log_id, row.worker_name, row.request_id, row.correlation_id, row.log_level, row.message, row.context_json,
        row.timestamp, row.execution_time_ms,
      ),
    );
    for (let from = 0; from < inserts.length; from += BATCH) {
      await env.DB.batch(inserts.slice(from, from + BATCH));
    }
  },

  fetch: () => new Response("OK"),
};
