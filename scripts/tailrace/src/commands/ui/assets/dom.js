// Elements. Text goes in as text nodes alone, so that nothing which was logged can become markup.

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, unknown>} Properties
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. A property is an attribute; `on…` is a listener; null, undefined and false leave it out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Properties} [properties] @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, properties);
  append(element, children);
  return element;
}

/** @param {string} tag @param {Properties} [properties] @param {Child[]} children @returns {SVGElement} */
export function svg(tag, properties = {}, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  apply(element, properties);
  append(element, children);
  return element;
}

/** @param {Element} element @param {Properties} properties */
function apply(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/** @param {Element} element @param {Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts these children in the place of those there are. @param {Element} element @param {Child[]} children */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Finds what the page has from the beginning. @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/** Says something to those who listen. @param {string} text */
export function say(text) {
  byId("say").textContent = text;
}

/**
 * A failure, and what to do about it.
 * @param {unknown} error @param {(() => void) | null} [retry]
 */
export function failure(error, retry = null) {
  const hint = error && typeof error === "object" && "hint" in error ? error.hint : null;
  const given = error && typeof error === "object" && "error" in error ? error.error : error;
  const text = given instanceof Error ? given.message : String(given);
  return el(
    "div",
    { class: "failure", role: "alert" },
    el("strong", {}, text),
    typeof hint === "string" && el("div", { class: "hint" }, hint),
    retry && el("div", {}, el("button", { class: "button small", onclick: retry }, "Try again")),
  );
}

/** Returns what a view shows in the place of data. @param {string} title @param {Child[]} rest */
export function state(title, ...rest) {
  return el("div", { class: "state" }, el("h2", {}, title), ...rest);
}

/** Copies text, and says so. @param {string} text @param {string} what */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
    toast(`${what} copied`);
  } catch {
    toast("the browser does not let the page copy");
  }
}

/** @param {string} text */
function toast(text) {
  document.querySelector(".toast")?.remove();
  const box = el("div", { class: "toast popover", "aria-hidden": "true" }, el("div", { class: "note" }, text));
  box.style.cssText = "bottom: 18px; left: 18px; min-width: 0";
  document.body.append(box);
  setTimeout(() => box.remove(), 1800);
}
