// Workers: what each one did in a window, beside the window before. The figures are those of `tailrace stats`.

import { go, link, read } from "./address.js";
import { getLines, wasAborted } from "./api.js";
import { el, failure, fill, say, state, svg } from "./dom.js";
import { Picker } from "./picker.js";
import { count, duration, moment, oneLine, short } from "./text.js";

/**
 * @typedef {{ count: number, p50: number | null, p95: number | null, p99: number | null }} Percentiles
 * @typedef {object} Worker
 * @property {string} worker_name
 * @property {number} invocations
 * @property {number} errors
 * @property {number | null} error_rate
 * @property {Percentiles} latency_ms
 * @property {Percentiles} cpu_time_ms
 * @property {Record<string, number>} records
 * @typedef {object} Exception
 * @property {string} fingerprint
 * @property {string} name
 * @property {string} message
 * @property {string} frame
 * @property {number} count
 * @property {string[]} workers
 * @property {string} first_seen
 * @property {string} last_seen
 * @property {string} trace
 * @typedef {{ workers: Worker[], exceptions: Exception[] }} Report
 * @typedef {object} Measured
 * @property {number} from_ms
 * @property {number} to_ms
 * @property {number} width_ms
 * @property {number} measured_per_mille
 * @property {boolean} done
 * @property {Report} report
 * @property {Report | null} before the window before, where it lies within what is kept
 * @property {Record<string, [number, number, number][]>} series start, invocations and failed ones, by Worker
 */

const CHART = { width: 132, height: 30 };

export class Workers {
  constructor() {
    this.question = new AbortController();
    this.picker = new Picker((since, until) => go({ since, until, live: false }));
    this.summary = el("span", { class: "share" });
    this.place = el("div", { class: "workers" });
    const again = el("button", { class: "button", onclick: () => void this.load() }, "Measure again");
    this.element = el(
      "div",
      { class: "view", id: "workers" },
      el("div", { class: "bar" }, this.picker.element, again, this.summary),
      this.place,
    );
    this.asked = "";
  }

  show() {
    const address = read();
    this.picker.show(address);
    const asked = JSON.stringify([address.since, address.until]);
    if (asked === this.asked) return;
    this.asked = asked;
    fill(this.place, state("Measuring …", el("p", {}, "D1 counts in short slices of time, the newest first.")));
    void this.load();
  }

  hide() {
    this.question.abort();
    this.asked = "";
  }

  async load() {
    this.question.abort();
    this.question = new AbortController();
    const { since, until } = read();
    try {
      for await (const measured of getLines("/api/workers", { since, until }, this.question.signal))
        this.draw(measured);
    } catch (error) {
      if (!wasAborted(error))
        fill(
          this.place,
          failure(error, () => void this.load()),
        );
    }
  }

  /** @param {Measured} measured */
  draw(measured) {
    const { report } = measured;
    const share = measured.done ? "" : ` · ${Math.floor(measured.measured_per_mille / 10)} % is measured`;
    const window = `${moment(measured.from_ms).slice(0, 19)} – ${moment(measured.to_ms).slice(0, 19)}`;
    this.summary.textContent = `${window}${share}${measured.before ? " · small: the window before" : ""}`;
    if (!report.workers.length) {
      if (measured.done) fill(this.place, state("No records in this window", el("p", {}, "Widen the window.")));
      return;
    }
    const busiest = [...report.workers].sort((a, b) => b.invocations - a.invocations);
    const most = Math.max(1, ...busiest.map((worker) => total(worker.records)));
    fill(
      this.place,
      table(
        [
          "Worker",
          "Over time",
          "Invocations",
          "Failed",
          "Latency p50",
          "p95",
          "p99",
          "CPU p50",
          "p95",
          "p99",
          "Records by level",
        ],
        busiest.map((worker) => row(worker, measured, most)),
        "Workers",
      ),
      el("h2", {}, "Exceptions"),
      report.exceptions.length
        ? table(
            ["Times", "Exception", "Workers", "First seen", "Last seen", ""],
            report.exceptions.map((one) => exception(one, measured)),
            "Exceptions",
          )
        : el("p", { class: "none" }, measured.done ? "None in this window." : "None so far."),
    );
    if (measured.done) say(`${report.workers.length} Workers`);
  }

  /** @returns {import("./keys.js").Key[]} */
  keys() {
    return [{ key: "r", what: "measure again", run: () => void this.load() }];
  }
}

/** @param {string[]} heads @param {HTMLElement[]} rows @param {string} label */
function table(heads, rows, label) {
  return el(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": label },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...heads.map((head) => el("th", { scope: "col" }, head || el("span", { class: "unseen" }, "Open"))),
        ),
      ),
      el("tbody", {}, ...rows),
    ),
  );
}

/** @param {Worker} worker @param {Measured} measured @param {number} most */
function row(worker, measured, most) {
  const before = measured.before?.workers.find((one) => one.worker_name === worker.worker_name);
  const own = `worker:${quoted(worker.worker_name)}`;
  const logs = (/** @type {string} */ more) =>
    link({
      view: "logs",
      q: `${own} ${more}`.trim(),
      since: String(measured.from_ms),
      until: String(measured.to_ms),
      live: false,
    });
  const invocations = "kind:invocation";
  const at = (/** @type {number | null} */ ms) => (ms === null ? logs(invocations) : logs(`${invocations} ms>=${ms}`));
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("a", { href: logs("") }, oneLine(worker.worker_name))),
    el("td", {}, chart(measured.series[worker.worker_name] ?? [], measured)),
    figure(count(worker.invocations), logs(invocations), before && count(before.invocations)),
    figure(
      percent(worker.error_rate),
      logs(`${invocations} level:error`),
      before && percent(before.error_rate),
      worker.errors > 0,
    ),
    ...[worker.latency_ms.p50, worker.latency_ms.p95, worker.latency_ms.p99].map((ms, index) =>
      figure(
        shown(ms),
        at(ms),
        before && shown([before.latency_ms.p50, before.latency_ms.p95, before.latency_ms.p99][index] ?? null),
      ),
    ),
    ...[worker.cpu_time_ms.p50, worker.cpu_time_ms.p95, worker.cpu_time_ms.p99].map((ms, index) =>
      figure(
        shown(ms),
        logs(invocations),
        before && shown([before.cpu_time_ms.p50, before.cpu_time_ms.p95, before.cpu_time_ms.p99][index] ?? null),
      ),
    ),
    el("td", { class: "levels" }, levels(worker.records, most, logs)),
  );
}

/** @param {string} value @param {string} href @param {string | null | undefined} before @param {boolean} [isBad] */
function figure(value, href, before, isBad = false) {
  const was =
    before !== null &&
    before !== undefined &&
    el("span", { class: "was", title: `${before} in the window before` }, before);
  return el("td", { class: "figure" }, el("a", { href, class: isBad ? "bad" : null }, value), was);
}

/** @param {Record<string, number>} records @param {number} most @param {(more: string) => string} logs */
function levels(records, most, logs) {
  const bar = el("div", { class: "stacked" });
  bar.style.width = `${Math.max(4, (total(records) / most) * 100)}%`;
  const texts = [];
  for (const level of ["error", "warn", "info", "debug"]) {
    const number = records[level] ?? 0;
    if (!number) continue;
    const part = el("span", { class: `part ${level}` });
    part.style.flexGrow = String(number);
    bar.append(part);
    texts.push(el("a", { class: `level ${level}`, href: logs(`level:${level}`) }, `${short(number)} ${level}`));
  }
  return el("div", {}, bar, el("div", { class: "texts" }, ...texts));
}

/** Invocations over time, the failed ones in red. @param {[number, number, number][]} series @param {Measured} measured */
function chart(series, measured) {
  const most = Math.max(1, ...series.map(([, all]) => all));
  const span = measured.to_ms - measured.from_ms;
  const width = Math.max(1.5, (measured.width_ms / span) * CHART.width);
  const bars = series.flatMap(([start, all, failed]) => {
    const x = ((start - measured.from_ms) / span) * CHART.width;
    const rect = (/** @type {string} */ kind, /** @type {number} */ number, /** @type {number} */ least) => {
      const height = Math.max(least, (number / most) * CHART.height);
      return svg("rect", { class: kind, x, y: CHART.height - height, width: Math.max(1, width - 0.5), height });
    };
    return [rect("all", all, 1), failed ? rect("failed", failed, 2) : null];
  });
  return svg(
    "svg",
    {
      class: "chart",
      role: "img",
      viewBox: `0 0 ${CHART.width} ${CHART.height}`,
      "aria-label": `at most ${count(most)} invocations in ${duration(measured.width_ms)}`,
    },
    ...bars,
  );
}

/** @param {Exception} one @param {Measured} measured */
function exception(one, measured) {
  const workers = one.workers.map((name) => quoted(name)).join(",");
  const logs = link({
    view: "logs",
    q: `kind:exception worker:${workers}`,
    since: String(measured.from_ms),
    until: String(measured.to_ms),
    live: false,
  });
  return el(
    "tr",
    {},
    figure(count(one.count), logs, null),
    el(
      "td",
      { class: "what" },
      el("b", {}, oneLine(one.name)),
      " ",
      oneLine(one.message),
      one.frame && el("code", {}, oneLine(one.frame)),
    ),
    el("td", {}, one.workers.map(oneLine).join(", ")),
    el("td", { class: "time" }, moment(Date.parse(one.first_seen)).slice(0, 19)),
    el("td", { class: "time" }, moment(Date.parse(one.last_seen)).slice(0, 19)),
    el(
      "td",
      {},
      one.trace && el("a", { class: "button small", href: link({ view: "trace", id: one.trace }) }, "Last trace"),
    ),
  );
}

/** @param {string} value */
function quoted(value) {
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** @param {number | null} rate */
function percent(rate) {
  return rate === null ? "–" : `${(rate * 100).toFixed(rate > 0 && rate < 0.1 ? 1 : 0)} %`;
}

/** @param {number | null} ms */
function shown(ms) {
  return ms === null ? "–" : duration(ms);
}

/** @param {Record<string, number>} records */
function total(records) {
  return Object.values(records).reduce((all, number) => all + number, 0);
}
