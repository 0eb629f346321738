// The context of a record as a tree. Each value can be included or excluded.

import { numberText } from "./api.js";
import { el } from "./dom.js";
import { oneLine, visible } from "./text.js";

/** Characters of one value that are shown, and members of one object. */
const MOST_CHARS = 20_000;
const MOST_MEMBERS = 500;

/** A value longer than this is scrolled, also by keys. */
const LONG_CHARS = 600;

/** Trees this deep are closed at first, and deeper ones are shown as text. */
const CLOSED_AT = 4;
const MOST_DEPTH = 40;

/** Members of a context, beside the line's own data, that a query can name. */
const NAMED = new Set(["event_type", "method", "outcome", "status", "path", "kind"]);
const NAME = /^[\p{L}_$@][\p{L}\p{N}_\-.$@/]*$/u;

/** @typedef {(field: string, value: string, not: boolean) => void} Choose */

/** @param {unknown} context @param {Choose} choose */
export function tree(context, choose) {
  return el("div", { class: "tree" }, ...nodes(context, "", 0, choose));
}

/** @param {unknown} value @param {string} path @param {number} depth @param {Choose} choose @returns {Node[]} */
function nodes(value, path, depth, choose) {
  if (isLeaf(value)) return [leaf("", value, path, choose)];
  const entries = Object.entries(/** @type {object} */ (value));
  const shown = entries.slice(0, MOST_MEMBERS).map(([name, inner]) => {
    const inside = path ? `${path}.${name}` : name;
    const named = Array.isArray(value) || !isNamed(inside) ? "" : inside;
    if (isLeaf(inner)) return leaf(name, inner, named, choose);
    if (depth >= MOST_DEPTH) return leaf(name, JSON.stringify(inner), "", choose);
    return branch(name, inner, inside, depth + 1, choose);
  });
  if (entries.length > MOST_MEMBERS)
    shown.push(el("div", { class: "node name" }, `and ${entries.length - MOST_MEMBERS} more`));
  return shown;
}

/** @param {unknown} value */
function isLeaf(value) {
  return value === null || typeof value !== "object" || numberText(value) !== null;
}

/** Returns whether a query can name a member. @param {string} path */
function isNamed(path) {
  return NAMED.has(path) || (path.startsWith("data.") && NAME.test(path));
}

/** @param {string} name @param {object} value @param {string} path @param {number} depth @param {Choose} choose */
function branch(name, value, path, depth, choose) {
  const size = Object.keys(value).length;
  const note = Array.isArray(value) ? `[${size}]` : `{${size}}`;
  const element = el("details", { class: "node" }, el("summary", {}, `${oneLine(name)} ${note}`));
  const build = () => {
    if (element.childElementCount === 1) element.append(...nodes(value, path, depth, choose));
  };
  element.addEventListener("toggle", build);
  if (depth < CLOSED_AT) {
    build();
    element.open = true;
  }
  return element;
}

/** @param {string} name @param {unknown} value @param {string} path @param {Choose} choose */
function leaf(name, value, path, choose) {
  const number = numberText(value);
  const text = number ?? String(value);
  const shown =
    visible(text.slice(0, MOST_CHARS)) +
    (text.length > MOST_CHARS ? ` … and ${text.length - MOST_CHARS} characters more` : "");
  const kind = typeof value === "string" ? "string" : typeof value === "number" || number ? "number" : "literal";
  return el(
    "div",
    { class: "node leaf" },
    name !== "" && el("span", { class: "name" }, `${oneLine(name)}:`),
    el("span", { class: `value ${kind}`, tabindex: text.length > LONG_CHARS && "0" }, shown),
    path && text.length <= 200 && signs(path, text, choose),
  );
}

/** The signs that include and exclude a value. @param {string} field @param {string} value @param {Choose} choose */
export function signs(field, value, choose) {
  const sign = (/** @type {boolean} */ not) =>
    el(
      "button",
      {
        class: "sign",
        title: `${not ? "Exclude" : "Only"} ${oneLine(field)}: ${oneLine(value)}`,
        "aria-label": `${not ? "Exclude" : "Include only"} ${oneLine(field)} ${oneLine(value)}`,
        onclick: () => choose(field, value, not),
      },
      not ? "−" : "+",
    );
  return el("span", { class: "signs" }, sign(false), sign(true));
}
