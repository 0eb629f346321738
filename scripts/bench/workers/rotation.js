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
    // log-writer asks for a binding of this class name.
    class D1Database {
      prepare(sql) {
        return env.DB.prepare(sql);
      }
      async batch(statements) {
        const results = await env.DB.batch(statements);
        const sum = (name) => results.reduce((total, { meta }) => total + (meta[name] ?? 0), 0);
        calls.push({ ms: sum("duration"), rows_read: sum("rows_read"), rows_written: sum("rows_written") });
        return results;
      }
    }
    const started = performance.now();
    await new LogWriter(context, { ...env, DB: new D1Database() }).scheduled({ cron: "* * * * *", scheduledTime: Date.now() });
    return Response.json({ ms: performance.now() - started, calls });
  },
};
