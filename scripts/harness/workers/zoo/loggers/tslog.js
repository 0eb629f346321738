// tslog 5 and 4, pretty and as JSON.

import { Logger } from "tslog";
import { Logger as Logger4 } from "tslog4";
import { PaymentError, TRACE_ID, fields, url } from "../payload.js";

function levels(log, form, data) {
  log.silly(`${form} from silly`);
  log.trace(`${form} from trace`);
  log.debug(`${form} from debug`);
  log.info(`${form} from info`);
  log.warn(`${form} from warn`);
  log.error(`${form} from error`);
  log.fatal(`${form} from fatal`);
  log.info(`${form} placed`, data);
  log.error(`${form} failed`, new PaymentError());
  log.warn({ traceId: TRACE_ID, message: `${form} object` });
}

export default function speak() {
  levels(new Logger({ type: "json" }), "json", fields("tslog"));
  levels(new Logger({ type: "pretty" }), "pretty", { url });
  levels(new Logger4({ type: "json" }), "json4", fields("tslog"));
  levels(new Logger4({ type: "pretty" }), "pretty4", { url });
}
