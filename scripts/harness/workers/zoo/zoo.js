// The loggers that people use, each at the path of its name: what it writes is read row by row from D1.

import console_ from "./loggers/console.js";
import consola from "./loggers/consola.js";
import debug from "./loggers/debug.js";
import evlog from "./loggers/evlog.js";
import hono from "./loggers/hono.js";
import ids from "./loggers/ids.js";
import loglevel from "./loggers/loglevel.js";
import logtape from "./loggers/logtape.js";
import pino from "./loggers/pino.js";
import pinoNode from "./loggers/pino-node.js";
import tslog from "./loggers/tslog.js";
import winston from "./loggers/winston.js";

const loggers = {
  console: console_,
  consola,
  debug,
  evlog,
  hono,
  ids,
  loglevel,
  logtape,
  pino,
  "pino-node": pinoNode,
  tslog,
  winston,
};

export default {
  async fetch(request, env, ctx) {
    const name = new URL(request.url).pathname.slice(1);
    const speak = loggers[name];
    if (!speak) return new Response("no such logger", { status: 404 });
    await speak(env, ctx, request);
    return new Response("ok");
  },
};
