// Logs: one search box, a histogram, facets, and rows that open in place.

import { go, read } from "./address.js";
import { getJson, getLines, wasAborted } from "./api.js";
import { Offer } from "./archive.js";
import { CopyMenu } from "./copymenu.js";
import { el, failure, fill, say } from "./dom.js";
import { Facets } from "./facets.js";
import { Histogram } from "./histogram.js";
import { List } from "./list.js";
import { Following, MOST_ROWS } from "./following.js";
import { Picker } from "./picker.js";
import { drawDetail, drawRow } from "./record.js";
import { Results } from "./results.js";
import { count, moment } from "./text.js";

/** @typedef {import("./record.js").Item} Item */
/** @typedef {import("./address.js").Address} Address */

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
    const choose = (/** @type {string} */ field, /** @type {string} */ value, /** @type {boolean} */ not) =>
      void this.addTerm(field, value, not);
    this.list = new List(
      (item, open) => drawRow(item, open),
      (item) => drawDetail(item, choose),
      () => void this.loadOlder(),
    );
    this.histogram = new Histogram((from, to) => go({ since: String(from), until: String(to), live: false }));
    this.facets = new Facets(choose, () => void this.count(true));
    this.picker = new Picker((since, until) => go({ since, until, live: until ? false : this.address.live }));
    this.input = el("input", {
      type: "search",
      id: "query",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": "Search",
      placeholder: 'level>=warn worker:api-* status:5xx order.id:42 "free text"',
    });
    this.copyMenu = new CopyMenu(
      () => this.params(),
      () => this.list.items,
    );
    this.problem = el("div", { class: "problem" });
    this.offer = new Offer(
      () => this.shownParams(),
      (rows) => this.merge(rows),
    );
    this.results = new Results(this.list.scroller, () => this.following.showWaiting());
    this.following = new Following(this.list, this.results, {
      load: () => void this.load(),
      count: () => void this.count(false),
      toggle: () => this.toggleLive(),
      params: () => this.params(),
    });
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
        this.following.button,
        this.copyMenu.element,
      ),
      this.problem,
      this.following.problem,
      this.histogram.element,
      el("div", { class: "below" }, this.facets.element, this.results.element),
      this.offer.element,
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
    this.following.follow(follows ? q : null);
    if (isNew) void this.load();
  }

  hide() {
    this.question.abort();
    this.asked = "";
    this.following.follow(null);
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
    this.following.hold();
    fill(this.problem);
    this.offer.clear();
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
          this.following.remember(items);
          this.following.release();
        } else {
          this.list.append(items);
          this.following.remember(items);
        }
        rows += items.length;
        if (part.done) this.more = part.more;
        else if (part.reached_ms)
          this.results.showBusy(`${count(rows)} rows, read back to ${moment(part.reached_ms).slice(0, 19)} …`);
      }
      this.loading = false;
      this.showEnd();
      say(rows ? `${rows} rows` : "no rows");
      await this.count(false);
      await this.offer.look(this.params(), signal);
    } catch (error) {
      if (wasAborted(error)) return;
      this.loading = false;
      this.following.release();
      this.showFailure(error);
    }
  }

  params() {
    const { q, since, until } = this.address;
    return { q, since, until };
  }

  /** The part of the search whose rows are in the list. */
  shownParams() {
    const { q, until } = this.address;
    const last = this.list.items.at(-1);
    const from = this.more && last ? Date.parse(last.timestamp) : this.window.from_ms;
    return { q, since: from, until: until ? this.window.to_ms : null };
  }

  /** Adds records of the archive, each once. @param {Item[]} records */
  merge(records) {
    const known = new Set(this.list.items.map((item) => item.id));
    const items = [...this.list.items, ...records.filter((record) => !known.has(record.id))];
    const key = (/** @type {Item} */ item) => `${item.timestamp} ${item.id}`;
    items.sort((a, b) => (key(a) < key(b) ? 1 : -1));
    this.begin(items);
    this.following.remember(items);
    this.showEnd();
  }

  /** @param {Item[]} items */
  begin(items) {
    this.list.set(items);
    this.results.showList();
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
        run: () => this.following.togglePause(),
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
