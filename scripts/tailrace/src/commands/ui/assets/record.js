// One record: its row in the list, and the whole of it when it is opened.

import { link } from "./address.js";
import { getExactJson, numberText, url } from "./api.js";
import { signs, tree } from "./context.js";
import { copy, el, failure, fill } from "./dom.js";
import { clock, moment, oneLine, visible } from "./text.js";

/**
 * @typedef {object} Item a record as a list has it
 * @property {string} id
 * @property {string} timestamp
 * @property {string} worker
 * @property {string} level
 * @property {string} kind
 * @property {string} message
 * @property {string} carried
 * @property {string | null} request_id
 * @property {string | null} correlation_id
 */

/** @typedef {import("./context.js").Choose} Choose */

/** @param {Item} item @param {boolean} isOpen */
export function drawRow(item, isOpen) {
  return el(
    "button",
    {
      class: `row ${item.level} of-${item.kind}`,
      "aria-expanded": String(isOpen),
    },
    el("time", { datetime: item.timestamp, title: item.timestamp }, clock(Date.parse(item.timestamp))),
    el("span", { class: `level ${item.level}` }, item.level),
    el("span", { class: "worker" }, oneLine(item.worker)),
    el(
      "span",
      { class: "what" },
      el("span", { class: "message" }, oneLine(item.message)),
      item.carried && el("span", { class: "carried" }, oneLine(item.carried)),
    ),
  );
}

/** @param {Item} item @param {Choose} choose */
export function drawDetail(item, choose) {
  const element = el("div", { class: "detail" }, el("p", { class: "text" }, visible(item.message)));
  void load(item, choose, element);
  return element;
}

/** @param {Item} item @param {Choose} choose @param {HTMLElement} element */
async function load(item, choose, element) {
  try {
    const record = await getExactJson("/api/record", {
      timestamp: item.timestamp,
      id: item.id,
    });
    const context = record.context;
    const isObject = context !== null && typeof context === "object" && numberText(context) === null;
    const stacks = isObject ? stacksOf(context) : [];
    fill(
      element,
      el("p", { class: "text" }, visible(record.message)),
      actions(record, item),
      ...stacks.map((stack) => el("pre", { class: "stack", tabindex: "0" }, visible(stack))),
      el(
        "div",
        { class: "columns" },
        el(
          "div",
          {},
          el("h3", {}, "Record"),
          el(
            "div",
            { class: "tree" },
            field("time", moment(Date.parse(record.timestamp)), "", choose),
            field("worker", record.worker_name, "worker", choose),
            field("level", record.log_level, "level", choose),
            field("request_id", record.request_id, "request_id", choose),
            field("correlation_id", record.correlation_id, "correlation_id", choose),
            record.execution_time_ms !== null &&
              field("cpu", `${numberText(record.execution_time_ms) ?? record.execution_time_ms} ms`, "", choose),
          ),
        ),
        el("div", {}, el("h3", {}, "Context"), tree(isObject ? withoutStacks(context) : { text: context }, choose)),
      ),
    );
  } catch (error) {
    element.append(
      failure(error, () => {
        fill(element, el("p", { class: "text" }, visible(item.message)));
        void load(item, choose, element);
      }),
    );
  }
}

/** @param {string} name @param {unknown} value @param {string} queryField @param {Choose} choose */
function field(name, value, queryField, choose) {
  if (value === null || value === undefined) return null;
  return el(
    "div",
    { class: "node leaf" },
    el("span", { class: "name" }, `${name}:`),
    el("span", { class: "value" }, visible(value)),
    queryField && signs(queryField, String(value), choose),
  );
}

/** @param {any} record @param {Item} item */
function actions(record, item) {
  const at = Date.parse(item.timestamp);
  const around = (
    /** @type {string} */ text,
    /** @type {string} */ q,
    /** @type {number} */ ms,
    /** @type {string} */ title,
  ) =>
    el(
      "a",
      {
        class: "button small",
        title,
        href: link({
          view: "logs",
          q,
          since: String(at - ms),
          until: String(at + ms + 1),
          live: false,
        }),
      },
      text,
    );
  const trace = record.correlation_id ?? record.request_id;
  return el(
    "div",
    { class: "actions" },
    trace &&
      el(
        "a",
        {
          class: "button small primary trace-link",
          href: link({ view: "trace", id: trace }),
        },
        "Open trace",
      ),
    el("span", { class: "label" }, "Around:"),
    record.request_id &&
      around("its invocation", `request_id:${quoted(record.request_id)}`, 3_600_000, "Every record of this invocation"),
    around("its Worker", `worker:${quoted(record.worker_name)}`, 60_000, "What its Worker logged within a minute"),
    around("its minute", "", 30_000, "Everything within half a minute before and after"),
    el("span", { class: "label" }, "Copy:"),
    el(
      "button",
      {
        class: "button small",
        onclick: () => copy(JSON.stringify(record, null, 2), "JSON"),
      },
      "JSON",
    ),
    el("button", { class: "button small", onclick: () => copyLink(record, at) }, "link"),
  );
}

/** A value of a query, which no character of it changes. @param {string} value */
function quoted(value) {
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** @param {any} record @param {number} at */
function copyLink(record, at) {
  const q = record.request_id ? `request_id:${quoted(record.request_id)}` : "";
  const target = link({
    view: "logs",
    q,
    since: String(at),
    until: String(at + 1),
    live: false,
  });
  return copy(location.origin + url(target, {}), "Link");
}

/** The stacks of an exception and of the errors that a line carried. @param {any} context @returns {string[]} */
function stacksOf(context) {
  const inner = Array.isArray(context.errors) ? context.errors.map((/** @type {any} */ error) => error?.stack) : [];
  return [context.stack, ...inner].filter((stack) => typeof stack === "string" && stack !== "");
}

/** @param {any} context */
function withoutStacks(context) {
  const { stack: _, ...rest } = context;
  return rest;
}
