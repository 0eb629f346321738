// pino as a Worker's bundle gets it (its browser build), and writing JSON lines.

import pino from "pino";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak() {
  const log = pino({ level: "trace" });
  log.trace("text from trace");
  log.debug("text from debug");
  log.info("text from info");
  log.warn("text from warn");
  log.error("text from error");
  log.fatal("text from fatal");
  log.info({ order: 7 }, "order %s placed", "o-7");
  log.info(fields("pino"), "order placed");
  log.error(new PaymentError());
  log.error({ err: new PaymentError() }, "payment failed");
  log.child({ traceId: TRACE_ID }).warn("child speaks");

  const object = pino({ level: "trace", browser: { asObject: true } });
  object.trace("object from trace");
  object.debug("object from debug");
  object.info("object from info");
  object.warn("object from warn");
  object.error("object from error");
  object.fatal("object from fatal");
  object.info(fields("pino"), "object placed");
  object.error({ err: new PaymentError() }, "object failed");
  object.child({ traceId: TRACE_ID }).warn("object child");

  const json = pino({ level: "trace", browser: { write: (line) => console.log(JSON.stringify(line)) } });
  json.trace("json from trace");
  json.debug("json from debug");
  json.info("json from info");
  json.warn("json from warn");
  json.error("json from error");
  json.fatal("json from fatal");
  json.info(fields("pino"), "json placed");
  json.error({ err: new PaymentError() }, "json failed");
  json.child({ traceId: TRACE_ID }).warn("json child");
}
