// Stands between the pipeline's Workers and the parts that they call, and has times at which these are slow, refuse, do
// their work without saying so, or never answer. Each part has its times apart from the others'.

import { WorkerEntrypoint } from "cloudflare:workers";

/**
 * The times, one after the other, again and again: what a call meets, and for how many milliseconds. A batch that met
 * silence comes again some 12 s later, which must not be in the same time of the next round.
 */
const TIMES = [
  ["well", 12_000],
  ["slow", 1_500],
  ["refuses", 2_500],
  ["loses answers", 1_500],
  ["silent", 2_500],
];
const PERIOD = TIMES.reduce((sum, [, length]) => sum + length, 0);

function meets(shift) {
  let at = (Date.now() + shift) % PERIOD;
  for (const [what, length] of TIMES) {
    if (at < length) return what;
    at -= length;
  }
}

const refuse = () => {
  throw new Error("The part hesitates.");
};

async function hesitate(shift, call) {
  switch (meets(shift)) {
    case "slow":
      await scheduler.wait(1_500);
      return call();
    case "refuses":
      return refuse();
    case "loses answers":
      await call();
      return refuse();
    case "silent":
      await scheduler.wait(30_000);
      return refuse();
    default:
      return call();
  }
}

class HesitantQueue extends WorkerEntrypoint {
  send(message, options) {
    return hesitate(this.shift, () => this.queue.send(message, options));
  }

  sendBatch(messages, options) {
    return hesitate(this.shift, () => this.queue.sendBatch(messages, options));
  }
}

export class TailLogs extends HesitantQueue {
  shift = 0;
  queue = this.env.TAIL_LOGS;
}

export class DeadLetters extends HesitantQueue {
  shift = 7_000;
  queue = this.env.DLQ;
}

export class Archive extends WorkerEntrypoint {
  put(key, object, options) {
    return hesitate(14_000, async () => {
      const stored = await this.env.ARCHIVE.put(key, object, options);
      return stored && { key: stored.key };
    });
  }
}

export default {
  fetch: () => new Response("no such route", { status: 404 }),
};
