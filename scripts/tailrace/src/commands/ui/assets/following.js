// New rows above a list: added while its top is seen, else kept until somebody wants them. None is shown twice.

import { getLines, wasAborted } from "./api.js";
import { el, failure, fill } from "./dom.js";
import { Live } from "./live.js";

/** @typedef {import("./record.js").Item} Item */

/** Rows that a page keeps: older ones are asked for again. */
export const MOST_ROWS = 100_000;

/** Rows that are remembered: what a look finds again is no older. */
const MOST_KNOWN = 50_000;

/** Histogram and facets are counted again this often while rows arrive. */
const COUNT_AGAIN_MS = 15_000;

export class Following {
  /**
   * @param {import("./list.js").List} list
   * @param {import("./results.js").Results} results
   * @param {{ load(): void, count(): void, toggle(): void, params(): import("./api.js").Params }} logs
   */
  constructor(list, results, logs) {
    this.list = list;
    this.results = results;
    this.logs = logs;
    this.problem = el("div", {});
    this.dot = el("span", { class: "live-dot" });
    this.button = el(
      "button",
      { class: "button", "aria-pressed": "false", title: "New rows as they arrive", onclick: () => logs.toggle() },
      this.dot,
      "Live",
    );
    /** @type {Item[]} rows that wait above, the newest first */
    this.waiting = [];
    /** @type {Set<string>} */
    this.known = new Set();
    this.isPaused = false;
    this.isHeld = false;
    this.counted = 0;
    this.live = new Live({
      onRows: (rows) => this.take(rows),
      onFailure: (found) => this.showFailure(found),
      onBehind: () => logs.load(),
      onReady: () => void this.catchUp(),
    });
    list.scroller.addEventListener("scroll", () => this.onScroll(), { passive: true });
  }

  get isOn() {
    return this.live.wanted;
  }

  /** Follows a query, or none. @param {string | null} query */
  follow(query) {
    if (query === null) this.isPaused = false;
    this.live.follow(query);
    this.showState();
  }

  /** Rows are asked for anew: what arrives meanwhile waits. */
  hold() {
    this.isHeld = true;
    this.waiting = [];
    this.known.clear();
    this.results.showWaiting(0);
  }

  /** The first of them are there. */
  release() {
    this.isHeld = false;
    this.counted = Date.now();
    this.waiting = this.waiting.filter((row) => !this.known.has(row.id));
    if (this.waiting.length) this.flush();
  }

  /** Remembers what the list has, as far as it may come again. @param {Item[]} rows */
  remember(rows) {
    for (const row of rows) this.known.add(row.id);
    // The first of a set are those that were added first.
    for (const id of this.known) {
      if (this.known.size <= MOST_KNOWN) break;
      this.known.delete(id);
    }
  }

  /** Rows that arrived, the oldest first. @param {Item[]} rows */
  take(rows) {
    if (this.isHeld) {
      this.waiting = [...rows].reverse().concat(this.waiting);
      return;
    }
    const fresh = rows.filter((row) => !this.known.has(row.id)).reverse();
    if (!fresh.length) return;
    this.remember(fresh);
    this.waiting = fresh.concat(this.waiting);
    // A list holds no more of them.
    this.waiting.length = Math.min(this.waiting.length, MOST_ROWS);
    if (this.list.isAtTop() && !this.isPaused) this.flush();
    else this.results.showWaiting(this.waiting.length);
  }

  /** Shows what waits. */
  flush() {
    const rows = this.waiting;
    this.waiting = [];
    this.remember(rows);
    this.results.showWaiting(0);
    this.results.showList();
    this.list.prepend(rows, MOST_ROWS);
    this.results.showLive(this.list.items.length);
    if (Date.now() - this.counted < COUNT_AGAIN_MS) return;
    this.counted = Date.now();
    this.logs.count();
  }

  /** Goes to the top, and shows what waits. */
  showWaiting() {
    this.list.closeAll();
    this.list.scroller.scrollTop = 0;
    this.isPaused = false;
    this.live.pause(false);
    this.flush();
    this.showState();
  }

  /** Asks for what was stored before the look began. */
  async catchUp() {
    /** @type {Item[]} */
    const rows = [];
    try {
      for await (const part of getLines("/api/logs", this.logs.params(), new AbortController().signal)) {
        if (part.rows) rows.push(...part.rows);
      }
    } catch (error) {
      if (!wasAborted(error)) return;
    }
    // More is new than one page holds.
    if (rows.length && this.known.size && rows.every((row) => !this.known.has(row.id))) this.logs.load();
    else this.take(rows.reverse());
  }

  togglePause() {
    if (!this.isOn) {
      this.logs.toggle();
      return;
    }
    this.isPaused = !this.isPaused;
    this.live.pause(this.isPaused);
    if (!this.isPaused && this.waiting.length) this.showWaiting();
    this.showState();
  }

  onScroll() {
    if (this.waiting.length && this.list.isAtTop() && !this.isPaused && !this.isHeld) this.flush();
  }

  showState() {
    this.button.setAttribute("aria-pressed", String(this.isOn));
    this.dot.className = this.isOn && !this.isPaused ? "live-dot on" : "live-dot";
    this.button.lastChild?.replaceWith(this.isOn && this.isPaused ? "Paused" : "Live");
  }

  /** @param {{ error: string, hint: string | null } | null} found */
  showFailure(found) {
    if (found) fill(this.problem, failure({ error: `${found.error}; still following`, hint: found.hint }));
    else if (this.problem.childElementCount) {
      fill(this.problem);
      // What failed meanwhile is asked for again.
      if (this.results.hasList) this.logs.count();
      else this.logs.load();
    }
  }
}
