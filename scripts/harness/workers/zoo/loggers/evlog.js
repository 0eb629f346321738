// evlog: one wide event a request, as objects (its set-up for Workers) and as JSON text; and its plain lines.

import { initLogger, log } from "evlog";
import { createWorkersLogger, initWorkersLogger } from "evlog/workers";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak(env, ctx, request) {
  const wide = (change, end) => {
    const event = createWorkersLogger(request, { requestId: "request-of-evlog", executionCtx: ctx });
    change(event);
    event.emit(end);
  };
  const events = () => {
    wide((event) => event.set({ action: "checkout", ...fields("evlog") }), { status: 200 });
    wide((event) => event.error(new PaymentError()), { status: 500 });
    wide((event) => event.warn("stock is low"), { status: 200 });
    log.info("orders", "text from info");
    log.info({ action: "refund", traceId: TRACE_ID });
    log.warn("orders", "text from warn");
    log.error("orders", "text from error");
    log.debug("orders", "text from debug");
  };
  initWorkersLogger({ env: { service: "zoo", environment: "test" } });
  events();
  initLogger({ env: { service: "zoo", environment: "test" }, pretty: false, stringify: true });
  events();
}
