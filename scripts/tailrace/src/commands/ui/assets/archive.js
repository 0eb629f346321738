// Records of a search that the archive alone holds: how much that is, and the records themselves where somebody asks.

import { getJson, wasAborted } from "./api.js";
import { el, failure, fill, say } from "./dom.js";
import { count } from "./text.js";

/** @typedef {import("./record.js").Item} Item */
/** @typedef {import("./api.js").Params} Params */

export class Offer {
  /** @param {() => Params} params what of the search the list shows @param {(rows: Item[]) => void} onRows */
  constructor(params, onRows) {
    this.params = params;
    this.onRows = onRows;
    this.element = el("div", { class: "offer" });
    this.signal = new AbortController().signal;
  }

  /** Forgets what was said. */
  clear() {
    fill(this.element);
  }

  /** Says how much of a search is in the archive alone. @param {Params} params @param {AbortSignal} signal */
  async look(params, signal) {
    this.signal = signal;
    try {
      const { shown } = await getJson("/api/archive", params, signal);
      if (shown)
        this.show(`Rows alone are shown: ${shown} in the archive hold records that are not rows.`, "Read them");
      else this.clear();
    } catch (error) {
      if (!wasAborted(error)) this.clear();
    }
  }

  /** @param {string} text @param {string} what */
  show(text, what) {
    fill(
      this.element,
      el("span", {}, text),
      " ",
      el("button", { class: "button small", onclick: () => void this.read() }, what),
    );
  }

  async read() {
    fill(this.element, el("span", {}, "Reading the archive …"));
    try {
      const found = await getJson("/api/archive/records", this.params(), this.signal);
      this.onRows(found.rows);
      const records = `${count(found.rows.length)} ${found.rows.length === 1 ? "record" : "records"}`;
      const expired = found.expired ? ` ${count(found.expired)} have expired.` : "";
      const rest = found.left_out ? ` Older ones, ${found.left_out}, were not read: choose an earlier end.` : "";
      this.show(`${records} from ${found.read} in the archive.${expired}${rest}`, "Read again");
      say(`${records} from the archive`);
    } catch (error) {
      if (wasAborted(error)) return;
      fill(
        this.element,
        failure(error, () => void this.read()),
      );
    }
  }
}
