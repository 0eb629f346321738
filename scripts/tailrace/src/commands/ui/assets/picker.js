// The window of time: the last minutes, hours or days, or from one time to another.

import { el, failure, fill } from "./dom.js";
import { field, fieldMillis, moment } from "./text.js";

/** @typedef {import("./address.js").Address} Address */

const WINDOWS = [
  ["15m", "15 min"],
  ["1h", "1 h"],
  ["24h", "24 h"],
  ["7d", "7 d"],
];

export class Picker {
  /** @param {(since: string, until: string) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.buttons = el("div", {
      class: "group",
      role: "group",
      "aria-label": "Window of time",
    });
    this.panel = el("div", { class: "popover", hidden: true });
    this.element = el("div", { class: "anchor" }, this.buttons, this.panel);
    this.address = { since: "15m", until: "" };
    addEventListener("pointerdown", (event) => {
      if (event.target instanceof Node && !this.element.contains(event.target)) this.close();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.panel.hidden) {
        this.close();
        event.stopPropagation();
      }
    });
  }

  /** @param {Pick<Address, "since" | "until">} address */
  show(address) {
    this.address = address;
    const isKnown = WINDOWS.some(([since]) => since === address.since) && !address.until;
    const custom = isKnown ? "From – to" : describe(address);
    fill(
      this.buttons,
      ...WINDOWS.map(([since, text]) =>
        el(
          "button",
          {
            class: "button",
            "aria-pressed": String(isKnown && since === address.since),
            title: `The last ${text}`,
            onclick: () => {
              this.close();
              this.onChoose(/** @type {string} */ (since), "");
            },
          },
          text,
        ),
      ),
      el(
        "button",
        {
          class: "button",
          "aria-pressed": String(!isKnown),
          "aria-expanded": String(!this.panel.hidden),
          onclick: () => this.open(),
        },
        custom,
      ),
    );
  }

  open() {
    if (!this.panel.hidden) {
      this.close();
      return;
    }
    const { from, to } = bounds(this.address);
    const start = el("input", {
      type: "datetime-local",
      step: "1",
      value: field(from),
      "aria-label": "From",
    });
    const end = el("input", {
      type: "datetime-local",
      step: "1",
      value: field(to),
      "aria-label": "To",
    });
    const problem = el("div", {});
    const choose = (/** @type {Event} */ event) => {
      event.preventDefault();
      const [fromMs, toMs] = [fieldMillis(start.value), fieldMillis(end.value)];
      if (!(fromMs < toMs)) {
        fill(problem, failure("The start is not before the end."));
        return;
      }
      this.close();
      this.onChoose(String(fromMs), String(toMs));
    };
    fill(
      this.panel,
      el(
        "form",
        { class: "range", onsubmit: choose },
        el("span", {}, "From"),
        start,
        el("span", {}, "to"),
        end,
        problem,
        el("button", { class: "button primary small" }, "Show"),
      ),
    );
    this.panel.style.cssText = "top: 40px; right: 0";
    this.panel.hidden = false;
    start.focus();
  }

  close() {
    this.panel.hidden = true;
  }
}

/** @param {Pick<Address, "since" | "until">} address */
function bounds({ since, until }) {
  const to = /^\d{13}$/.test(until) ? Number(until) : Date.now();
  if (/^\d{13}$/.test(since)) return { from: Number(since), to };
  const [, number, unit] = /^(\d+)([smhd])$/.exec(since) ?? [];
  const length = Number(number ?? 15) * ({ s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[unit ?? "m"] ?? 6e4);
  return { from: to - length, to };
}

/** @param {Pick<Address, "since" | "until">} address */
function describe({ since, until }) {
  const { from, to } = bounds({ since, until });
  if (!/^\d{13}$/.test(since)) return until ? `${since} – ${until}` : `last ${since}`;
  const [start, end] = [moment(from).slice(0, 19), moment(to).slice(0, 19)];
  const isSameDay = start.slice(0, 10) === end.slice(0, 10);
  return until ? `${start} – ${isSameDay ? end.slice(11) : end}` : `since ${start}`;
}
