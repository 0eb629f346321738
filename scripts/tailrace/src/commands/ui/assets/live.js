// New rows as they arrive: one stream while the page is seen and not paused.

import { url } from "./api.js";

/** @typedef {import("./record.js").Item} Item */
/** @typedef {{ onRows: (rows: Item[]) => void, onFailure: (failure: { error: string, hint: string | null } | null) => void, onBehind: () => void, onReady: () => void }} Listener */

export class Live {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {EventSource | null} */
    this.source = null;
    this.query = "";
    this.wanted = false;
    this.paused = false;
    document.addEventListener("visibilitychange", () => this.update());
  }

  /** Follows a query, or none. @param {string | null} query */
  follow(query) {
    const changed = query !== null && query !== this.query;
    this.wanted = query !== null;
    this.query = query ?? "";
    if (changed) this.close();
    this.update();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.update();
  }

  get isOpen() {
    return this.source !== null;
  }

  update() {
    const open = this.wanted && !this.paused && !document.hidden;
    if (!open) this.close();
    else if (!this.source) this.open();
  }

  open() {
    const source = new EventSource(url("/api/live", { q: this.query }));
    this.source = source;
    let ready = false;
    source.onmessage = (event) => {
      const found = JSON.parse(event.data);
      if (typeof found.error === "string") {
        this.listener.onFailure(found);
        return;
      }
      this.listener.onFailure(null);
      if (found.behind || !ready) {
        // What was stored while nobody looked is asked for.
        ready = true;
        if (found.behind) this.listener.onBehind();
        else this.listener.onReady();
      }
      if (found.rows?.length) this.listener.onRows(found.rows);
    };
    source.onerror = () => {
      ready = false;
      this.listener.onFailure({
        error: "the server does not answer",
        hint: "the page tries again by itself; is `tailrace ui` still running?",
      });
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.source = null;
        setTimeout(() => this.update(), 3000);
      }
    };
  }

  close() {
    this.source?.close();
    this.source = null;
  }
}
