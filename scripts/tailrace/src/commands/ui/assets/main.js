// The frame of the page: views, themes, zones. Each view draws what the address says.

import { go, link, logsLink, read, watch } from "./address.js";
import { getJson } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { setKeys, showKeys } from "./keys.js";
import { Logs } from "./logs.js";
import { setUtc } from "./text.js";
import { Pipeline } from "./pipeline.js";
import { Trace } from "./trace.js";
import { Workers } from "./workers.js";

/** @typedef {{ element: HTMLElement, show(): void, hide(): void, keys(): import("./keys.js").Key[] }} View */

/** @type {Record<string, { title: string, make: () => View }>} */
const VIEWS = {
  logs: { title: "Logs", make: () => new Logs() },
  trace: { title: "Trace", make: () => new Trace() },
  workers: { title: "Workers", make: () => new Workers() },
  pipeline: { title: "Pipeline", make: () => new Pipeline() },
};

/** @type {Map<string, View>} */
const made = new Map();
let current = "";

function show() {
  const { view } = read();
  const name = Object.hasOwn(VIEWS, view) ? view : "logs";
  if (name !== current) {
    made.get(current)?.hide();
    current = name;
    fill(
      byId("views"),
      ...Object.entries(VIEWS).map(([own, { title }]) =>
        el(
          "a",
          {
            // Logs are as they were left; a window of Workers goes along.
            href: own === "logs" && name !== "workers" ? logsLink() : link({ view: own, id: "" }),
            "aria-current": own === name && "page",
          },
          title,
        ),
      ),
    );
    const next = made.get(name) ?? VIEWS[name]?.make();
    if (!next) return;
    made.set(name, next);
    fill(byId("main"), next.element);
    setKeys(next.keys());
    document.title = `${VIEWS[name]?.title} · Tailrace`;
  }
  made.get(name)?.show();
}

/** Draws everything anew, as after a change of the zone. */
function redraw() {
  made.get(current)?.hide();
  made.clear();
  current = "";
  show();
}

/** What a person chose stays. @param {string} name @param {string} value */
function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    /* then for this time alone */
  }
}

/** @param {string} name */
function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function applyTheme() {
  const chosen = kept("theme");
  document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
}

function buildTools() {
  const zone = el("button", {
    class: "button small plain",
    title: "Show times in local time or in UTC",
  });
  const setZone = (/** @type {boolean} */ utc) => {
    setUtc(utc);
    zone.textContent = utc ? "UTC" : "Local time";
  };
  setZone(kept("zone") === "utc");
  zone.addEventListener("click", () => {
    const utc = kept("zone") !== "utc";
    keep("zone", utc ? "utc" : "local");
    setZone(utc);
    redraw();
  });
  const theme = el(
    "button",
    {
      class: "button small plain",
      title: "Light or dark",
      "aria-label": "Light or dark",
      onclick: () => {
        keep("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
        applyTheme();
      },
    },
    "◐",
  );
  fill(
    byId("tools"),
    zone,
    theme,
    el(
      "button",
      {
        class: "button small plain",
        title: "Keys",
        "aria-label": "Keys",
        onclick: showKeys,
      },
      "?",
    ),
  );
}

byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (byId("find-id"));
  const id = input.value.trim();
  if (!id) return;
  input.value = "";
  input.blur();
  go({ view: "trace", id });
});

dark.addEventListener("change", applyTheme);
applyTheme();
buildTools();
watch(show);
show();
getJson("/api/about").then(
  ({ installation }) => {
    byId("installation").textContent = installation;
    byId("installation").title = installation;
  },
  () => {},
);
