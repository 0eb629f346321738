// LogTape: its console sink as it is, JSON lines, and the text formats.

import {
  ansiColorFormatter,
  configureSync,
  defaultTextFormatter,
  getConsoleSink,
  getLogger,
  jsonLinesFormatter,
  logfmtFormatter,
} from "@logtape/logtape";
import { PaymentError, TRACE_ID, fields, url } from "../payload.js";

export default function speak() {
  configureSync({
    reset: true,
    sinks: {
      console: getConsoleSink(),
      json: getConsoleSink({ formatter: jsonLinesFormatter }),
      text: getConsoleSink({ formatter: defaultTextFormatter }),
      colour: getConsoleSink({ formatter: ansiColorFormatter }),
      logfmt: getConsoleSink({ formatter: logfmtFormatter }),
    },
    loggers: [
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "warning" },
      ...["console", "json", "text", "colour", "logfmt"].map((sink) => ({
        category: [sink, "orders"],
        sinks: [sink],
        lowestLevel: "trace",
      })),
    ],
  });
  for (const form of ["console", "json", "text", "colour", "logfmt"]) {
    const log = getLogger([form, "orders"]);
    log.trace(`${form} from trace`);
    log.debug(`${form} from debug`);
    log.info(`${form} from info`);
    log.warn(`${form} from warn`);
    log.error(`${form} from error`);
    log.fatal(`${form} from fatal`);
    log.info(`${form} {orderId} placed`, { orderId: "o-7", ...(form === "json" ? fields("logtape") : { url }) });
    log.error(`${form} failed: {error}`, { error: new PaymentError() });
    log.with({ traceId: TRACE_ID }).warn(`${form} child`);
  }
}
