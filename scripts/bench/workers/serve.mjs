// Serves several Workers in one workerd with the local D1, queues and KV, as `wrangler dev` does, through the same
// library, but without its proxy, its inspector and its terminal: those take ten times the processor time of a log line.
//
//   node serve.mjs MINIFLARE OPTIONS
//
// MINIFLARE is the library's main file, OPTIONS a JSON file of its options. Prints the port once everything answers.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , library, options] = process.argv;
const { Miniflare, convertV4MiniflareOptions } = createRequire(library)(library);
const spec = JSON.parse(readFileSync(options, "utf8"));

const runtime = new Miniflare(
  convertV4MiniflareOptions({
    ...spec,
    cf: false,
    logRequests: false,
    telemetry: { enabled: false },
    handleStructuredLogs({ level, message }) {
      if (level === "error" && !message.startsWith('{"level"')) console.error(message); // not the producer's lines
    },
  }),
);
const { port } = await runtime.ready;
for (const { name, d1Databases } of spec.workers) {
  // Its file is made by the first query.
  for (const binding of Object.keys(d1Databases ?? {})) {
    await (await runtime.getD1Database(binding, name)).prepare("SELECT 1").run();
  }
}
console.log(port);

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => runtime.dispose().finally(() => process.exit()));
