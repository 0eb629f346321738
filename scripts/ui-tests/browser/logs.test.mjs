// Logs as a person uses them: first sight, search, zoom, facets, rows, keys, copying, a hundred thousand rows.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { click, given, launch, open, problems, search, sees, serious, shoot } from "./page.mjs";

/** @type {Awaited<ReturnType<typeof launch>>} */
let started;
before(async () => {
  started = await launch();
});
after(async () => {
  await started.close();
  assert.deepEqual(problems, []);
});

/** The state of the address. @param {import("puppeteer-core").Page} page @param {string} name */
function state(page, name) {
  return new URL(page.url()).searchParams.get(name);
}

test("from first sight to the stack of what failed in three clicks", async () => {
  const page = await open(started.browser);
  await sees(page, ".facet .name", "error");
  // One: only errors. Two: the exception. Its stack is there.
  await page.evaluate(() => {
    const facet = [...document.querySelectorAll(".facet")].find((one) => one.querySelector(".name.error"));
    const plus = facet?.querySelector(".sign");
    if (plus instanceof HTMLElement) plus.click();
  });
  await page.waitForFunction(
    () =>
      location.search.includes("level") && [...document.querySelectorAll(".row")].every((row) => row.matches(".error")),
  );
  await click(page, ".row.of-exception");
  await sees(page, ".detail .stack", "    at ");
  // Three: the whole request. It is the one that failed last.
  await click(page, ".trace-link");
  await sees(page, ".trace-head code", given("FAILING"));
  await sees(page, ".invocation.failed .stack", "    at ");
  await page.close();
});

test("a search is in the address, and Back takes it back", async () => {
  const page = await open(started.browser, "/?since=1h");
  await sees(page, ".facet .name", "triggers-api");
  await search(page, `correlation_id:${given("PASSING")}`);
  await sees(page, ".row", "queue-consumer");
  assert.equal(state(page, "q"), `correlation_id:${given("PASSING")}`);
  // What was there before stays until the first of the new rows come.
  await page.waitForFunction(
    () => ![...document.querySelectorAll(".row .worker")].some((one) => one.textContent?.startsWith("<b>")),
  );
  await page.goBack();
  await sees(page, ".facet .name", "odd");
  assert.equal(await page.$eval("#query", (input) => /** @type {HTMLInputElement} */ (input).value), "");
  await page.close();
});

test("a query that cannot be read says where and why", async () => {
  const page = await open(started.browser);
  await page.waitForSelector(".row");
  await search(page, "level:loud");
  await sees(page, ".failure", "loud");
  await sees(page, ".failure .hint", "levels are");
  await shoot(page, "logs-mistake");
  await page.close();
});

test("dragging over the histogram zooms in, a click takes one bar", async () => {
  const page = await open(started.browser, "/?since=24h");
  await sees(page, ".facets .share", "in this window");
  const box = await (await page.$(".histogram"))?.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.7, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.95, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => location.search.includes("until="));
  const [since, until] = [Number(state(page, "since")), Number(state(page, "until"))];
  assert.ok(Math.abs((until - since) / 86_400_000 - 0.25) < 0.02, `${until - since} ms`);
  await sees(page, ".facets .share", "in this window");
  await page.mouse.click(box.x + box.width * 0.5, box.y + 60);
  await page.waitForFunction((since) => new URLSearchParams(location.search).get("since") !== String(since), {}, since);
  assert.ok(Number(state(page, "until")) - Number(state(page, "since")) <= 600_000);
  await page.goBack();
  await page.goBack();
  await page.waitForFunction(() => location.search === "?since=24h");
  await page.close();
});

test("facets count the window, include and exclude", async () => {
  const page = await open(started.browser, "/?since=24h");
  await sees(page, ".facets .share", "in this window");
  const many = await page.$$eval(".facet", (all) =>
    all
      .find((one) => one.querySelector(".name")?.textContent === "many")
      ?.querySelector(".count")
      ?.getAttribute("title"),
  );
  assert.equal(many, Number(given("MANY")).toLocaleString("en"));
  await page.evaluate(() => {
    const facet = [...document.querySelectorAll(".facet")].find(
      (one) => one.querySelector(".name")?.textContent === "many",
    );
    const minus = facet?.querySelectorAll(".sign")[1];
    if (minus instanceof HTMLElement) minus.click();
  });
  await page.waitForFunction(() => new URLSearchParams(location.search).get("q") === "-worker:many");
  await sees(page, ".facets .share", "in this window");
  await page.waitForFunction(
    () => ![...document.querySelectorAll(".facet .name")].some((one) => one.textContent === "many"),
  );
  await page.close();
});

test("a value of the context becomes a term of the search", async () => {
  const page = await open(started.browser, "/?q=worker:many&since=24h");
  await click(page, ".row", "line 7 of many");
  await sees(page, ".tree .name", "n:");
  await page.evaluate(() => {
    const leaf = [...document.querySelectorAll(".tree .leaf")].find(
      (one) => one.querySelector(".name")?.textContent === "n:",
    );
    const plus = leaf?.querySelector(".sign");
    if (plus instanceof HTMLElement) plus.click();
  });
  await page.waitForFunction(() => new URLSearchParams(location.search).get("q") === "worker:many data.n:7");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 1, { timeout: 20_000 });
  await page.close();
});

test("a hundred thousand rows are scrolled through, each once", async () => {
  const page = await open(started.browser, "/?q=worker:many&since=24h");
  await sees(page, ".row", "line 0 of many");
  const many = Number(given("MANY"));
  // To the end as fast as pages come, looking that the next row is the next line.
  const seen = await page.evaluate(
    async (most) => {
      const list = /** @type {HTMLElement} */ (document.querySelector(".list"));
      let last = -1;
      let elements = 0;
      const until = performance.now() + 60_000;
      while (performance.now() < until) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const lines = [...document.querySelectorAll(".row .message")]
          .map((one) => Number(/^line (\d+) of/.exec(one.textContent ?? "")?.[1]))
          .sort((a, b) => a - b);
        elements = Math.max(elements, lines.length);
        for (let index = 1; index < lines.length; index += 1)
          if (lines[index] !== (lines[index - 1] ?? 0) + 1) return `${lines[index - 1]} is followed by ${lines[index]}`;
        last = lines.at(-1) ?? last;
        if (last >= most) break;
        list.scrollTop = list.scrollHeight;
      }
      return { reached: last >= most, elements };
    },
    Math.min(many - 1, 5_000),
  );
  assert.ok(typeof seen === "object" && seen.reached, JSON.stringify(seen));
  assert.ok(seen.elements < 120, `${seen.elements} rows are elements at once`);
  await page.close();
});

test("the keys move, open, leave and are listed", async () => {
  const page = await open(started.browser, `/?q=correlation_id:${given("PASSING")}&since=1h`);
  await sees(page, ".row", "queue-consumer");
  await page.focus("body");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  assert.equal(await page.evaluate(() => document.activeElement?.parentElement?.getAttribute("aria-posinset")), "2");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await sees(page, ".entry.open .detail .tree", "correlation_id");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector(".entry.open"));
  await page.keyboard.press("?");
  await sees(page, "dialog dd", "next row");
  await shoot(page, "keys");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog"));
  await page.keyboard.press("t");
  await sees(page, ".trace-head code", given("PASSING"));
  await page.close();
});

test("links and trees take Enter themselves, and the logs stay as they were left", async () => {
  const q = `correlation_id:${given("PASSING")}`;
  const page = await open(started.browser, `/?q=${q}&since=1h`);
  await click(page, ".row.of-log");
  await page.waitForSelector(".detail summary");
  await page.focus(".detail summary");
  const isOpen = () => page.$eval(".detail details", (details) => details.open);
  const before = await isOpen();
  await page.keyboard.press("Enter");
  assert.equal(await isOpen(), !before);
  await page.keyboard.press("Space");
  assert.equal(await isOpen(), before);
  await page.focus(".trace-link");
  await page.keyboard.press("Enter");
  await sees(page, ".trace-head code", given("PASSING"));
  await page.focus("body");
  await page.keyboard.press("Escape");
  await sees(page, ".row", "queue-consumer");
  assert.equal(state(page, "q"), q);
  await click(page, "#views a", "Pipeline");
  await click(page, "#views a", "Logs");
  await page.waitForSelector(".row");
  assert.equal(state(page, "q"), q);
  await page.close();
});

test("large records keep their kind and their numbers", async () => {
  const page = await open(started.browser, "/?q=worker:large&since=1h");
  await sees(page, ".row.of-exception", "too deep");
  await sees(page, ".row.of-log .carried", "order=77");
  await click(page, ".row", "large numbers");
  await sees(page, ".tree .leaf", "snowflake:12345678901234567890");
  await sees(page, ".tree .leaf", "rate:1.50");
  await page.close();
});

test("a search is copied as a command and as a link", async () => {
  const page = await open(started.browser, "/?q=level%3Aerror+%22it%27s%22&since=1h");
  const { origin } = new URL(given("PAGE_URL"));
  await started.browser
    .defaultBrowserContext()
    .overridePermissions(origin, ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
  await page.waitForSelector(".state h2");
  await page.bringToFront();
  await click(page, ".bar .button", "Copy");
  await click(page, ".popover .item", "command");
  await sees(page, "#say", "Command copied");
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(command, /^tailrace logs --local \d+ -q 'level:error "it'\\''s"' --since 1h$/);
  await page.close();
});

for (const theme of ["light", "dark"]) {
  test(`logs can be read by everyone, ${theme}`, async () => {
    const page = await open(started.browser, "/?since=1h&q=-worker%3A%3Cb%3E*+-worker%3Aodd", { theme, bypass: true });
    await sees(page, ".facets .share", "in this window");
    await shoot(page, `logs-${theme}`);
    await search(page, "kind:exception");
    await page.waitForFunction(
      () => document.querySelectorAll(".row").length === document.querySelectorAll(".row.of-exception").length,
    );
    await click(page, ".row.of-exception");
    await sees(page, ".detail .stack", "    at ");
    await shoot(page, `logs-open-${theme}`);
    assert.deepEqual(await serious(page), []);
    await page.setViewport({ width: 900, height: 700 });
    await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth);
    await shoot(page, `logs-narrow-${theme}`);
    await page.close();
  });
}

test("an empty window says what to do", async () => {
  const page = await open(started.browser, "/?q=%22nobody+ever+logged+this%22");
  await sees(page, ".state", "No records in this window");
  await shoot(page, "logs-empty");
  await click(page, ".state .button", "7 days");
  await page.waitForFunction(() => location.search.includes("since=7d"));
  await page.close();
});
