// Questions to the server.

/** The reason why there is no answer, and what to do about it. */
export class Failure extends Error {
  /** @param {string} message @param {string | null} hint */
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** @typedef {Record<string, string | number | boolean | null | undefined>} Params */

/** @param {string} path @param {Params} params */
export function url(path, params) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** @param {string} path @param {Params} params @param {AbortSignal} [signal] */
async function ask(path, params, signal) {
  let response;
  try {
    response = await fetch(url(path, params), { signal });
  } catch (error) {
    throw lost(error);
  }
  if (response.ok) return response;
  const text = await response.text();
  try {
    const { error, hint } = JSON.parse(text);
    if (typeof error === "string") throw new Failure(error, hint ?? null);
  } catch (error) {
    if (error instanceof Failure) throw error;
  }
  throw new Failure(text || `the server answered ${response.status}`, null);
}

/** @param {unknown} error */
function lost(error) {
  if (error instanceof DOMException && error.name === "AbortError") return error;
  return new Failure("the server does not answer", "start `tailrace ui` again, and open the address that it prints");
}

/** Asks for one value. @param {string} path @param {Params} [params] @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function getJson(path, params = {}, signal) {
  return (await ask(path, params, signal)).json();
}

/**
 * Asks for one value whose numbers stay as they were written: a double does not hold every id.
 * @param {string} path @param {Params} params @returns {Promise<any>}
 */
export async function getExactJson(path, params) {
  const { rawJSON } = /** @type {any} */ (JSON);
  const keep = (/** @type {string} */ _, /** @type {unknown} */ value, /** @type {any} */ context) =>
    typeof value === "number" && rawJSON && context && context.source !== String(value)
      ? rawJSON(context.source)
      : value;
  const text = await (await ask(path, params)).text();
  return JSON.parse(text, /** @type {any} */ (keep));
}

/** Returns a number as it was written, where it was kept so. @param {unknown} value */
export function numberText(value) {
  const { isRawJSON } = /** @type {any} */ (JSON);
  return isRawJSON?.(value) ? String(/** @type {any} */ (value).rawJSON) : null;
}

/**
 * Asks for values that come line by line.
 * @param {string} path @param {Params} params @param {AbortSignal} signal @returns {AsyncGenerator<any>}
 */
export async function* getLines(path, params, signal) {
  const response = await ask(path, params, signal);
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      throw lost(error);
    }
    if (part.done) return;
    const lines = (rest + part.value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const value = JSON.parse(line);
      if (typeof value.error === "string") throw new Failure(value.error, value.hint ?? null);
      yield value;
    }
  }
}

/** Returns whether a question was given up for a newer one. @param {unknown} error */
export function wasAborted(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
