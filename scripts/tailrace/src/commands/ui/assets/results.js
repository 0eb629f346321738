// The part of Logs below the search: the list, or what there is to say in its place.

import { go } from "./address.js";
import { el, failure, fill, state } from "./dom.js";
import { count } from "./text.js";

export class Results {
  /** @param {HTMLElement} list @param {() => void} onPill */
  constructor(list, onPill) {
    this.list = list;
    this.summary = el("div", { class: "summary" });
    this.pill = el("button", { class: "pill", hidden: true, onclick: onPill });
    this.element = el("div", { class: "results" });
  }

  get hasList() {
    return this.list.isConnected;
  }

  showList() {
    if (!this.hasList) fill(this.element, this.summary, this.pill, this.list);
  }

  /** @param {string} text */
  showBusy(text) {
    this.summarize(text, true);
    if (this.hasList) return;
    const what = el("p", {}, "D1 is asked in short slices of time, the newest first.");
    fill(this.element, this.summary, state("Looking …", what));
  }

  /** @param {number} rows @param {boolean} more */
  showCount(rows, more) {
    const all = `${count(rows)} ${rows === 1 ? "row" : "rows"}`;
    this.summarize(more ? `The newest ${all}; older ones as you scroll` : all, false);
  }

  /** @param {number} rows */
  showLive(rows) {
    this.summarize(`${count(rows)} rows, new ones as they arrive`, false);
  }

  /** @param {string} q @param {boolean} live */
  showNothing(q, live) {
    let what = "Widen the window, or send a Worker a request: its logs arrive some seconds later.";
    if (q) what = "Widen the window, or leave a term of the search out.";
    if (live) what = "New rows appear here as they arrive.";
    const wider = () => go({ since: "7d", until: "" });
    fill(
      this.element,
      this.summary,
      state(
        "No records in this window",
        el("p", {}, what),
        el("button", { class: "button", onclick: wider }, "Look at 7 days"),
      ),
    );
    this.showCount(0, false);
  }

  /** @param {unknown} error @param {() => void} retry */
  showFailure(error, retry) {
    fill(this.element, failure(error, retry));
  }

  /** @param {string} text @param {boolean} isBusy */
  summarize(text, isBusy) {
    // Rows of the question before stay until the first of the new ones come.
    this.list.classList.toggle("stale", isBusy);
    fill(
      this.summary,
      el("span", {}, text),
      isBusy && el("span", { class: "progress" }, el("span", {})),
      el("span", { class: "grow" }),
      el("span", {}, "newest first"),
    );
  }

  /** Says how many rows wait above. @param {number} waiting */
  showWaiting(waiting) {
    this.pill.hidden = !waiting;
    this.pill.textContent = `${count(waiting)} new`;
  }
}
