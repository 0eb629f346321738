// Copies of a search: a link, a command, rows.

import { getJson } from "./api.js";
import { copy, el, fill } from "./dom.js";

/** @typedef {import("./record.js").Item} Item */

export class CopyMenu {
  /**
   * @param {() => import("./api.js").Params} params the search
   * @param {() => Item[]} rows the rows that are there
   */
  constructor(params, rows) {
    this.params = params;
    this.rows = rows;
    this.panel = el("div", { class: "popover", hidden: true });
    const open = () => void this.toggle();
    this.element = el(
      "div",
      { class: "anchor" },
      el("button", { class: "button", "aria-haspopup": "true", onclick: open }, "Copy"),
      this.panel,
    );
    addEventListener("pointerdown", (event) => {
      if (event.target instanceof Node && !this.element.contains(event.target)) this.close();
    });
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  close() {
    this.panel.hidden = true;
  }

  async toggle() {
    if (this.isOpen) {
      this.close();
      return;
    }
    let command = null;
    try {
      ({ command } = await getJson("/api/command", this.params()));
    } catch {
      // The menu offers the rest.
    }
    fill(
      this.panel,
      this.item("Link to this page", () => copy(location.href, "Link")),
      command === null
        ? el("div", { class: "note" }, "This search holds a control character, so it is not offered as a command.")
        : this.item("As a tailrace command", () => copy(command, "Command")),
      this.item("Rows as JSON lines, as far as they are shown", () =>
        copy(
          this.rows()
            .map((row) => JSON.stringify(row))
            .join("\n"),
          "Rows",
        ),
      ),
    );
    this.panel.style.cssText = "top: 40px; right: 0";
    this.panel.hidden = false;
    this.panel.querySelector("button")?.focus();
  }

  /** @param {string} text @param {() => Promise<void>} run */
  item(text, run) {
    const choose = () => {
      this.close();
      void run();
    };
    return el("button", { class: "item", onclick: choose }, text);
  }
}
