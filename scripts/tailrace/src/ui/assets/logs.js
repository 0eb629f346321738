// Logs: one search box, a histogram, facets, and rows that open in place.

import { go, read } from "./address.js";
import { getJson, getLines, wasAborted } from "./api.js";
import { CopyMenu } from "./copymenu.js";
import { el, failure, fill, say } from "./dom.js";
import { Facets } from "./facets.js";
import { Histogram } from "./histogram.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { Picker } from "./picker.js";
import { drawDetail, drawRow } from "./record.js";
import { Results } from "./results.js";
import { count, moment } from "./text.js";

/** @typedef {import("./record.js").Item} Item */
/** @typedef {import("./address.js").Address} Address */

/** Rows that a page keeps: older ones are asked for again. */
const MOST_ROWS = 100_000;

export class Logs {
  constructor() {
    /** @type {Address} */
    this.address = read();
    this.asked = "";
    /** @type {AbortController} */
    this.question = new AbortController();
    this.more = false;
    this.loading = false;
    this.window = { from_ms: 0, to_ms: 0 };
    /** @type {Item[]} rows that arrived while the list was scrolled */
    this.waiting = [];
    /** @type {Set<string>} the newest rows, which may arrive again */
    this.known = new Set();
    this.pausedByKey = false;

    const choose = (/** @type {string} */ field, /** @type {string} */ value, /** @type {boolean} */ not) =>
      void this.addTerm(field, value, not);
    this.list = new List(
      (item, open) => drawRow(item, open),
      (item) => drawDetail(item, choose),
      () => void this.loadOlder(),
    );
    this.list.scroller.addEventListener("scroll", () => this.onScroll(), {
      passive: true,
    });
    this.histogram = new Histogram((from, to) => go({ since: String(from), until: String(to), live: false }));
    this.facets = new Facets(choose, () => void this.count(true));
    this.picker = new Picker((since, until) => go({ since, until, live: until ? false : this.address.live }));
    this.live = new Live({
      onRows: (rows) => this.onNewRows(rows),
      onFailure: (found) => this.showLiveFailure(found),
      onBehind: () => void this.load(),
      onReady: () => void this.load(),
    });
    this.input = el("input", {
      type: "search",
      id: "query",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": "Search",
      placeholder: 'level>=warn worker:api-* status:5xx order.id:42 "free text"',
    });
    this.liveDot = el("span", { class: "live-dot" });
    this.liveButton = el(
      "button",
      {
        class: "button",
        "aria-pressed": "false",
        title: "New rows as they arrive",
        onclick: () => this.toggleLive(),
      },
      this.liveDot,
      "Live",
    );
    this.copyMenu = new CopyMenu(
      () => this.params(),
      () => this.list.items,
    );
    this.problem = el("div", { class: "problem" });
    this.results = new Results(this.list.scroller, () => this.showWaiting());
    this.element = el(
      "div",
      { class: "view", id: "logs" },
      el(
        "div",
        { class: "bar" },
        el(
          "form",
          {
            class: "query",
            role: "search",
            "aria-label": "Search logs",
            onsubmit: (/** @type {Event} */ event) => {
              event.preventDefault();
              this.submit();
            },
          },
          this.input,
          el("kbd", { "aria-hidden": "true" }, "/"),
        ),
        this.picker.element,
        this.liveButton,
        this.copyMenu.element,
      ),
      this.problem,
      this.histogram.element,
      el("div", { class: "below" }, this.facets.element, this.results.element),
    );
  }

  /** Shows what the address says. */
  show() {
    this.address = read();
    this.picker.show(this.address);
    const { q, since, until, live } = this.address;
    if (document.activeElement !== this.input || this.input.value.trim() !== q) this.input.value = q;
    const asked = JSON.stringify([q, since, until]);
    const isNew = asked !== this.asked;
    this.asked = asked;
    const follows = live && !until;
    if (!follows) this.pausedByKey = false;
    const begins = follows && !this.live.wanted;
    this.live.follow(follows ? q : null);
    this.showLiveState();
    // Live asks for the rows itself, once it has begun to look for new ones.
    if (isNew || begins) void this.load();
  }

  hide() {
    this.question.abort();
    this.asked = "";
    this.live.follow(null);
  }

  submit() {
    const q = this.input.value.trim();
    if (q === this.address.q) void this.load();
    else go({ q });
    this.input.blur();
  }

  /** Asks for everything anew. */
  async load() {
    this.question.abort();
    this.question = new AbortController();
    const { signal } = this.question;
    this.loading = true;
    this.more = false;
    this.waiting = [];
    this.known.clear();
    this.results.showWaiting(0);
    fill(this.problem);
    this.input.removeAttribute("aria-invalid");
    this.results.showBusy("Asking for the newest rows …");
    let rows = 0;
    let isFirst = true;
    try {
      for await (const part of getLines("/api/logs", this.params(), signal)) {
        if (part.from_ms) {
          this.window = part;
          continue;
        }
        const items = /** @type {Item[]} */ (part.rows);
        // What was there stays until there is something new.
        if (isFirst && (items.length || part.done)) {
          this.begin(items);
          isFirst = false;
        } else this.list.append(items);
        this.remember(items);
        rows += items.length;
        if (part.done) this.more = part.more;
        else if (part.reached_ms)
          this.results.showBusy(`${count(rows)} rows, read back to ${moment(part.reached_ms).slice(0, 19)} …`);
      }
      this.loading = false;
      this.showEnd();
      say(rows ? `${rows} rows` : "no rows");
      await this.count(false);
    } catch (error) {
      if (wasAborted(error)) return;
      this.loading = false;
      this.showFailure(error);
    }
  }

  params() {
    const { q, since, until } = this.address;
    return { q, since, until };
  }

  /** @param {Item[]} items */
  begin(items) {
    this.list.set(items);
    this.results.showList();
  }

  /** @param {Item[]} items */
  remember(items) {
    for (const item of items) this.known.add(item.id);
  }

  showEnd() {
    const rows = this.list.items.length;
    if (rows) this.results.showCount(rows, this.more);
    else this.results.showNothing(this.address.q, this.address.live);
  }

  /** @param {unknown} error */
  showFailure(error) {
    const text = error instanceof Error ? error.message : "";
    if (/of the query$/.test(text)) this.input.setAttribute("aria-invalid", "true");
    this.list.set([]);
    this.histogram.show(null);
    this.facets.show(null);
    this.results.showFailure(error, () => void this.load());
  }

  async loadOlder() {
    if (this.loading || !this.more) return;
    const last = this.list.items.at(-1);
    if (!last || this.list.items.length >= MOST_ROWS) return;
    this.loading = true;
    const { signal } = this.question;
    const { from_ms: from, to_ms: to } = this.window;
    const params = {
      q: this.address.q,
      since: from,
      until: this.address.until ? to : null,
      before_time: last.timestamp,
      before_id: last.id,
    };
    try {
      for await (const part of getLines("/api/logs", params, signal)) {
        if (part.from_ms) continue;
        this.list.append(part.rows);
        if (part.done) this.more = part.more;
      }
      this.loading = false;
      this.showEnd();
    } catch (error) {
      if (wasAborted(error)) return;
      this.loading = false;
      this.more = false;
      this.results.summarize(`Older rows could not be read: ${error instanceof Error ? error.message : error}`, false);
    }
  }

  /** @param {boolean} refresh */
  async count(refresh) {
    const { signal } = this.question;
    try {
      for await (const counts of getLines("/api/counts", { ...this.params(), refresh }, signal)) {
        this.histogram.show(counts);
        this.facets.show(counts);
      }
    } catch (error) {
      if (wasAborted(error)) return;
      fill(
        this.facets.element,
        failure(error, () => void this.count(refresh)),
      );
    }
  }

  /** @param {string} field @param {string} value @param {boolean} not */
  async addTerm(field, value, not) {
    try {
      const { q } = await getJson("/api/term", {
        q: this.address.q,
        field,
        value,
        not,
      });
      go({ q });
    } catch (error) {
      fill(this.problem, failure(error));
    }
  }

  toggleLive() {
    go({
      live: !this.address.live,
      until: "",
      since: this.address.until ? "15m" : this.address.since,
    });
  }

  /** @param {Item[]} rows */
  onNewRows(rows) {
    const fresh = rows.filter((row) => !this.known.has(row.id)).reverse();
    if (!fresh.length) return;
    this.remember(fresh);
    if (this.list.isAtTop() && !this.pausedByKey) this.addRows(fresh);
    else {
      this.waiting = fresh.concat(this.waiting);
      this.results.showWaiting(this.waiting.length);
    }
  }

  /** @param {Item[]} rows */
  addRows(rows) {
    this.results.showList();
    this.list.prepend(rows, MOST_ROWS);
    this.results.showCount(this.list.items.length, this.more);
  }

  showWaiting() {
    this.list.closeAll();
    this.list.scroller.scrollTop = 0;
    const rows = this.waiting;
    this.waiting = [];
    this.results.showWaiting(this.waiting.length);
    this.pausedByKey = false;
    this.live.pause(false);
    this.addRows(rows);
    this.showLiveState();
  }

  onScroll() {
    if (this.waiting.length && this.list.isAtTop() && !this.pausedByKey) this.showWaiting();
  }

  togglePause() {
    if (!this.live.wanted) {
      this.toggleLive();
      return;
    }
    this.pausedByKey = !this.pausedByKey;
    this.live.pause(this.pausedByKey);
    if (!this.pausedByKey && this.waiting.length) this.showWaiting();
    this.showLiveState();
  }

  showLiveState() {
    const on = this.live.wanted;
    this.liveButton.setAttribute("aria-pressed", String(on));
    this.liveDot.className = on && !this.pausedByKey ? "live-dot on" : "live-dot";
    this.liveButton.lastChild?.replaceWith(on && this.pausedByKey ? "Paused" : "Live");
  }

  /** @param {{ error: string, hint: string | null } | null} found */
  showLiveFailure(found) {
    const isShown = Boolean(this.problem.dataset.live);
    if (!found && isShown) fill(this.problem);
    this.problem.dataset.live = found ? "1" : "";
    if (found) fill(this.problem, failure({ error: `${found.error}; still following`, hint: found.hint }));
  }

  /** @returns {import("./keys.js").Key[]} */
  keys() {
    return [
      {
        key: "/",
        what: "search",
        run: () => {
          this.input.focus();
          this.input.select();
        },
      },
      { key: "j", what: "next row", run: () => this.list.move(1) },
      { key: "k", what: "row before", run: () => this.list.move(-1) },
      {
        key: "Enter",
        what: "open or close the row",
        run: () => {
          if (this.list.current >= 0) this.list.toggle(this.list.current);
        },
      },
      { key: "t", what: "open the row's trace", run: () => this.openTrace() },
      {
        key: " ",
        shown: "space",
        what: "pause and go on with live rows",
        run: () => this.togglePause(),
      },
      {
        key: "Escape",
        shown: "Esc",
        what: "leave, close",
        typing: true,
        run: () => this.leave(),
      },
    ];
  }

  openTrace() {
    const item = this.list.currentItem;
    const id = item?.correlation_id ?? item?.request_id;
    if (id) go({ view: "trace", id });
  }

  leave() {
    if (this.copyMenu.isOpen) this.copyMenu.close();
    else if (document.activeElement === this.input) this.input.blur();
    else this.list.closeAll();
  }
}
