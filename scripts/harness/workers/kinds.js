// Runs in every way that the local runtime knows, each under the correlation id that the request brings.

import { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } from "cloudflare:workers";
import { channel } from "node:diagnostics_channel";

const line = (correlation_id, message, context) =>
  console.log(JSON.stringify({ message, correlation_id, worker: "kinds", context }));

class PaymentError extends Error {
  name = "PaymentError";
}

export class Named extends WorkerEntrypoint {
  async ping(id) {
    line(id, "pinged");
    return "pong";
  }
}

export class Thing extends DurableObject {
  async touch(id) {
    line(id, "touched");
    await this.ctx.storage.put("id", id);
    await this.ctx.storage.setAlarm(Date.now() + 100);
  }

  async alarm() {
    line(await this.ctx.storage.get("id"), "rang");
  }
}

export class Flow extends WorkflowEntrypoint {
  async run({ payload }, step) {
    await step.do("only", async () => {
      line(payload.id, "flowed");
    });
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const id = request.headers.get("x-correlation-id");
    switch (url.pathname) {
      case "/console":
        console.debug("plain", 1, { a: [true, null] });
        console.warn(JSON.stringify({ level: "fatal", message: "structured", correlation_id: id, context: { n: 1 } }));
        console.error("failed:", new PaymentError("card declined"));
        console.log("");
        break;
      case "/characters":
        // A NUL, control characters, half a surrogate pair, characters of four bytes, a number beyond 2^53.
        console.log("nul\u0000control\u0001\u001f\u007fhalf\ud83dcrab🦀");
        console.log('{"message":"huge","context":{"n":12345678901234567890}}');
        console.log(JSON.parse("[".repeat(150) + "]".repeat(150)));
        break;
      case "/nul":
        // NULs divide what crosses into the tail Worker: nothing else here is unusual.
        console.log("before");
        console.log("a\u0000Llog 1\u0000b");
        console.log(JSON.stringify({ message: "after\u0000", correlation_id: id }));
        break;
      case "/long":
        // Over what one queue message takes, in characters of several bytes.
        console.log("é".repeat(90_000));
        break;
      case "/many":
        // Over what the runtime keeps of one run.
        for (let n = 0; n < 400; n++) console.log(`${n} ${"x".repeat(1_000)}`);
        break;
      case "/channel":
        channel("orders").publish({ order: 7, api_key: "channel-secret" });
        break;
      case "/rpc":
        await env.NAMED.ping(id);
        break;
      case "/object":
        await env.THINGS.getByName(id).touch(id);
        break;
      case "/queue":
        await env.EVENTS.sendBatch([{ body: `${id}-a` }, { body: `${id}-b` }]);
        break;
      case "/workflow":
        await env.FLOW.create({ params: { id } });
        break;
      default:
        return new Response("no such kind", { status: 404 });
    }
    return new Response("ok");
  },

  async queue(batch) {
    for (const message of batch.messages) {
      line(message.body, "taken");
      line(message.body, "done");
    }
  },

  async scheduled(controller) {
    line(`trace-of-${controller.cron}`, "ticked");
    // Not in `fetch`: there `wrangler dev` itself catches what is thrown, and shows it.
    if (controller.cron === "2 3 4 5 6") throw new PaymentError("card declined");
  },
};
