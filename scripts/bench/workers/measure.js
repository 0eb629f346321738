// Runs one way of normalizing on trace events, inside the runtime: real events as they are delivered, once or many times
// over, or plain copies of one in a loop. What it would send goes to a queue that only counts. The driver takes the
// time of loops from outside, as processor time of the runtime's process; single calls are timed in here.

import { WorkerEntrypoint, withEnv } from "cloudflare:workers";
import Candidate from "candidate";

const count = { calls: 0, messages: 0, units: 0, ms: 0 };
const TAIL_LOGS = {
  send(body) {
    count.messages += 1;
    count.units += body.length;
    return Promise.resolve();
  },
  async sendBatch(messages) {
    for (const { body } of messages) await this.send(body);
  },
};
const env = { TAIL_LOGS };

/** Does what the runtime does for each tail call: makes an instance where there is a class, and calls it. */
function tail(context, events) {
  count.calls += 1;
  return typeof Candidate === "function"
    ? new Candidate(context, env).tail(events)
    : Candidate.tail(events, env, context);
}

// The clock has whole milliseconds, and most calls take less: over many calls that averages out. Until the call is over:
// an asynchronous handler does its work after it has returned. The queue answers at once.
async function timed(context, events) {
  const started = performance.now();
  await tail(context, events);
  count.ms += performance.now() - started;
}

async function repeat(context, events, passes) {
  await withEnv(env, async () => {
    for (let pass = 0; pass < passes; pass++) {
      // One call after the other, as the runtime makes them: what a call holds on to is let go before the next.
      await tail(context, events);
    }
  });
}

let passes = 0; // how often real events go through; 0: they are only taken in
let held; // when not undefined: real events kept for a call with several
let example; // a plain copy of a real event

export default class extends WorkerEntrypoint {
  async tail(events) {
    if (held) held.push(...events);
    else if (passes === 1) await withEnv(env, () => timed(this.ctx, events));
    else if (passes === 0) count.calls += 1;
    else await repeat(this.ctx, events, passes);
  }

  async fetch(request) {
    const url = new URL(request.url);
    const number = (name) => Number(url.searchParams.get(name));
    switch (url.pathname) {
      case "/passes": // how often real events go through from now on
        passes = number("count");
        break;
      case "/hold": // from now on real events are kept, or no longer
        held = number("on") === 1 ? [] : undefined;
        break;
      case "/held": // those go through in one call, as often as /passes said; the first is the example from now on
        example = JSON.parse(JSON.stringify(held[0]));
        await repeat(this.ctx, held, number("passes"));
        break;
      case "/loop": {
        // Plain events, all of them in one call, again and again.
        const events = Array.from({ length: number("events") }, () => {
          const copy = structuredClone(example);
          copy.logs = Array.from({ length: number("logs") }, (_, at) =>
            structuredClone(example.logs[at % example.logs.length]));
          return copy;
        });
        await repeat(this.ctx, events, number("passes"));
        break;
      }
    }
    return Response.json({ ...count, held: held?.length ?? 0, truncated: held?.filter((item) => item.truncated).length ?? 0 });
  }
}
