// A headless browser on the page, and what the tests ask of it.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

/** A variable that the test which starts everything sets. @param {string} name @returns {string} */
export function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run \`cargo xtask test in_a_browser\``);
  return value;
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** Starts a browser of this test's own. */
export async function launch() {
  const profile = mkdtempSync(join(tmpdir(), "ui-tests-"));
  const browser = await puppeteer.launch({
    executablePath: given("CHROME"),
    args: FLAGS,
    userDataDir: profile,
    defaultViewport: { width: 1360, height: 860 },
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Errors of every page that was opened: a test ends with none. @type {string[]} */
export const problems = [];

/** Opens a tab or a window with the page; `path` is where it goes then. @param {import("puppeteer-core").Browser} browser @param {string} path @param {{ theme?: string, bypass?: boolean, type?: "tab" | "window" }} options */
export async function open(browser, path = "/", { theme = "light", bypass = false, type = "tab" } = {}) {
  const page = await browser.newPage({ type });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/net::ERR|status of 4|status of 5/.test(message.text()))
      problems.push(message.text());
  });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  if (bypass) await page.setBypassCSP(true);
  await page.goto(given("PAGE_URL"));
  await page.waitForSelector("#views a");
  if (path !== "/") await page.goto(new URL(path, given("PAGE_URL")).href);
  await page.waitForSelector("#views a");
  return page;
}

/** Waits until the page says `text` in what `selector` finds. @param {import("puppeteer-core").Page} page @param {string} selector @param {string} text */
export async function sees(page, selector, text) {
  await page.waitForFunction(
    (selector, text) => [...document.querySelectorAll(selector)].some((one) => one.textContent.includes(text)),
    { timeout: 20_000, polling: 50 },
    selector,
    text,
  );
}

/** Clicks the first of what `selector` finds that says `text`. @param {import("puppeteer-core").Page} page @param {string} selector @param {string} text */
export async function click(page, selector, text = "") {
  await sees(page, selector, text);
  await page.evaluate(
    (selector, text) => {
      const found = [...document.querySelectorAll(selector)].find((one) => one.textContent.includes(text));
      if (found instanceof HTMLElement) found.click();
    },
    selector,
    text,
  );
}

/** The texts of what `selector` finds. @param {import("puppeteer-core").Page} page @param {string} selector @returns {Promise<string[]>} */
export function texts(page, selector) {
  return page.$$eval(selector, (all) => all.map((one) => one.textContent ?? ""));
}

/** Searches as a person does. @param {import("puppeteer-core").Page} page @param {string} query */
export async function search(page, query) {
  await page.focus("body");
  await page.keyboard.press("/");
  await page.keyboard.down("Control");
  await page.keyboard.press("a");
  await page.keyboard.up("Control");
  await page.keyboard.type(query || " ");
  await page.keyboard.press("Enter");
}

/** A picture of what is seen, light or dark. @param {import("puppeteer-core").Page} page @param {string} name */
export async function shoot(page, name) {
  await page.screenshot({ path: /** @type {`${string}.png`} */ (join(given("SHOTS"), `${name}.png`)) });
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds that is serious. @param {import("puppeteer-core").Page} page */
export async function serious(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations"] }),
  );
  return found.violations
    .filter((/** @type {any} */ one) => one.impact === "serious" || one.impact === "critical")
    .map(
      (/** @type {any} */ one) =>
        `${one.id}: ${one.nodes
          .slice(0, 3)
          .map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`)
          .join(" | ")}`,
    );
}

/** Asks the sample system for something. @param {string} path @param {string} id @param {RequestInit} [init] */
export async function askSystem(path, id, init = {}) {
  const headers = {
    authorization: `Bearer ${given("SYSTEM_TOKEN")}`,
    "x-correlation-id": id,
    "content-type": "application/json",
  };
  const response = await fetch(given("SYSTEM_URL") + path, { ...init, headers });
  await response.text();
  return response.status;
}
