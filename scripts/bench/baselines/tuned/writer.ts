// Tailrace's own architecture in TypeScript, second half: a queue consumer that writes each batch in one transaction,
// up to 1 MB of records a statement, with the same statement and schema as log-writer.

interface Env {
  DB: D1Database;
}

const INSERT = `INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message,
  context_json, timestamp, execution_time_ms)
  SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8
  FROM jsonb_each(?1) WHERE true ON CONFLICT DO NOTHING`;
const PARAMETER_UNITS = 1_000_000;
const HEAD = '{"v":1,"records":[';

/** The records of a message as JSON text without the brackets; undefined if the message is no envelope. */
function records(body: unknown): string | undefined {
  if (typeof body !== "string" || !body.startsWith(HEAD)) return undefined;
  try {
    const { records } = JSON.parse(body);
    const valid = records.every((row: unknown) => Array.isArray(row) && row.length === 9);
    return valid ? body.slice(HEAD.length, -2) : undefined;
  } catch {
    return undefined;
  }
}

export default {
  async queue(batch: MessageBatch, env: Env) {
    const statements: D1PreparedStatement[] = [];
    const insert = env.DB.prepare(INSERT);
    let parameter = "";
    for (const message of batch.messages) {
      const rows = records(message.body);
      if (rows === undefined) throw new Error(`message ${message.id} is no envelope`);
      if (parameter.length + rows.length > PARAMETER_UNITS) {
        statements.push(insert.bind(`[${parameter}]`));
        parameter = "";
      }
      if (rows === "") continue;
      parameter = parameter === "" ? rows : `${parameter},${rows}`;
    }
    statements.push(insert.bind(`[${parameter}]`));
    await env.DB.batch(statements);
    batch.ackAll();
  },
};
