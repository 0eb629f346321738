// Runs the real log-writer's rotation, with a meter on its database. The bench puts the built log-writer beside it. A PUT
// keeps its body in the KV fallback, under the path.

import LogWriter from "./index.js";

export default {
  async fetch(request, env, context) {
    if (request.method === "PUT") {
      await env.FALLBACK.put(decodeURIComponent(new URL(request.url).pathname.slice(1)), await request.text());
      return new Response("OK");
    }
    const calls = [];
    const metered = {
      prepare: (sql) => env.DB.prepare(sql),
      async batch(statements) {
        const started = performance.now();
        const results = await env.DB.batch(statements);
        const sum = (name) => results.reduce((total, { meta }) => total + (meta[name] ?? 0), 0);
        calls.push({ ms: performance.now() - started, rows_read: sum("rows_read"), rows_written: sum("rows_written") });
        return results;
      },
    };
    const started = performance.now();
    await new LogWriter(context, { ...env, DB: metered }).scheduled({ cron: "0 3 * * *", scheduledTime: Date.now() });
    return Response.json({ ms: performance.now() - started, calls });
  },
};
