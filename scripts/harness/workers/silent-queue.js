// Stands in for a queue that hangs, as Cloudflare's has been seen to: nothing for 57 s, then a refusal.

import { WorkerEntrypoint } from "cloudflare:workers";

const refuse = async () => {
  await scheduler.wait(57_000);
  throw new Error("Queue is overloaded. Please back off.");
};

export class SilentQueue extends WorkerEntrypoint {
  send() {
    return refuse();
  }

  sendBatch() {
    return refuse();
  }
}

export default {
  fetch: () => new Response("no such route", { status: 404 }),
};
