// Live: new rows as they arrive, in eight tabs, while one scrolls, and after a lost connection.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { askSystem, given, launch, open, problems, search, sees, shoot, texts } from "./page.mjs";

/** @type {Awaited<ReturnType<typeof launch>>} */
let started;
before(async () => {
  started = await launch();
});
after(async () => {
  await started.close();
  assert.deepEqual(problems, []);
});

/** Waits until a row of an id is in the list. @param {import("puppeteer-core").Page} page @param {string} text */
function arrives(page, text) {
  return page.waitForFunction(
    (text) => [...document.querySelectorAll(".row")].some((one) => one.textContent?.includes(text)),
    { timeout: 40_000, polling: 100 },
    text,
  );
}

/** The row a little below the top of the list, once it is drawn. @param {import("puppeteer-core").Page} page */
async function inPlace(page) {
  const handle = await page.waitForFunction(() => {
    const box = document.querySelector(".list")?.getBoundingClientRect();
    const row = box && document.elementFromPoint(box.left + 200, box.top + 200)?.closest(".row");
    return row?.textContent;
  });
  return handle.jsonValue();
}

test("a new row appears at the top and moves nothing", async () => {
  const page = await open(started.browser, "/?live=1");
  await page.waitForSelector(".row");
  await page.waitForSelector(".live-dot.on");
  await page.evaluate(() => {
    const shifts = /** @type {any} */ (globalThis);
    shifts.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifts.shift += /** @type {any} */ (entry).value;
    }).observe({ type: "layout-shift" });
  });
  const before = await texts(page, ".summary");
  await askSystem("/debug/plain", "live-row");
  await page.waitForFunction(
    (before) => document.querySelector(".summary")?.textContent !== before,
    { timeout: 40_000 },
    before[0],
  );
  assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).shift), 0);
  await shoot(page, "live");
  await page.close();
});

test("scrolling pauses, and says how many are new", async () => {
  const page = await open(started.browser, "/?live=1&since=24h");
  await page.waitForSelector(".row");
  await page.evaluate(() => {
    const list = document.querySelector(".list");
    if (list) list.scrollTop = 600;
  });
  const top = await inPlace(page);
  await askSystem("/debug/plain", "live-paused");
  await page.waitForSelector(".pill:not([hidden])", { timeout: 40_000 });
  assert.match((await texts(page, ".pill"))[0] ?? "", /^\d+ new$/);
  assert.equal(await inPlace(page), top);
  await shoot(page, "live-paused");
  await page.click(".pill");
  await page.waitForFunction(() => document.querySelector(".list")?.scrollTop === 0);
  await page.close();
});

test("space pauses, and a hidden tab has no stream", async () => {
  const page = await open(started.browser, "/?live=1");
  await page.waitForSelector(".live-dot.on");
  await page.focus("body");
  await page.keyboard.press("Space");
  await sees(page, ".bar .button", "Paused");
  await page.keyboard.press("Space");
  await page.waitForSelector(".live-dot.on");
  await page.close();
});

test("eight tabs are served", async () => {
  const tabs = [];
  for (let index = 0; index < 8; index += 1) tabs.push(await open(started.browser, "/?live=1"));
  // Only the tab in front is seen; each of the others asks when its turn comes.
  for (const tab of tabs) {
    await tab.bringToFront();
    await tab.waitForSelector(".row");
    await sees(tab, ".facets .share", "in this window");
  }
  await askSystem("/live-eight", "live-eight");
  const last = tabs.at(-1);
  assert.ok(last);
  await arrives(last, "/live-eight");
  for (const tab of tabs) await tab.close();
});

test("eight windows that are seen at once are all live", async () => {
  const windows = [];
  for (let index = 0; index < 8; index += 1) windows.push(await open(started.browser, "/?live=1", { type: "window" }));
  for (const window of windows) {
    assert.equal(await window.evaluate(() => document.visibilityState), "visible");
    await window.waitForSelector(".row");
    await sees(window, ".facets .share", "in this window");
  }
  await askSystem("/live-windows", "live-windows");
  for (const window of windows) await arrives(window, "/live-windows");
  // Each can ask for more, too.
  for (const window of windows) {
    await search(window, "correlation_id:live-windows");
    await sees(window, ".summary", "2 rows");
    await window.close();
  }
});

test("a lost connection is said, and comes back", async () => {
  const page = await open(started.browser, "/?live=1");
  await page.waitForSelector(".row");
  const pid = Number(given("PAGE_PID"));
  await page.setOfflineMode(true);
  // What is open already goes on: the next question is what fails.
  await page.keyboard.press("Space");
  await page.keyboard.press("Space");
  await sees(page, ".failure", "the server does not answer");
  await shoot(page, "lost");
  await page.setOfflineMode(false);
  await page.waitForFunction(() => !document.querySelector("#logs .failure"), { timeout: 30_000 });
  process.kill(pid, "SIGSTOP");
  try {
    await page.reload({ timeout: 2000 }).catch(() => {});
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await page.waitForSelector(".row");
  await page.close();
});
