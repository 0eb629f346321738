// A list of any length: only the rows in sight are elements. Rows have one height; an opened one has a detail below it,
// as high as it is.

import { el } from "./dom.js";

export const ROW_PX = 26;

/** Rows beyond the edges that are drawn as well. */
const MARGIN = 12;

/** @typedef {import("./record.js").Item} Item */

/**
 * @typedef {object} Opened
 * @property {number} index
 * @property {HTMLElement} detail
 * @property {number} height
 */

export class List {
  /**
   * @param {(item: Item, open: boolean) => HTMLButtonElement} draw makes the row of an item
   * @param {(item: Item) => HTMLElement} drawDetail makes the detail of an item
   * @param {() => void} onEnd the end of the list is near
   */
  constructor(draw, drawDetail, onEnd) {
    this.draw = draw;
    this.drawDetail = drawDetail;
    this.onEnd = onEnd;
    /** @type {Item[]} */
    this.items = [];
    /** @type {Map<string, HTMLElement>} */
    this.drawn = new Map();
    /** @type {Map<string, Opened>} */
    this.opened = new Map();
    this.current = -1;
    this.frame = 0;
    this.space = el("div", {
      class: "space",
      role: "list",
      "aria-label": "Records, newest first",
    });
    this.scroller = el("div", { class: "list", tabindex: "-1" }, this.space);
    this.scroller.addEventListener("scroll", () => this.redraw(), {
      passive: true,
    });
    this.sizes = new ResizeObserver((entries) => this.measure(entries));
    this.sizes.observe(this.scroller);
  }

  /** @param {Item[]} items */
  set(items) {
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
    this.opened.clear();
    this.items = items;
    this.current = -1;
    this.scroller.scrollTop = 0;
    this.redraw();
  }

  /** Adds older items. @param {Item[]} items */
  append(items) {
    for (const item of items) this.items.push(item);
    this.redraw();
  }

  /** Adds newer items; what is in sight stays where it is, unless the top is. @param {Item[]} items @param {number} most */
  prepend(items, most) {
    if (!items.length) return;
    const atTop = this.isAtTop();
    this.items = items.concat(this.items);
    this.items.length = Math.min(this.items.length, most);
    for (const opened of this.opened.values()) opened.index += items.length;
    if (this.current >= 0) this.current += items.length;
    if (!atTop) {
      this.resize();
      this.scroller.scrollTop += items.length * ROW_PX;
    }
    this.redraw();
  }

  isAtTop() {
    return this.scroller.scrollTop < ROW_PX && this.opened.size === 0;
  }

  /** Draws what is in sight, in the next frame. */
  redraw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.drawNow();
    });
  }

  /** The place of an item's upper edge. @param {number} index */
  top(index) {
    let top = index * ROW_PX;
    for (const opened of this.opened.values()) if (opened.index < index) top += opened.height;
    return top;
  }

  /** The item at a place. @param {number} px */
  indexAt(px) {
    const opened = [...this.opened.values()].sort((a, b) => a.index - b.index);
    let above = 0;
    for (const one of opened) {
      const bottom = (one.index + 1) * ROW_PX + above + one.height;
      if (px < bottom) break;
      above += one.height;
    }
    const index = Math.floor((px - above) / ROW_PX);
    const within = opened.find(
      (one) =>
        one.index < index && px < (one.index + 1) * ROW_PX + above + one.height && px >= one.index * ROW_PX + above,
    );
    return Math.max(0, within ? within.index : index);
  }

  resize() {
    this.space.style.height = `${this.top(this.items.length)}px`;
  }

  drawNow() {
    this.resize();
    const { scrollTop, clientHeight } = this.scroller;
    const first = Math.max(0, this.indexAt(scrollTop) - MARGIN);
    const last = Math.min(this.items.length, this.indexAt(scrollTop + clientHeight) + MARGIN + 1);
    const wanted = new Set();
    for (let index = first; index < last; index += 1) {
      const item = this.items[index];
      if (!item) continue;
      wanted.add(item.id);
      let element = this.drawn.get(item.id);
      if (!element) {
        element = this.makeEntry(item);
        this.drawn.set(item.id, element);
        this.space.append(element);
      }
      const place = `translateY(${this.top(index)}px)`;
      if (element.style.transform !== place) element.style.transform = place;
      element.setAttribute("aria-posinset", String(index + 1));
      element.dataset.index = String(index);
    }
    for (const [id, element] of this.drawn) {
      // What has the focus keeps it, out of sight.
      if (wanted.has(id) || element.contains(document.activeElement)) continue;
      element.remove();
      this.drawn.delete(id);
    }
    if (this.items.length && last >= this.items.length - 60) this.onEnd();
  }

  /** @param {Item} item */
  makeEntry(item) {
    const opened = this.opened.get(item.id);
    const row = this.draw(item, Boolean(opened));
    const entry = el(
      "div",
      {
        class: opened ? "entry open" : "entry",
        role: "listitem",
        "aria-setsize": "-1",
      },
      row,
    );
    row.addEventListener("click", () => {
      this.current = Number(entry.dataset.index);
      this.toggle(this.current);
    });
    row.addEventListener("focus", () => {
      this.current = Number(entry.dataset.index);
    });
    if (opened) entry.append(opened.detail);
    return entry;
  }

  /** Opens or closes an item. @param {number} index */
  toggle(index) {
    const item = this.items[index];
    if (!item) return;
    const entry = this.drawn.get(item.id);
    const opened = this.opened.get(item.id);
    if (opened) {
      this.sizes.unobserve(opened.detail);
      opened.detail.remove();
      this.opened.delete(item.id);
    } else {
      const detail = this.drawDetail(item);
      this.opened.set(item.id, { index, detail, height: 0 });
      entry?.append(detail);
      this.sizes.observe(detail);
    }
    entry?.classList.toggle("open", !opened);
    entry?.querySelector(".row")?.setAttribute("aria-expanded", String(!opened));
    this.redraw();
  }

  closeAll() {
    for (const opened of [...this.opened.values()]) this.toggle(opened.index);
  }

  /** @param {ResizeObserverEntry[]} entries */
  measure(entries) {
    for (const entry of entries) {
      for (const opened of this.opened.values()) {
        if (opened.detail === entry.target && opened.detail.isConnected) opened.height = opened.detail.offsetHeight;
      }
    }
    this.redraw();
  }

  /** Moves the focus by some rows. @param {number} by */
  move(by) {
    if (!this.items.length) return;
    const seen = Math.ceil(this.scroller.scrollTop / ROW_PX);
    const from = this.current < 0 ? seen - (by > 0 ? 1 : 0) : this.current;
    this.current = Math.min(this.items.length - 1, Math.max(0, from + by));
    const top = this.top(this.current);
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + ROW_PX > scrollTop + clientHeight) this.scroller.scrollTop = top + ROW_PX - clientHeight;
    this.drawNow();
    const item = this.items[this.current];
    const row = item && this.drawn.get(item.id)?.querySelector(".row");
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
  }

  /** The item that has the focus, or had it last. */
  get currentItem() {
    return this.items[this.current];
  }
}
