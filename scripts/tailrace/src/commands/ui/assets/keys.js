// Keys: each view says which it takes; `?` lists them.

import { el } from "./dom.js";

/** @typedef {{ key: string, shown?: string, what: string, run: (event: KeyboardEvent) => void, typing?: boolean }} Key */

/** @type {Key[]} */
let keys = [];

/** Takes these keys from now on. @param {Key[]} own */
export function setKeys(own) {
  keys = own;
}

/** Lists the keys. */
export function showKeys() {
  document.querySelector("dialog")?.remove();
  const rows = [...keys, { key: "?", what: "list the keys" }, { key: "Escape", shown: "Esc", what: "leave, close" }];
  const seen = new Set();
  const dialog = el(
    "dialog",
    { "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "Keys"),
    el(
      "dl",
      { class: "keys" },
      ...rows
        .filter((row) => !seen.has(row.what) && seen.add(row.what))
        .flatMap((row) => [el("dt", {}, el("kbd", {}, row.shown ?? row.key)), el("dd", {}, row.what)]),
    ),
    el("form", { method: "dialog" }, el("button", { class: "button primary" }, "Close")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = event.target;
  const isTyping = target instanceof HTMLInputElement;
  if (event.key === "?" && !isTyping) {
    event.preventDefault();
    showKeys();
    return;
  }
  const found = keys.find((key) => key.key === event.key && (!isTyping || key.typing));
  if (!found) return;
  if (takesItself(target, event.key)) return;
  event.preventDefault();
  found.run(event);
});

/** Returns whether what has the focus does something of its own at a key. @param {EventTarget | null} target @param {string} key */
function takesItself(target, key) {
  if (!(target instanceof Element)) return false;
  if (key === "Enter") return target.matches("button, a, summary");
  // On a row, space pauses: Enter opens it.
  return key === " " && target.matches("button:not(.row), summary");
}
