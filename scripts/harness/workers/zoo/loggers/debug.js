// debug as a Worker's bundle gets it (its browser build).

import debug from "debug";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

export default function speak() {
  debug.enable("orders*");
  const log = debug("orders:api");
  log("text");
  log("order %s has %d items", "o-7", 2);
  log("order placed %o", fields("debug"));
  log("payment failed", new PaymentError(), { traceId: TRACE_ID });

  // With a caller that says that the other end knows colours.
  debug.useColors = () => true;
  const coloured = debug("orders:db");
  coloured("coloured text");
  coloured("coloured %s", "o-7");
}
