// The drawing of a trace: one bar for each invocation, its records inside.

import { el } from "./dom.js";
import { duration, oneLine, visible } from "./text.js";

/**
 * @typedef {{ timestamp: string, id: string }} Place
 * @typedef {{ place: Place, offset_ms: number, left: number, level: string, kind: string, message: string, stack: string }} Line
 * @typedef {object} Invocation
 * @property {string} worker
 * @property {string} request_id
 * @property {string} event_type
 * @property {string} level
 * @property {string} message
 * @property {string} outcome
 * @property {number | null} status
 * @property {number} offset_ms
 * @property {number | null} duration_ms
 * @property {number | null} cpu_ms
 * @property {number} left
 * @property {number} width
 * @property {boolean} failed
 * @property {boolean} shared
 * @property {Line[]} lines
 * @typedef {object} Waterfall
 * @property {string} id
 * @property {boolean} one_request
 * @property {string[]} correlation_ids
 * @property {{ left_out: string | null, expired: number, failure: { error: string, hint: string | null } | null }} archive
 * @property {number} start_ms
 * @property {number} span_ms
 * @property {number} newest_ms
 * @property {number} records
 * @property {number} workers
 * @property {number} failures
 * @property {boolean} cut
 * @property {Invocation[]} invocations
 */

/** Invocations that are open at first: all of a small trace, and of a large one those that failed. */
const OPEN_MOST = 12;

/**
 * @param {Invocation} one
 * @param {Waterfall} trace
 * @param {Map<string, boolean>} chosen what somebody opened or closed
 */
export function drawInvocation(one, trace, chosen) {
  const key = `${one.request_id} ${one.worker}`;
  const isOpen = chosen.get(key) ?? (one.failed || trace.invocations.length <= OPEN_MOST);
  const inside = el("div", { class: "inside" }, ...insideOf(one));
  inside.hidden = !isOpen;
  const outcome = one.status ?? (one.outcome && one.outcome !== "ok" ? one.outcome : null);
  const head = el(
    "button",
    {
      class: "head",
      "aria-expanded": String(isOpen),
      onclick: () => {
        inside.hidden = !inside.hidden;
        head.setAttribute("aria-expanded", String(!inside.hidden));
        chosen.set(key, !inside.hidden);
      },
    },
    el(
      "span",
      { class: "who" },
      el(
        "span",
        { class: "worker" },
        oneLine(one.worker),
        " ",
        outcome !== null && el("span", { class: "outcome" }, oneLine(outcome)),
      ),
      el("span", { class: "message" }, oneLine(one.message)),
    ),
    lane(one),
  );
  return el(
    "section",
    {
      class: `invocation${one.failed ? " failed" : ""}${one.shared ? " shared" : ""}`,
      "aria-label": `${oneLine(one.worker)}${one.failed ? ", failed" : ""}`,
    },
    head,
    inside,
  );
}

/** @param {Invocation} one */
function insideOf(one) {
  const facts = [
    one.event_type && ["event", oneLine(one.event_type)],
    one.outcome && ["outcome", oneLine(one.outcome)],
    ["starts at", `+${duration(one.offset_ms)}`],
    one.duration_ms !== null && ["took", duration(one.duration_ms)],
    one.cpu_ms !== null && one.cpu_ms !== undefined && ["cpu", `${one.cpu_ms} ms`],
    one.request_id && ["request", oneLine(one.request_id)],
  ];
  return [
    el(
      "div",
      { class: "facts" },
      ...facts.map((pair) => Array.isArray(pair) && el("span", {}, `${pair[0]} `, el("code", {}, String(pair[1])))),
      one.shared && el("span", {}, "it handled other requests as well"),
    ),
    ...one.lines.flatMap((line) => [
      el(
        "div",
        { class: `record ${line.level} ${line.kind}` },
        el("span", { class: "at" }, `+${duration(line.offset_ms)}`),
        el("span", { class: `level ${line.level}` }, line.level),
        el("span", { class: "say" }, visible(line.message)),
      ),
      line.stack && el("pre", { class: "stack", tabindex: "0" }, visible(line.stack)),
    ]),
  ];
}

/** @param {string} value @param {string} unit @param {boolean} [isBad] */
export function fact(value, unit, isBad = false) {
  return el("span", { class: isBad ? "fact bad" : "fact" }, el("b", {}, value), ` ${unit}`);
}

/** @param {number} span */
export function ticks(span) {
  const element = el("div", { class: "ticks" });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const text = el("span", {}, part ? duration(span * part) : "0");
    text.style.left = `${part * 100}%`;
    element.append(text);
  }
  return element;
}

/** @param {Invocation} one */
function lane(one) {
  const element = el("span", { class: "lane", "aria-hidden": "true" });
  const bar = el("span", { class: "span" });
  bar.style.left = `min(${one.left * 100}%, 100% - 4px)`;
  bar.style.width = `${one.width * 100}%`;
  element.append(bar);
  for (const line of one.lines) {
    const isMark = line.level === "error" || line.level === "warn";
    const mark = el("span", { class: isMark ? `mark ${line.level}` : "dot" });
    mark.style.left = `min(${line.left * 100}%, 100% - 3px)`;
    element.append(mark);
  }
  if (one.duration_ms !== null) {
    const end = one.left + one.width;
    const isBefore = end > 0.85;
    const text = el("span", { class: isBefore ? "length before" : "length" }, duration(one.duration_ms));
    text.style.left = `${(isBefore ? one.left : end) * 100}%`;
    // A bar from edge to edge has its length inside.
    if (isBefore && one.left < 0.12) {
      text.className = "length within";
      text.style.left = `${one.left * 100}%`;
    }
    element.append(text);
  }
  return element;
}
