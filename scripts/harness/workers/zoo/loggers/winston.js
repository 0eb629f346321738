// winston in its usual formats: JSON, JSON with coloured levels, and its simple text, plain and coloured.

import "../quiet-streams.js";
import winston from "winston";
import { PaymentError, TRACE_ID, fields } from "../payload.js";

const { colorize, combine, errors, json, simple, splat, timestamp } = winston.format;

export default function speak() {
  const logger = (format) =>
    winston.createLogger({ level: "silly", format, transports: [new winston.transports.Console()] });

  const lines = logger(combine(errors({ stack: true }), timestamp(), json()));
  lines.error("json from error");
  lines.warn("json from warn");
  lines.info("json from info");
  lines.http("json from http");
  lines.verbose("json from verbose");
  lines.debug("json from debug");
  lines.silly("json from silly");
  lines.info("json placed", fields("winston"));
  lines.error(new PaymentError());
  lines.child({ traceId: TRACE_ID }).warn("json child");

  const coloured = logger(combine(colorize({ all: true }), json()));
  coloured.error("colour from error");
  coloured.warn("colour from warn");
  coloured.info("colour from info");
  coloured.debug("colour from debug");
  coloured.warn("colour placed", fields("winston"));

  const text = logger(combine(splat(), simple()));
  text.error("simple from error");
  text.warn("simple %s", "from warn");
  text.info("simple placed", fields("winston"));

  const colouredText = logger(combine(colorize(), simple()));
  colouredText.error("bright from error");
  colouredText.warn("bright placed", fields("winston"));
}
