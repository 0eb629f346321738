// Who may see the logs, and what they can do to the page.

import assert from "node:assert/strict";
import { writeFileSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { given, launch, open, problems, sees, texts } from "./page.mjs";

const PAGE = new URL(given("PAGE_URL"));
const OTHER = new URL(given("OTHER_URL"));

/** @type {Awaited<ReturnType<typeof launch>>} */
let started;
before(async () => {
  started = await launch();
});
after(async () => {
  await started.close();
  assert.deepEqual(problems, []);
});

/** What a client that is not a browser gets. @param {Record<string, string>} headers @param {string} path @returns {Promise<number>} */
function status(headers, path = "/api/about") {
  return new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port: PAGE.port, path, headers, setHost: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
      .on("error", reject);
  });
}

/** Listens on a free port of this machine. @param {http.Server | net.Server} server @returns {Promise<number>} */
function listen(server) {
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(/** @type {net.AddressInfo} */ (server.address()).port)),
  );
}

test("two servers at once keep their visitors apart", async () => {
  const first = await open(started.browser);
  const second = await started.browser.newPage();
  await second.goto(OTHER.href);
  await sees(second, "#views a", "Logs");
  // The first one still knows its visitor.
  await first.reload();
  await sees(first, "#views a", "Logs");
  const cookies = await started.browser.cookies();
  for (const { port } of [PAGE, OTHER]) {
    const cookie = cookies.find((cookie) => cookie.name === `tailrace_${port}`);
    assert.ok(cookie?.httpOnly && cookie.sameSite === "Strict", port);
  }
  await first.close();
  await second.close();
});

test("the secret leaves the address", async () => {
  const page = await open(started.browser);
  assert.equal(page.url(), `${PAGE.origin}/`);
  await page.close();
});

test("a file opens the page, as the browser is opened", async () => {
  const file = join(tmpdir(), `ui-tests-${process.pid}.html`);
  writeFileSync(file, `<!doctype html><meta http-equiv="refresh" content="0;url=${PAGE.href}">`);
  const page = await started.browser.newPage();
  await page.goto(`file://${file}`);
  await sees(page, "#views a", "Logs");
  await page.waitForSelector(".row");
  rmSync(file);
  await page.close();
});

test("a foreign Host and a stranger are refused", async () => {
  const page = await open(started.browser);
  const cookies = (await started.browser.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  await page.close();
  const host = PAGE.host;
  assert.equal(await status({ host, cookie: cookies }), 200);
  assert.equal(await status({ host: "evil.example", cookie: cookies }), 403);
  assert.equal(await status({ host: `evil.example:${PAGE.port}`, cookie: cookies }), 403);
  assert.equal(await status({ host }), 403);
  assert.equal(await status({ host, cookie: cookies, origin: "http://127.0.0.1:1" }), 403);
  assert.equal(await status({ host: "evil.example" }, `/${PAGE.search}`), 403);
});

test("another page of this machine reads nothing", async () => {
  await (await open(started.browser)).close();
  const server = http.createServer((request, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end("<!doctype html><title>other</title><p>other");
  });
  const port = await listen(server);
  const page = await started.browser.newPage();
  // 127.0.0.1 is the same site as 127.0.0.1, on any port: SameSite alone would let this in.
  await page.goto(`http://127.0.0.1:${port}/`);
  const read = await page.evaluate(async (origin) => {
    const results = [];
    for (const mode of /** @type {RequestMode[]} */ (["cors", "no-cors"])) {
      const answer = await fetch(`${origin}/api/about`, { mode, credentials: "include" }).catch(() => null);
      results.push(answer?.type === "opaque" ? "opaque" : answer ? answer.status : "refused");
    }
    return results;
  }, PAGE.origin);
  assert.deepEqual(
    read.map((one) => one !== 200),
    [true, true],
    String(read),
  );
  // A WebSocket is not held to the rules of fetch: the server alone can refuse it.
  const follows = await page.evaluate(
    (origin) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${origin.replace("http:", "ws:")}/api/live`);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      }),
    PAGE.origin,
  );
  assert.equal(follows, false);
  const loads = await page.evaluate(
    (origin) =>
      new Promise((resolve) => {
        const script = document.createElement("script");
        script.type = "module";
        script.src = `${origin}/main.js`;
        script.onload = () => resolve(true);
        script.onerror = () => resolve(false);
        document.body.append(script);
      }),
    PAGE.origin,
  );
  assert.equal(loads, false);
  const frame = await page.evaluate(
    (origin) =>
      new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.src = `${origin}/`;
        frame.onload = () => {
          try {
            resolve(frame.contentDocument?.body?.textContent ?? "shut");
          } catch {
            resolve("shut");
          }
        };
        document.body.append(frame);
      }),
    PAGE.origin,
  );
  assert.ok(!String(frame).includes("Logs"), String(frame));
  await page.close();
  server.close();
});

test("a tunnel's page works under its own Host", async () => {
  const tunnel = net.createServer((socket) => {
    const inner = net.connect(Number(PAGE.port), "127.0.0.1");
    socket.pipe(inner).pipe(socket);
    socket.on("error", () => inner.destroy());
    inner.on("error", () => socket.destroy());
  });
  const port = await listen(tunnel);
  const page = await started.browser.newPage();
  await page.goto(`http://localhost:${port}/${PAGE.search}`);
  await page.waitForSelector(".row");
  assert.equal(page.url(), `http://localhost:${port}/`);
  await page.close();
  tunnel.close();
});

test("what was logged stays text in every view", async () => {
  const page = await open(started.browser, "/?q=correlation_id:hostile&since=1h");
  await sees(page, ".row .worker", "<b>0</b>");
  const rows = await page.$$eval(".row", (all) => all.length);
  for (let index = 0; index < rows; index += 1) {
    await page.evaluate((index) => {
      const row = document.querySelectorAll(".row")[index];
      if (row instanceof HTMLElement) row.click();
    }, index);
    await page.waitForFunction(
      (index) => {
        const row = document.querySelectorAll(".row")[index];
        return (
          !row || row.getAttribute("aria-expanded") !== "true" || row.parentElement?.querySelector(".tree, .failure")
        );
      },
      {},
      index,
    );
    await page.evaluate((index) => {
      const row = document.querySelectorAll(".row[aria-expanded=true]")[0];
      if (row instanceof HTMLElement) row.click();
    }, index);
  }
  const found = await page.evaluate(() => ({
    pwned: /** @type {any} */ (globalThis).pwned ?? null,
    polluted: /** @type {any} */ ({}).polluted ?? null,
    markup: document.querySelectorAll("#main script, #main img, #main b, #main textarea").length,
    title: document.title,
  }));
  assert.deepEqual(found, { pwned: null, polluted: null, markup: 0, title: "Logs · Tailrace" });
  const seen = (await texts(page, "#main")).join("");
  assert.ok(!/[\u202e\u0007\u001b\u200b]/.test(seen), "a character that hides or reorders is in the page");
  assert.ok(seen.includes("\\u202e"), "and is shown by its code");
  await page.goto(new URL("/?view=trace&id=hostile", PAGE).href);
  await sees(page, ".invocation .worker", "<b>0</b>");
  const trace = await page.evaluate(() => ({
    pwned: /** @type {any} */ (globalThis).pwned ?? null,
    markup: document.querySelectorAll("#main script, #main img, #main b:not(.fact b)").length,
  }));
  assert.deepEqual(trace, { pwned: null, markup: 0 });
  assert.ok(!/[\u202e\u0007\u001b\u200b]/.test((await texts(page, "#main")).join("")));
  await page.close();
});
