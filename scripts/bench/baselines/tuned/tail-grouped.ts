// The same as tail.ts, but calls that come together share a message, by tail-ingest's own group commit: what is left
// between the two is the language.

import { envelope, send } from "../../../../tail-ingest/src/edge/group.js";
import type { TraceItem } from "../trace";
import { BODY_UNITS, HEAD, TAIL, normalize } from "./normalize";

interface Env {
  TAIL_LOGS: Queue;
}

envelope(HEAD, TAIL, BODY_UNITS);

/** This baseline has no ladder: what the queue refuses is lost, and the runtime says so. */
const refused = (_body: string, _records: number, error: string) => Promise.reject(new Error(error));

export default {
  tail(events: TraceItem[], env: Env) {
    const envelopes = normalize(events);
    if (envelopes.length === 1) {
      const [{ body, records }] = envelopes;
      return send(env.TAIL_LOGS, body, body.length, records, refused);
    }
    return env.TAIL_LOGS.sendBatch(envelopes.map(({ body }) => ({ body, contentType: "text" })));
  },

  fetch: () => new Response("OK"),
};
