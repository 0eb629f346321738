// Measures the page on the bench's database of a week: `node week.mjs PHASE` prints one line of JSON for each value.
// `cargo xtask bench --only week` runs it.

import { given, launch, open } from "./page.mjs";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const NOWHERE = '"nobody ever logged this"';

const [from, to, rounds] = [Number(given("FROM_MS")), Number(given("TO_MS")), Number(given("ROUNDS"))];

/** @param {string} what @param {number} value */
function print(what, value) {
  console.log(JSON.stringify({ what, value }));
}

/** Has Enter start a clock that stops when `selector` is painted and nothing is stale. @param {import("puppeteer-core").Page} page @param {string} selector */
async function startClock(page, selector) {
  await page.evaluate((selector) => {
    const clock = /** @type {any} */ (globalThis);
    clock.painted = new Promise((resolve) => {
      const press = (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Enter") return;
        removeEventListener("keydown", press, true);
        const look = () => {
          const isThere = document.querySelector(selector) && !document.querySelector(".list.stale");
          // A task behind the frame that shows it runs once that frame is painted.
          if (isThere) setTimeout(() => resolve(performance.now() - event.timeStamp));
          else requestAnimationFrame(look);
        };
        // What the key itself starts comes first.
        setTimeout(() => requestAnimationFrame(look));
      };
      addEventListener("keydown", press, true);
    });
  }, selector);
}

/** Types into a field, presses Enter, and waits for the paint. @param {import("puppeteer-core").Page} page @param {string} field @param {string} text @param {string} selector */
async function enter(page, field, text, selector) {
  await page.$eval(
    field,
    (input, text) => {
      const found = /** @type {HTMLInputElement} */ (input);
      found.focus();
      found.value = text;
    },
    text,
  );
  await startClock(page, selector);
  await page.keyboard.press("Enter");
  return Number(await page.evaluate(() => /** @type {any} */ (globalThis).painted));
}

/** Goes to an address of the page without loading it anew; returns after how long `until` holds. @param {import("puppeteer-core").Page} page @param {string} path @param {string} selector @param {string} text */
async function goUntil(page, path, selector, text) {
  return Number(
    await page.evaluate(
      async (path, selector, text) => {
        const started = performance.now();
        history.pushState(null, "", path);
        dispatchEvent(new PopStateEvent("popstate"));
        const before = document.querySelector(selector);
        for (;;) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          const found = document.querySelector(selector);
          if (found !== before && found?.textContent?.includes(text)) return performance.now() - started;
        }
      },
      path,
      selector,
      text,
    ),
  );
}

/** Notes each task over 50 ms, and what moves. @param {import("puppeteer-core").Page} page */
async function watchFrames(page) {
  await page.evaluate(() => {
    const seen = /** @type {any} */ (globalThis);
    seen.tasks = [];
    seen.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.tasks.push({ at: entry.startTime, ms: entry.duration });
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.shift += /** @type {any} */ (entry).value;
    }).observe({ type: "layout-shift" });
  });
}

/** The longest task of each second, 50 where none was longer. @param {import("puppeteer-core").Page} page @param {string} what @param {number} started @param {number} seconds */
async function printTasks(page, what, started, seconds) {
  const { tasks, shift } = await page.evaluate(() => {
    const { tasks, shift } = /** @type {any} */ (globalThis);
    return { tasks, shift };
  });
  for (let second = 0; second < seconds; second += 1) {
    const begin = started + second * 1000;
    const own = tasks.filter((/** @type {any} */ one) => one.at >= begin && one.at < begin + 1000);
    print(`${what}, task`, Math.max(50, ...own.map((/** @type {any} */ one) => one.ms)));
  }
  print(`${what}, shift`, shift);
}

/** @type {Record<string, (page: import("puppeteer-core").Page) => Promise<void>>} */
const PHASES = {
  // Each search begins while the one before is still counted.
  async searches(page) {
    const ids = JSON.parse(given("IDS"));
    await page.goto(new URL(`/?since=${from}&until=${to}`, page.url()).href);
    await page.waitForSelector(".facet");
    for (let round = 0; round < rounds; round += 1) {
      for (const [what, q] of [
        ["one Worker's", "worker:orders-api"],
        ["errors", "level:error"],
        ["the latest", ""],
      ]) {
        print(`rows, ${what}`, await enter(page, "#query", /** @type {string} */ (q), ".list .row"));
        await page.waitForFunction(() => /so far/.test(document.querySelector(".facets .share")?.textContent ?? ""));
      }
      print("rows, a trace", await enter(page, "#find-id", ids[round], ".trace-head"));
      await page.goBack();
      await page.waitForFunction(() => /so far/.test(document.querySelector(".facets .share")?.textContent ?? ""));
    }
  },

  async counts(page) {
    for (let round = 0; round < rounds; round += 1) {
      const end = to - round * 8 * HOUR;
      print("counts, an hour", await goUntil(page, `/?since=${end - HOUR}&until=${end}`, ".share", "in this window"));
    }
    for (let round = 0; round < Math.min(rounds, 6); round += 1) {
      // No hour of it was counted with buckets of this length.
      const end = to - round * DAY;
      print("counts, a day", await goUntil(page, `/?since=${end - DAY}&until=${end}`, ".share", "in this window"));
    }
  },

  async text(page) {
    for (let round = 0; round < Math.min(rounds, 6); round += 1) {
      const end = to - round * DAY;
      const path = `/?q=${encodeURIComponent(NOWHERE)}&since=${end - DAY}&until=${end}`;
      await page.goto(new URL("/?since=1m", page.url()).href);
      await page.waitForSelector(".summary");
      print("text, found nowhere in a day", await goUntil(page, path, ".state h2", "No records"));
    }
  },

  // While this counts, the bench inserts.
  async week(page) {
    print("counts, a week", await goUntil(page, `/?since=${from}&until=${to}`, ".share", "in this window"));
  },

  async scrolling(page) {
    await page.goto(new URL(`/?since=${from}&until=${to}`, page.url()).href);
    await page.waitForSelector(".list .row");
    await watchFrames(page);
    const seconds = 60;
    const { started, rows } = await page.evaluate(async (seconds) => {
      const list = /** @type {HTMLElement} */ (document.querySelector(".list"));
      const started = performance.now();
      const whole = 100_000 * 26;
      for (;;) {
        const part = (performance.now() - started) / (seconds * 1000);
        if (part >= 1) break;
        list.scrollTop = Math.min(list.scrollHeight, part * whole);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return { started, rows: list.scrollHeight / 26 };
    }, seconds);
    await printTasks(page, "scrolling", started, seconds);
    print("scrolling, rows", rows);
  },

  // While this follows, the bench inserts a thousand rows a second.
  async live(page) {
    await page.goto(new URL("/?live=1", page.url()).href);
    await page.waitForSelector(".list .row", { timeout: 60_000 });
    await watchFrames(page);
    const seconds = 60;
    const started = await page.evaluate(() => performance.now());
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await printTasks(page, "live", started, seconds);
    const shown = await page.$eval(".space", (space) => space.getBoundingClientRect().height / 26);
    print("live, rows", shown);
  },
};

const phase = PHASES[process.argv[2] ?? ""];
if (!phase) throw new Error(`one of ${Object.keys(PHASES).join(", ")}`);
const { browser, close } = await launch();
try {
  const page = await open(browser);
  page.setDefaultTimeout(300_000);
  await phase(page);
} finally {
  await close();
}
