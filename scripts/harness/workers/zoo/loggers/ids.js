// The request's own id, as each logger that writes structured lines is given it. This request brings none in its headers.

import "../quiet-streams.js";
import { configureSync, getConsoleSink, getLogger, jsonLinesFormatter } from "@logtape/logtape";
import { createConsola } from "consola";
import { createWorkersLogger, initWorkersLogger } from "evlog/workers";
import pino from "pino";
import { Logger } from "tslog";
import { Logger as Logger4 } from "tslog4";
import winston from "winston";

export default function speak(env, ctx, request) {
  console.log({ requestId: "request-of-console", message: "console speaks" });
  console.log(JSON.stringify({ request_id: "request-of-json", message: "json speaks" }));

  pino().child({ reqId: "request-of-pino" }).info("pino speaks");
  pino({ browser: { asObject: true } }).info({ req: { id: "request-of-pino-object" } }, "pino speaks of an object");

  winston
    .createLogger({ format: winston.format.json(), transports: [new winston.transports.Console()] })
    .info("winston speaks", { requestId: "request-of-winston" });

  createConsola({ reporters: [{ log: (line) => console.log(JSON.stringify(line)) }] }).info({
    message: "consola speaks",
    requestId: "request-of-consola",
  });

  configureSync({
    reset: true,
    sinks: { json: getConsoleSink({ formatter: jsonLinesFormatter }) },
    loggers: [
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "warning" },
      { category: "orders", sinks: ["json"], lowestLevel: "info" },
    ],
  });
  getLogger("orders").with({ requestId: "request-of-logtape" }).info("logtape speaks");

  new Logger({ type: "json" }).info("tslog speaks", { requestId: "request-of-tslog" });
  new Logger4({ type: "json" }).info("tslog 4 speaks", { requestId: "request-of-tslog4" });

  initWorkersLogger({ env: { service: "zoo" } });
  const event = createWorkersLogger(request, { requestId: "request-of-evlog", executionCtx: ctx });
  event.set({ message: "evlog speaks" });
  event.emit({ status: 200 });
}
