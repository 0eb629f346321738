// Loads a built Worker into Node, in place of the real runtime, for faults that the real one cannot show: a binding that
// never answers, hours that pass in a moment. Each isolate has bindings and variables of its own.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { mock } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

// Of each isolate, by its number: its `env`, and what listens to its global errors.
const isolates = (globalThis.isolates = []);

let loading; // the isolate whose modules are being evaluated

globalThis.addEventListener = (_, listener) => loading.listeners.push(listener);

registerHooks({
  resolve(specifier, context, next) {
    const isolate = new URL(context.parentURL ?? "file:///").searchParams.get("isolate");
    if (isolate === null) return next(specifier, context);
    if (specifier === "cloudflare:workers") {
      return { url: `runtime:workers?isolate=${isolate}`, format: "module", shortCircuit: true };
    }
    return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
  },
  load(url, context, next) {
    if (url.startsWith("runtime:workers")) {
      const isolate = new URL(url).searchParams.get("isolate");
      const source = `
        export class WorkerEntrypoint { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }
        export const env = globalThis.isolates[${isolate}].env;`;
      return { format: "module", source, shortCircuit: true };
    }
    if (url.endsWith(".wasm")) {
      const source = `
        import { readFileSync } from "node:fs";
        export default new WebAssembly.Module(readFileSync(${JSON.stringify(fileURLToPath(url))}));`;
      return { format: "module", source, shortCircuit: true };
    }
    return next(url, context);
  },
});

/** A fresh isolate of the Worker `name`, as `cargo xtask build` left it. */
export async function start(name, env) {
  const number = isolates.length;
  loading = { env, listeners: [] };
  const { listeners } = loading;
  isolates.push(loading);
  const file = pathToFileURL(`${ROOT}${name}/build/index.js`);
  file.searchParams.set("isolate", number);
  const { default: Worker } = await import(file.href);
  return {
    /** Calls the tail handler, as a request of its own. */
    tail: (events) => new Worker({}, env).tail(events),
    /** Calls the queue handler with a batch. */
    queue: (batch) => new Worker({}, env).queue(batch, env, {}),
    /** Tells the Worker that its Wasm instance is broken: the next call gets a new one. */
    breakInstance() {
      for (const listener of listeners) listener({ error: new WebAssembly.RuntimeError("unreachable") });
    },
  };
}

/** Time that stands still until it is told to go on, and its timers. Replaces the time of the whole process. */
export class PausedTime {
  #timers = new Map();
  #number = 0;

  constructor(now) {
    this.now = now;
    mock.timers.enable({ apis: ["Date"], now });
    // Numbers, as in the real runtime; Node has objects.
    globalThis.setTimeout = (run, ms = 0, ...values) => {
      this.#timers.set(++this.#number, { at: this.now + Math.max(ms, 0), run: () => run(...values) });
      return this.#number;
    };
    globalThis.clearTimeout = (number) => this.#timers.delete(number);
  }

  /** The timers that have neither run nor been cleared. */
  get timers() {
    return this.#timers.size;
  }

  /** Lets `ms` milliseconds pass, timer by timer, until `done` says so. */
  async pass(ms, done = () => false) {
    const end = this.now + ms;
    for (;;) {
      await settled();
      if (done()) return;
      const [number, timer] = [...this.#timers].reduce(
        (first, each) => (each[1].at < first[1].at ? each : first),
        [0, { at: Infinity }],
      );
      this.now = Math.max(this.now, Math.min(timer.at, end));
      mock.timers.setTime(this.now);
      if (timer.at > end) return;
      this.#timers.delete(number);
      timer.run();
    }
  }
}

/** Fulfilled when everything that needs no timer has happened. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
