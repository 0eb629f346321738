// pino's build for Node, writing its JSON lines to `console.log`, as those do who want its serializers.

import pino from "pino/pino.js";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak() {
  const log = pino({ level: "trace" }, { write: (line) => console.log(line) });
  log.trace("text from trace");
  log.debug("text from debug");
  log.info("text from info");
  log.warn("text from warn");
  log.error("text from error");
  log.fatal("text from fatal");
  log.info(fields("pino-node"), "order placed");
  log.error(new PaymentError());
  log.error({ err: new PaymentError() }, "payment failed");
  log.child({ traceId: TRACE_ID }).warn("child speaks");
}
