// A test's hand inside the runtime: messages onto queues as they are given, and log lines in any number.

/** The most messages that one sendBatch takes. */
const SEND_BATCH = 100;

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/send": {
        // Body: a JSON array of message bodies, each sent as text unless it is not a string (then as JSON).
        const bodies = await request.json();
        const messages = bodies.map((body) => ({
          body,
          contentType: typeof body === "string" ? "text" : "json",
        }));
        for (let from = 0; from < messages.length; from += SEND_BATCH) {
          await env.TAIL_LOGS.sendBatch(messages.slice(from, from + SEND_BATCH));
        }
        return Response.json({ sent: messages.length });
      }
      case "/lines": {
        // As many structured lines as asked for, each with a message of its own: the tag, or the prefix if there is one,
        // and the line's number.
        const count = Number(url.searchParams.get("count"));
        const tag = url.searchParams.get("tag");
        const prefix = url.searchParams.get("prefix") ?? tag;
        for (let line = 0; line < count; line++) {
          console.log(JSON.stringify({ level: "info", message: `${prefix}-${line}`, correlation_id: tag, context: { line } }));
        }
        return new Response("ok");
      }
      case "/burst": {
        // As many calls of `/lines` as asked for, all at once.
        url.pathname = "/lines";
        const calls = Array.from({ length: Number(url.searchParams.get("calls")) }, async (_, call) => {
          const each = new URL(url);
          each.searchParams.set("prefix", `${url.searchParams.get("tag")}-${call}`);
          await (await env.SELF.fetch(each)).text();
        });
        await Promise.all(calls);
        return new Response("ok");
      }
      default:
        return new Response("no such route", { status: 404 });
    }
  },
};
