// A trace as a person uses it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { given, launch, open, problems, sees, serious, shoot, texts } from "./page.mjs";

/** @type {Awaited<ReturnType<typeof launch>>} */
let started;
before(async () => {
  started = await launch();
});
after(async () => {
  await started.close();
  assert.deepEqual(problems, []);
});

test("one pasted id leads to the stack of what failed", async () => {
  const page = await open(started.browser);
  await page.type("#find-id", given("FAILING"));
  await page.keyboard.press("Enter");
  await sees(page, ".invocation.failed .stack", "    at ");
  await sees(page, ".trace-head .bad", "1 failed");
  assert.deepEqual(await texts(page, ".trace-head code"), [given("FAILING")]);
  await page.goBack();
  await page.waitForSelector(".row");
  await page.close();
});

test("a trace goes across Workers on one axis", async () => {
  const page = await open(started.browser, `/?view=trace&id=${given("PASSING")}`);
  await sees(page, ".invocation .worker", "queue-consumer");
  const bars = await page.$$eval(".invocation", (all) =>
    all.map((one) => {
      const box = one.querySelector(".lane .span")?.getBoundingClientRect();
      return { worker: one.querySelector(".worker")?.textContent ?? "", left: box?.left ?? 0, width: box?.width ?? 0 };
    }),
  );
  assert.ok(bars[0]?.worker.startsWith("triggers-api"), JSON.stringify(bars));
  assert.ok(
    bars.every((bar, index) => bar.width > 0 && bar.left >= (bars[index - 1]?.left ?? 0)),
    JSON.stringify(bars),
  );
  await page.close();
});

test("an id may be cut, and one that nobody has says so", async () => {
  const page = await open(started.browser, `/?view=trace&id=${given("PASSING").slice(0, 13)}`);
  await sees(page, ".trace", "Several ids begin so");
  await page.goto(new URL("/?view=trace&id=nobody-has-this", given("PAGE_URL")).href);
  await sees(page, ".failure", "nobody-has-this");
  await page.goto(new URL("/?view=trace", given("PAGE_URL")).href);
  await sees(page, ".state", "Which request?");
  await shoot(page, "trace-asking");
  await page.close();
});

for (const theme of ["light", "dark"]) {
  test(`a trace can be read by everyone, ${theme}`, async () => {
    for (const [name, id] of [
      ["trace", given("PASSING")],
      ["trace-failed", given("FAILING")],
    ]) {
      const page = await open(started.browser, `/?view=trace&id=${id}`, { theme, bypass: true });
      await sees(page, ".trace-head .fact", "invocation");
      assert.deepEqual(await serious(page), []);
      await shoot(page, `${name}-${theme}`);
      await page.close();
    }
  });
}

test("a young trace grows by itself", async () => {
  const id = `growing-${Date.now()}`;
  const { askSystem } = await import("./page.mjs");
  await askSystem("/events", id, { method: "POST", body: JSON.stringify({ type: "user.signup", payload: {} }) });
  const page = await open(started.browser, `/?view=trace&id=${id}`);
  // The first look may be too early for any record.
  const until = Date.now() + 40_000;
  while (Date.now() < until && !(await texts(page, ".trace-head")).length) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await page.reload();
    await page.waitForFunction(() => document.querySelector(".trace .failure, .trace-head"));
  }
  await page.waitForFunction(
    () =>
      [...document.querySelectorAll(".invocation .worker")].some((one) =>
        one.textContent?.startsWith("queue-consumer"),
      ),
    { timeout: 40_000 },
  );
  await page.close();
});
