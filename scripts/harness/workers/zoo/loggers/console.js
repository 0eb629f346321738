// `console` itself, in all its methods.

import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak() {
  console.log("text from log");
  console.debug("text from debug");
  console.info("text from info");
  console.warn("text from warn");
  console.error("text from error");
  console.trace("text from trace");
  console.log("order %s has %d items of %i, %f kg: %o", "o-7", 2, 3.9, 1.5, { a: 1 });
  console.log("%cstyled%c plain", "color: red; font-weight: bold", "");
  console.log("100% done", 7);
  console.log("order placed", fields("console"));
  console.log(fields("console"));
  console.log("ERROR order failed " + JSON.stringify({ level: "error", ...fields("console") }));
  console.error(new PaymentError());
  console.error("payment failed", new PaymentError(), { traceId: TRACE_ID });
  console.log("authorization: Bearer zoo-secret-0123456789abcdef");
  console.table([{ a: 1, b: 2 }]);
  console.dir({ directory: { a: 1 } });
  console.dirxml("markup");
  console.group("group begins");
  console.log("inside the group");
  console.groupCollapsed("group within");
  console.groupEnd();
  console.groupEnd();
  console.assert(true, "never shown");
  console.assert(false, "assertion %s", "failed");
  console.count("counter");
  console.count("counter");
  console.countReset("counter");
  console.time("timer");
  console.timeLog("timer", "still running");
  console.timeEnd("timer");
  console.log(undefined, null, true, 10n, Symbol("symbol"), () => 1, new Map([["key", 1]]), new Set([1]), new Date(0), /x/);
  console.log();
}
