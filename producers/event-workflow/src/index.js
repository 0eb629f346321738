// Sample producer: a Workflow that processes one event. It is JavaScript because the Rust SDK has no Workflows, and to
// show that a producer need not be Rust: it logs the same structured lines as producer-log does.

import { WorkflowEntrypoint } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";

const WORKER = "event-workflow";

/** The console method of each level. */
const METHODS = { debug: "debug", info: "log", warn: "warn", error: "error" };

/** A logger bound to one correlation id. */
function logger(correlation_id) {
  return (level, message, context = {}) =>
    console[METHODS[level]](JSON.stringify({ level, message, correlation_id, worker: WORKER, context }));
}

/**
 * One instance per event, started by queue-consumer with the params
 * `{ event: { event_id, type, payload }, correlation_id }`.
 *
 * Lines are logged within steps: a step that has succeeded is not run again when the instance resumes, so its lines are
 * not logged again either.
 */
export class EventWorkflow extends WorkflowEntrypoint {
  async run({ payload: params, instanceId }, step) {
    const correlationId = params?.correlation_id ?? instanceId;
    const log = logger(correlationId);

    const event = await step.do("validate", async () => {
      const event = params?.event;
      if (typeof event?.event_id !== "string" || typeof event.type !== "string" || event.type === "") {
        log("error", "event not valid", { instance_id: instanceId });
        // The same params will not get better: end the instance as errored, now.
        throw new NonRetryableError("the params hold no event with event_id and type");
      }
      log("info", "event valid", { event_id: event.event_id, event_type: event.type });
      return { event_id: event.event_id, type: event.type, payload: event.payload ?? null };
    });

    await step.do(
      "process",
      { retries: { limit: 3, delay: "2 seconds", backoff: "exponential" }, timeout: "1 minute" },
      async () => {
        // A real system would process the event here.
        const payloadBytes = JSON.stringify(event.payload).length;
        log("info", "event processed", { event_id: event.event_id, event_type: event.type, payload_bytes: payloadBytes });
      },
    );
    // An object of its own: what a step returned is held open by the local runtime, and returning that keeps the run's
    // trace from ever being delivered.
    return { event_id: event.event_id, correlation_id: correlationId };
  }
}

// The Worker has no address and answers no requests, but a module Worker needs a default export.
export default {};
