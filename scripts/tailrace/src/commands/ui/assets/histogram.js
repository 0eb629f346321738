// Records over time, by level. Dragging zooms in; a click takes one bar; Back zooms out.

import { el, fill, svg } from "./dom.js";
import { count, duration, moment, tick, zoneShift } from "./text.js";

/**
 * @typedef {object} Counts
 * @property {number} from_ms
 * @property {number} to_ms
 * @property {number} width_ms
 * @property {number} total
 * @property {number} counted_per_mille
 * @property {boolean} done
 * @property {[number, number, number, number, number][]} bars
 * @property {Record<string, [string, number][]>} facets
 */

const LEVELS = ["debug", "info", "warn", "error"];
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];

/** Distances of the times on the axis: round ones, that a person counts in. */
const STEPS = [
  ...[1, 2, 5, 10, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 30].map((count) => count * MINUTE),
  ...[1, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30, 90].map((count) => count * DAY),
];
const TICK_PX = 96;
const BOTTOM_PX = 16;
const TOP_PX = 8;

export class Histogram {
  /** @param {(fromMs: number, toMs: number) => void} onZoom */
  constructor(onZoom) {
    this.onZoom = onZoom;
    /** @type {Counts | null} */
    this.counts = null;
    this.tip = el("div", { class: "tip", hidden: true });
    this.canvas = svg("svg", {
      role: "img",
      "aria-label": "Records over time",
    });
    this.element = el("div", { class: "histogram" }, this.canvas, this.tip);
    /** @type {number | null} */
    this.start = null;
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", (event) => this.release(event));
    this.canvas.addEventListener("pointercancel", () => this.cancel());
    this.canvas.addEventListener("pointerleave", () => {
      if (this.start === null) this.cancel();
    });
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** @param {Counts | null} counts */
  show(counts) {
    this.counts = counts;
    this.draw();
  }

  draw() {
    const { counts } = this;
    const width = this.element.clientWidth;
    const height = this.element.clientHeight;
    fill(this.canvas);
    if (!counts || !width) return;
    this.canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const room = height - BOTTOM_PX - TOP_PX;
    const most = counts.bars.reduce((most, [, ...levels]) => Math.max(most, sum(levels)), 0);
    this.drawAxis(counts, width, height, most);
    const bar = Math.max(1, (counts.width_ms / (counts.to_ms - counts.from_ms)) * width);
    for (const [start, ...levels] of counts.bars) {
      const x = this.toPx(Math.max(start, counts.from_ms - counts.width_ms), width);
      if (x > width || x + bar < 0) continue;
      let y = height - BOTTOM_PX;
      // What went wrong stands at the bottom, and is never too small to be seen.
      for (const level of [3, 2, 1, 0]) {
        const number = levels[level] ?? 0;
        if (!number) continue;
        const tall = Math.max(level > 1 ? 3 : 1, (number / most) * room);
        y -= tall;
        this.canvas.append(
          svg("rect", {
            class: LEVELS[level],
            x,
            y,
            width: Math.max(1, bar - 1),
            height: tall,
          }),
        );
      }
    }
    this.selection = svg("rect", {
      class: "selection",
      y: 0,
      height,
      width: 0,
    });
    this.hot = svg("rect", { class: "hot", y: 0, height, width: 0 });
    this.canvas.append(this.hot, this.selection);
    const problems = counts.bars.reduce((all, bar) => all + bar[4], 0);
    this.canvas.setAttribute(
      "aria-label",
      `${count(counts.total)} records from ${moment(counts.from_ms)} to ${moment(counts.to_ms)}, ${count(problems)} of them errors`,
    );
  }

  /** @param {Counts} counts @param {number} width @param {number} height @param {number} most */
  drawAxis(counts, width, height, most) {
    const span = counts.to_ms - counts.from_ms;
    const bottom = height - BOTTOM_PX;
    this.canvas.append(svg("line", { class: "grid", x1: 0, x2: width, y1: bottom, y2: bottom }));
    const step = STEPS.find((step) => (step / span) * width >= TICK_PX) ?? STEPS.at(-1) ?? span;
    const shift = zoneShift(counts.from_ms);
    for (let ms = Math.ceil((counts.from_ms + shift) / step) * step - shift; ms < counts.to_ms; ms += step) {
      const x = this.toPx(ms, width);
      if (x < 24 || x > width - 24) continue;
      this.canvas.append(
        svg("line", { class: "grid", x1: x, x2: x, y1: TOP_PX, y2: bottom }),
        svg("text", { x, y: height - 4, "text-anchor": "middle" }, tick(ms, span)),
      );
    }
    if (most) this.canvas.append(svg("text", { x: 6, y: 13 }, `${count(most)} / ${duration(counts.width_ms)}`));
  }

  /** @param {number} ms @param {number} width */
  toPx(ms, width) {
    const { from_ms: from, to_ms: to } = /** @type {Counts} */ (this.counts);
    return ((ms - from) / (to - from)) * width;
  }

  /** The time below the pointer. @param {PointerEvent} event */
  at(event) {
    const { counts } = this;
    const box = this.element.getBoundingClientRect();
    if (!counts || !box.width) return null;
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return counts.from_ms + part * (counts.to_ms - counts.from_ms);
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    this.start = this.at(event);
    this.canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const ms = this.at(event);
    const { counts } = this;
    if (ms === null || !counts) return;
    const width = this.element.clientWidth;
    const bucket = Math.floor(ms / counts.width_ms) * counts.width_ms;
    place(this.hot, this.toPx(bucket, width), this.toPx(bucket + counts.width_ms, width));
    const bar = counts.bars.find(([start]) => start === bucket);
    const levels = bar
      ? LEVELS.map((name, index) => /** @type {const} */ ([name, bar[index + 1] ?? 0])).filter(([, number]) => number)
      : [];
    let text = [moment(bucket).slice(0, 19), ...levels.map(([name, number]) => `${count(number)} ${name}`)].join(
      "  ·  ",
    );
    if (this.start !== null) {
      place(this.selection, this.toPx(Math.min(this.start, ms), width), this.toPx(Math.max(this.start, ms), width));
      text = `${moment(Math.min(this.start, ms)).slice(0, 19)}  +${duration(Math.abs(ms - this.start))}`;
    }
    this.tip.textContent = text;
    this.tip.hidden = false;
    const x = this.toPx(ms, width);
    const left = Math.min(Math.max(4, x + 12), width - this.tip.offsetWidth - 4);
    this.tip.style.left = `${x + 12 + this.tip.offsetWidth > width ? Math.max(4, x - this.tip.offsetWidth - 12) : left}px`;
  }

  /** @param {PointerEvent} event */
  release(event) {
    const from = this.start;
    const to = this.at(event);
    const { counts } = this;
    this.start = null;
    this.cancel();
    if (from === null || to === null || !counts) return;
    if (Math.abs(this.toPx(to, this.element.clientWidth) - this.toPx(from, this.element.clientWidth)) < 5) {
      const bucket = Math.floor(to / counts.width_ms) * counts.width_ms;
      this.onZoom(bucket, bucket + counts.width_ms);
    } else {
      this.onZoom(Math.floor(Math.min(from, to)), Math.ceil(Math.max(from, to)));
    }
  }

  cancel() {
    this.start = null;
    this.tip.hidden = true;
    place(this.hot, 0, 0);
    place(this.selection, 0, 0);
  }
}

/** @param {SVGElement | undefined} rect @param {number} from @param {number} to */
function place(rect, from, to) {
  rect?.setAttribute("x", String(from));
  rect?.setAttribute("width", String(Math.max(0, to - from)));
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}
