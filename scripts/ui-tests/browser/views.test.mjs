// Workers and Pipeline as a person looks at them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { click, launch, open, problems, sees, serious, shoot } from "./page.mjs";

/** @type {Awaited<ReturnType<typeof launch>>} */
let started;
before(async () => {
  started = await launch();
});
after(async () => {
  await started.close();
  assert.deepEqual(problems, []);
});

test("a Worker's figures lead to the logs behind them", async () => {
  const page = await open(started.browser, "/?view=workers&since=1h");
  await sees(page, "tbody th", "triggers-api");
  await sees(page, ".workers .what", "Error");
  await page.waitForFunction(() => !document.querySelector(".bar .share")?.textContent?.includes("measured"));
  const failed = await page.$$eval("tbody tr", (rows) => {
    const row = rows.find((one) => one.querySelector("th")?.textContent === "triggers-api");
    return row?.querySelectorAll(".figure a")[1]?.textContent;
  });
  assert.match(failed ?? "", /^[\d.]+ %$/);
  await page.$$eval("tbody tr", (rows) => {
    const row = rows.find((one) => one.querySelector("th")?.textContent === "triggers-api");
    const figure = row?.querySelectorAll(".figure a")[1];
    if (figure instanceof HTMLElement) figure.click();
  });
  await page.waitForSelector(".row.of-invocation.error");
  assert.ok(new URL(page.url()).searchParams.get("q")?.includes("level:error"));
  await page.goBack();
  await click(page, ".workers .button", "Last trace");
  await page.waitForSelector(".invocation.failed .stack");
  await page.close();
});

test("the pipeline says what status says", async () => {
  const page = await open(started.browser, "/?view=pipeline");
  await sees(page, ".part-card h2", "Dead letters");
  await sees(page, ".part-card", "not visible locally");
  await sees(page, ".part-card", "newest");
  await page.close();
});

for (const theme of ["light", "dark"]) {
  test(`Workers and Pipeline can be read by everyone, ${theme}`, async () => {
    for (const [view, ready] of [
      ["workers", "tbody th"],
      ["pipeline", ".part-card h2"],
    ]) {
      const page = await open(started.browser, `/?view=${view}&since=1h`, { theme, bypass: true });
      await page.waitForSelector(/** @type {string} */ (ready));
      await page.waitForFunction(() => !document.querySelector(".bar .share")?.textContent?.includes("measured"));
      assert.deepEqual(await serious(page), []);
      await shoot(page, `${view}-${theme}`);
      await page.setViewport({ width: 900, height: 700 });
      await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth);
      await page.close();
    }
  });
}
