// Hono with its logger middleware, which writes a line before and after each request.

import { Hono } from "hono";
import { logger } from "hono/logger";

const app = new Hono();
app.use(logger());
app.get("/hono", (c) => c.text("ok"));
app.get("/hono/missing", (c) => c.text("missing", 404));
app.get("/hono/broken", (c) => c.text("broken", 500));
app.get("/hono/moved", (c) => c.redirect("/hono?code=zoo-secret-in-a-query"));

export default async function speak(env, ctx) {
  for (const path of ["/hono?token=zoo-secret-in-a-query&page=2", "/hono/missing", "/hono/broken", "/hono/moved"]) {
    await app.request(path, {}, env, ctx);
  }
}
