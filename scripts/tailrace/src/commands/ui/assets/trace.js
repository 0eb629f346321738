// A trace: what one request caused across Workers, on one time axis.

import { go, goTo, link, logsLink, read } from "./address.js";
import { getJson, wasAborted } from "./api.js";
import { copy, el, failure, fill, say, state } from "./dom.js";
import { count, duration, moment, oneLine } from "./text.js";
import { drawInvocation, fact, ticks } from "./waterfall.js";

/** @typedef {import("./waterfall.js").Waterfall} Waterfall */

/** A trace is asked for again this often, while its newest record is younger than this. */
const AGAIN_MS = 2000;
const YOUNG_MS = 60_000;

export class Trace {
  constructor() {
    this.element = el("div", { class: "trace", id: "trace" });
    this.id = "";
    this.drawn = "";
    this.question = new AbortController();
    this.timer = 0;
    /** @type {Map<string, boolean>} what somebody opened or closed */
    this.chosen = new Map();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.waits) void this.load();
    });
    this.waits = false;
  }

  show() {
    const { id } = read();
    if (id === this.id && this.element.childElementCount) return;
    this.hide();
    this.id = id;
    this.chosen.clear();
    if (!id) {
      this.showAsking();
      return;
    }
    fill(this.element, state("Looking for the trace …"));
    void this.load();
  }

  hide() {
    clearTimeout(this.timer);
    this.waits = false;
    this.question.abort();
    this.question = new AbortController();
    this.id = "";
    this.drawn = "";
    fill(this.element);
  }

  showAsking() {
    const input = el("input", {
      type: "text",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": "Id of the trace",
      placeholder: "0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10",
    });
    fill(
      this.element,
      state(
        "Which request?",
        el(
          "p",
          {},
          "Paste a correlation id, a request id (the cf-ray header), or the beginning of either: everything that the request caused, across Workers and queues, is shown on one time axis.",
        ),
        el(
          "form",
          {
            class: "asking",
            onsubmit: (/** @type {Event} */ event) => {
              event.preventDefault();
              if (input.value.trim()) go({ view: "trace", id: input.value.trim() });
            },
          },
          input,
          el("button", { class: "button primary" }, "Open"),
        ),
      ),
    );
  }

  async load() {
    const { signal } = this.question;
    const { id } = this;
    this.waits = false;
    try {
      const found = await getJson("/api/trace", { id }, signal);
      if (found.candidates) {
        this.showCandidates(found.candidates);
        return;
      }
      const text = JSON.stringify(found);
      if (text !== this.drawn) this.draw(found);
      this.drawn = text;
      if (Date.now() - found.newest_ms < YOUNG_MS) this.lookAgain();
    } catch (error) {
      if (wasAborted(error)) return;
      if (this.drawn) {
        this.element.prepend(
          failure(error, () => {
            this.drawn = "";
            void this.load();
          }),
        );
        return;
      }
      fill(
        this.element,
        failure(error, () => void this.load()),
      );
    }
  }

  lookAgain() {
    this.timer = setTimeout(() => {
      this.waits = true;
      if (!document.hidden) void this.load();
    }, AGAIN_MS);
  }

  /** @param {{ id: string, timestamp: string, worker: string }[]} candidates */
  showCandidates(candidates) {
    fill(
      this.element,
      state(
        "Several ids begin so",
        el("p", {}, "Choose one, or paste more of the id."),
        el(
          "ul",
          { class: "candidates" },
          ...candidates.map((one) =>
            el(
              "li",
              {},
              el("a", { href: link({ view: "trace", id: one.id }) }, oneLine(one.id)),
              ` ${moment(Date.parse(one.timestamp))} ${oneLine(one.worker)}`,
            ),
          ),
        ),
      ),
    );
  }

  /** @param {Waterfall} trace */
  draw(trace) {
    const scroll = this.element.scrollTop;
    const facts = [
      fact(duration(trace.span_ms), "in all"),
      fact(count(trace.workers), trace.workers === 1 ? "Worker" : "Workers"),
      fact(count(trace.invocations.length), trace.invocations.length === 1 ? "invocation" : "invocations"),
      fact(count(trace.records), trace.records === 1 ? "record" : "records"),
      fact(count(trace.failures), "failed", trace.failures > 0),
    ];
    const others =
      trace.one_request &&
      trace.correlation_ids.length > 0 &&
      el(
        "p",
        {},
        "This is one invocation alone. Across Workers: ",
        ...trace.correlation_ids
          .slice(0, 5)
          .flatMap((id) => [el("a", { href: link({ view: "trace", id }) }, oneLine(id)), " "]),
      );
    fill(
      this.element,
      el(
        "div",
        { class: "trace-head" },
        el("h1", {}, trace.one_request ? "Request " : "Trace ", el("code", {}, oneLine(trace.id))),
        el("span", { class: "fact" }, moment(trace.start_ms)),
        ...facts,
        el(
          "span",
          { class: "actions" },
          el(
            "a",
            {
              class: "button small",
              href: link({
                view: "logs",
                q: `${trace.one_request ? "request_id" : "correlation_id"}:"${trace.id.replace(/[\\"]/g, "\\$&")}"`,
                since: String(trace.start_ms - 60_000),
                until: String(trace.newest_ms + 60_000),
                live: false,
              }),
            },
            "As logs",
          ),
          el(
            "button",
            {
              class: "button small",
              onclick: () => void this.copyCommand(trace.id),
            },
            "Copy command",
          ),
          el(
            "button",
            {
              class: "button small",
              onclick: () => void copy(location.href, "Link"),
            },
            "Copy link",
          ),
        ),
      ),
      others,
      trace.archive.failure &&
        failure({ ...trace.archive.failure, error: `The archive could not be read: ${trace.archive.failure.error}` }),
      trace.archive.left_out &&
        failure(`${trace.archive.left_out} in the archive were not read: the tool reads them with --yes.`),
      trace.archive.expired > 0 &&
        failure(`${count(trace.archive.expired)} of its objects in the archive have expired: lines are missing.`),
      trace.cut && failure(`Only the oldest ${count(trace.records)} records are shown.`),
      el(
        "div",
        { class: "axis", "aria-hidden": "true" },
        el("span", { class: "label" }, "Worker"),
        ticks(trace.span_ms),
      ),
      ...trace.invocations.map((one) => drawInvocation(one, trace, this.chosen)),
    );
    this.element.scrollTop = scroll;
    say(`trace of ${trace.invocations.length} invocations, ${trace.failures} failed`);
  }

  /** @param {string} id */
  async copyCommand(id) {
    const { command } = await getJson("/api/command", { id });
    if (command) await copy(command, "Command");
    else say("this id holds a control character, so it is not offered as a command");
  }

  /** @returns {import("./keys.js").Key[]} */
  keys() {
    const move = (/** @type {number} */ by) => {
      const heads = [...this.element.querySelectorAll(".head")];
      const at = heads.indexOf(/** @type {Element} */ (document.activeElement));
      const next = heads[Math.min(heads.length - 1, Math.max(0, at + by))];
      if (next instanceof HTMLElement) next.focus();
    };
    return [
      {
        key: "/",
        what: "search an id",
        run: () => document.getElementById("find-id")?.focus(),
      },
      { key: "j", what: "next invocation", run: () => move(1) },
      { key: "k", what: "invocation before", run: () => move(-1) },
      {
        key: "Escape",
        shown: "Esc",
        what: "back to the logs",
        typing: true,
        run: () => goTo(logsLink()),
      },
    ];
  }
}
