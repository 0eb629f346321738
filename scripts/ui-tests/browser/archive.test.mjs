// Lines that are in the archive alone, as a person finds them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { click, given, launch, open, problems, sees, texts } from "./page.mjs";

/** @type {Awaited<ReturnType<typeof launch>>} */
let started;
before(async () => {
  started = await launch();
});
after(async () => {
  await started.close();
  assert.deepEqual(problems, []);
});

test("logs offer what the archive holds, and show it when asked", async () => {
  const q = encodeURIComponent(`correlation_id:${given("ARCHIVED")} level:info worker:triggers-api kind:log`);
  const page = await open(started.browser, `/?view=logs&since=1h&q=${q}`);
  await sees(page, ".offer", "Rows alone are shown");
  assert.equal((await texts(page, ".row")).length, 0);
  await click(page, ".offer button", "Read them");
  await page.waitForSelector(".row");
  await click(page, ".row");
  await sees(page, ".entry.open", given("ARCHIVED"));
  await page.close();
});

test("a trace shows the lines of the archive", async () => {
  const page = await open(started.browser, `/?view=trace&id=${given("ARCHIVED")}`);
  await sees(page, ".invocation .worker", "triggers-api");
  const { records } = await page.evaluate(async (id) => {
    const answer = await fetch(`/api/trace?id=${id}`);
    return answer.json();
  }, given("ARCHIVED"));
  await sees(page, ".trace-head", `${records} records`);
  const lines = await page.evaluate(async (id) => {
    const answer = await fetch(`/api/logs?since=1h&q=correlation_id:${id}`);
    const parts = (await answer.text()).trim().split("\n");
    return parts.map((part) => JSON.parse(part).rows ?? []).flat().length;
  }, given("ARCHIVED"));
  assert.ok(records > lines, `${records} records, ${lines} rows`);
  await page.close();
});
