// loglevel: a level and a name for `console`'s own methods.

import loglevel from "loglevel";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak() {
  const log = loglevel.getLogger("orders");
  log.setLevel("trace", false);
  log.trace("text from trace");
  log.debug("text from debug");
  log.info("text from info");
  log.warn("text from warn");
  log.error("text from error");
  log.info("order placed", fields("loglevel"));
  log.error("payment failed", new PaymentError(), { traceId: TRACE_ID });
}
