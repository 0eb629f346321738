// Writes rows to D1 in every way that was considered, through the Workers binding, and says how long each took and what
// it is billed. The rows come as wire arrays in the request's body, read before the clock starts.

const COLUMNS = "log_id, worker_name, request_id, correlation_id, log_level, message, context_json, timestamp, execution_time_ms";
const INTO = `INSERT INTO tail_logs (${COLUMNS})`;
const SELECT = Array.from({ length: 9 }, (_, at) => `value->>${at}`).join(", ");
const ONE = `(${Array.from({ length: 9 }, () => "?").join(", ")})`;

const columns = (row) => row.map((value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : value));

function* chunks(list, size) {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}

/** Each takes the rows, as arrays and as JSON text, and yields one batch of statements after another. */
const METHODS = {
  *batch(db, rows, _texts, per) {
    const insert = db.prepare(`${INTO} VALUES ${ONE}`);
    for (const some of chunks(rows, per)) yield some.map((row) => insert.bind(...columns(row)));
  },
  *values(db, rows, _texts, per) {
    for (const some of chunks(rows, per)) {
      yield [db.prepare(`${INTO} VALUES ${some.map(() => ONE).join(", ")}`).bind(...some.flatMap(columns))];
    }
  },
  *json_each(db, _rows, texts, per) {
    const insert = db.prepare(`${INTO} SELECT ${SELECT} FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING`);
    for (const some of chunks(texts, per)) yield [insert.bind(`[${some.join(",")}]`)];
  },
  *jsonb_each(db, _rows, texts, per) {
    const insert = db.prepare(`${INTO} SELECT ${SELECT} FROM jsonb_each(?1) WHERE true ON CONFLICT DO NOTHING`);
    for (const some of chunks(texts, per)) yield [insert.bind(`[${some.join(",")}]`)];
  },
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const db = env[url.searchParams.get("db")];
    if (url.pathname === "/run") {
      const { meta } = await db.prepare(await request.text()).run();
      return Response.json(meta);
    }
    const texts = (await request.text()).split("\n");
    const rows = texts.map((text) => JSON.parse(text));
    const method = METHODS[url.searchParams.get("method")];
    const per = Number(url.searchParams.get("per"));
    let written = 0;
    const started = performance.now();
    for (const statements of method(db, rows, texts, per)) {
      for (const { meta } of await db.batch(statements)) written += meta.rows_written;
    }
    const ms = performance.now() - started;
    return Response.json({ ms, rows_written: written });
  },
};
