// The most frequent values of what records have in common, with a way to include and exclude each.

import { el, fill } from "./dom.js";
import { count, oneLine, short } from "./text.js";

/** @typedef {import("./histogram.js").Counts} Counts */

const FACETS = [
  ["level", "Level"],
  ["worker", "Worker"],
  ["status", "Status"],
  ["kind", "Kind"],
];

export class Facets {
  /** @param {(field: string, value: string, not: boolean) => void} onChoose @param {() => void} onRefresh */
  constructor(onChoose, onRefresh) {
    this.onChoose = onChoose;
    this.onRefresh = onRefresh;
    this.element = el("aside", {
      class: "facets",
      "aria-label": "Facets",
      tabindex: "0",
    });
  }

  /** @param {Counts | null} counts */
  show(counts) {
    if (!counts) {
      fill(this.element, el("p", { class: "share" }, "Counting begins when the first rows are there."));
      return;
    }
    const percent = Math.floor(counts.counted_per_mille / 10);
    const share = counts.done
      ? `${count(counts.total)} ${counts.total === 1 ? "record" : "records"} in this window.`
      : `${count(counts.total)} records so far: ${percent} % of the window is counted, newest first.`;
    const again =
      counts.done &&
      el(
        "button",
        {
          class: "button small plain",
          title: "Count again what was counted before",
          onclick: this.onRefresh,
        },
        "Count again",
      );
    const sections = FACETS.flatMap(([field, title]) => {
      const values = counts.facets[/** @type {string} */ (field)] ?? [];
      if (!values.length) return [];
      const most = Math.max(...values.map(([, number]) => number));
      return [
        el("h2", {}, title),
        el(
          "ul",
          {},
          ...values.map(([value, number]) => this.value(/** @type {string} */ (field), value, number, most)),
        ),
      ];
    });
    fill(this.element, el("p", { class: "share" }, share, " ", again), ...sections);
  }

  /** @param {string} field @param {string} value @param {number} number @param {number} most */
  value(field, value, number, most) {
    const bar = el("span", { class: "fill" });
    bar.style.width = `${(number / most) * 100}%`;
    const name = el(
      "span",
      {
        class: field === "level" ? `name level ${value}` : "name",
        title: oneLine(value),
      },
      oneLine(value),
    );
    const sign = (/** @type {boolean} */ not) =>
      el(
        "button",
        {
          class: "sign",
          title: `${not ? "Exclude" : "Only"} ${field} ${oneLine(value)}`,
          "aria-label": `${not ? "Exclude" : "Include only"} ${field} ${oneLine(value)}`,
          onclick: () => this.onChoose(field, value, not),
        },
        not ? "−" : "+",
      );
    return el(
      "li",
      { class: "facet" },
      bar,
      name,
      el("span", { class: "count", title: count(number) }, short(number)),
      el("span", { class: "signs" }, sign(false), sign(true)),
    );
  }
}
