// Pipeline: what `tailrace status` says, asked again while the page is seen.

import { getJson, wasAborted } from "./api.js";
import { copy, el, failure, fill, say, state } from "./dom.js";
import { moment, visible } from "./text.js";

/**
 * @typedef {{ text: string, runbook: string, section: string | null }} Finding
 * @typedef {{ part: string, state: string, text: string | null, unknown: string | null, red: Finding[], replay: boolean }} Part
 * @typedef {{ at: string, state: string, parts: Part[] }} Status
 */

const AGAIN_MS = 30_000;

/** @type {Record<string, string>} */
const TITLES = {
  queue: "Queue",
  "dead-letters": "Dead letters",
  database: "Database",
  rows: "Rows",
  fallback: "KV fallback",
  archive: "Archive",
  workers: "Workers",
};

const REPLAY = "tailrace replay --dry-run";

/** @type {Record<string, string>} */
const WORDS = {
  ok: "well",
  off: "not in use",
  not_visible_locally: "not visible locally",
  unknown: "unknown",
  red: "red",
};

export class Pipeline {
  constructor() {
    this.question = new AbortController();
    this.timer = 0;
    this.isShown = false;
    this.element = el("div", { class: "view pipeline", id: "pipeline" });
    document.addEventListener("visibilitychange", () => {
      if (this.isShown && !document.hidden) void this.load();
    });
  }

  show() {
    if (this.isShown) return;
    this.isShown = true;
    fill(this.element, state("Looking at the pipeline …"));
    void this.load();
  }

  hide() {
    this.isShown = false;
    clearTimeout(this.timer);
    this.question.abort();
  }

  async load() {
    clearTimeout(this.timer);
    this.question.abort();
    this.question = new AbortController();
    try {
      this.draw(await getJson("/api/pipeline", {}, this.question.signal));
    } catch (error) {
      if (wasAborted(error)) return;
      fill(
        this.element,
        failure(error, () => void this.load()),
      );
    }
    this.timer = setTimeout(() => {
      if (this.isShown && !document.hidden) void this.load();
    }, AGAIN_MS);
  }

  /** @param {Status} status */
  draw(status) {
    const red = status.parts.reduce((all, part) => all + part.red.length, 0);
    const heads = {
      red: red === 1 ? "One thing is red" : `${red} things are red`,
      unknown: "Not everything could be looked at",
    };
    const head = heads[/** @type {"red"} */ (status.state)] ?? "The pipeline is well";
    fill(
      this.element,
      el(
        "div",
        { class: `verdict ${status.state}` },
        el("h1", {}, head),
        el("span", {}, `as of ${moment(Date.parse(status.at)).slice(0, 19)}, looked at every 30 seconds`),
        el("button", { class: "button small", onclick: () => void this.load() }, "Look now"),
      ),
      el("div", { class: "parts" }, ...status.parts.map(drawPart)),
    );
    say(head);
  }

  /** @returns {import("./keys.js").Key[]} */
  keys() {
    return [{ key: "r", what: "look again", run: () => void this.load() }];
  }
}

/** @param {Part} part */
function drawPart(part) {
  const title = TITLES[part.part] ?? part.part;
  return el(
    "section",
    { class: `part-card ${part.state}`, "aria-label": title },
    el("h2", {}, title, el("span", { class: `badge ${part.state}` }, WORDS[part.state] ?? part.state)),
    part.text && el("p", {}, visible(part.text)),
    part.unknown && el("p", { class: "unknown" }, visible(part.unknown)),
    ...part.red.map((finding) =>
      el(
        "div",
        { class: "finding" },
        el("strong", {}, visible(finding.text)),
        finding.section
          ? el("details", {}, el("summary", {}, "Runbook"), el("pre", { tabindex: "0" }, finding.section))
          : el("p", {}, finding.runbook),
      ),
    ),
    part.replay &&
      el(
        "p",
        { class: "command" },
        el("code", {}, REPLAY),
        el("button", { class: "button small", onclick: () => void copy(REPLAY, "Command") }, "Copy"),
      ),
  );
}
