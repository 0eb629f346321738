// New rows as they arrive: one stream while the page is seen and not paused. It is a WebSocket: of other streams, a browser
// has six at most to one server.

import { url } from "./api.js";

/** The time after which a stream that was lost is tried again. */
const AGAIN_MS = 3000;

/** @typedef {import("./record.js").Item} Item */
/** @typedef {{ onRows: (rows: Item[]) => void, onFailure: (failure: { error: string, hint: string | null } | null) => void, onBehind: () => void, onReady: () => void }} Listener */

export class Live {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {WebSocket | null} */
    this.socket = null;
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
    return this.socket !== null;
  }

  update() {
    const open = this.wanted && !this.paused && !document.hidden;
    if (!open) this.close();
    else if (!this.socket) this.open();
  }

  open() {
    const address = new URL(url("/api/live", { q: this.query }), location.href);
    address.protocol = "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    let ready = false;
    socket.onmessage = (event) => {
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
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.listener.onFailure({
        error: "the server does not answer",
        hint: "the page tries again by itself; is `tailrace ui` still running?",
      });
      setTimeout(() => this.update(), AGAIN_MS);
    };
  }

  close() {
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    // What is on its way is not shown any more.
    socket.onmessage = null;
    // A browser reports it as an error where one is closed while it connects.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket.close();
  }
}
