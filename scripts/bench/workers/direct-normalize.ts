// The direct baseline's normalizing alone: the same rows, as one text for a queue.

import { normalize } from "../baselines/direct/normalize";
import type { TraceItem } from "../baselines/trace";

interface Env {
  TAIL_LOGS: Queue;
}

export default {
  tail: (events: TraceItem[], env: Env) => env.TAIL_LOGS.send(JSON.stringify(normalize(events)), { contentType: "text" }),
};
