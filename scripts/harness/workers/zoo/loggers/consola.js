// consola as a Worker's bundle gets it, and with its reporter that writes objects.

import { createConsola } from "consola";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak() {
  const log = createConsola({ level: 5 });
  log.fatal("text from fatal");
  log.error("text from error");
  log.warn("text from warn");
  log.log("text from log");
  log.info("text from info");
  log.success("text from success");
  log.ready("text from ready");
  log.start("text from start");
  log.fail("text from fail");
  log.debug("text from debug");
  log.trace("text from trace");
  log.verbose("text from verbose");
  log.box("text from box");
  log.withTag("orders").info("text with tag");
  log.info("order placed", fields("consola"));
  log.error(new PaymentError());
  log.error("payment failed", new PaymentError());
  log.warn({ message: "an object", traceId: TRACE_ID });

  const json = createConsola({
    level: 5,
    reporters: [{ log: (line) => console.log(JSON.stringify(line)) }],
  });
  json.fatal("json from fatal");
  json.error("json from error");
  json.warn("json from warn");
  json.success("json from success");
  json.debug("json from debug");
  json.trace("json from trace");
  json.info("json placed", fields("consola"));
}
