// Tailrace's own architecture in TypeScript, first half: a tail Worker that sends one queue message a call.

import type { TraceItem } from "../trace";
import { normalize } from "./normalize";

interface Env {
  TAIL_LOGS: Queue;
}

export default {
  tail(events: TraceItem[], env: Env) {
    const envelopes = normalize(events);
    return envelopes.length === 1
      ? env.TAIL_LOGS.send(envelopes[0].body, { contentType: "text" })
      : env.TAIL_LOGS.sendBatch(envelopes.map(({ body }) => ({ body, contentType: "text" })));
  },

  fetch: () => new Response("OK"),
};
