// Makes the pictures of the README and of docs/ui.md: the sample system under load, while some of it fails on purpose.
// `cargo test -p ui-tests --test browser -- --ignored pictures` runs it, and says where they are.

import { randomUUID } from "node:crypto";
import { askSystem, given, launch, open, sees, shoot } from "./page.mjs";

const SECONDS = 120;
const TYPES = ["order.created", "order.paid", "user.signup", "invoice.sent"];

/** @param {string} type */
const event = (type) => ({ method: "POST", body: JSON.stringify({ type, payload: { plan: "pro" } }) });

/** One request; one in twelve is wrong, one in twenty-five is thrown out. @param {number} index */
function ask(index) {
  const id = randomUUID();
  if (index % 25 === 7) return askSystem("/debug/throw", id);
  if (index % 24 === 5) return askSystem("/event", id);
  if (index % 24 === 17) return askSystem("/events", id, { method: "POST", body: '{"type": 7}' });
  if (index % 30 === 11) return askSystem("/debug/plain", id);
  return askSystem("/events", id, event(TYPES[index % TYPES.length] ?? ""));
}

// As much as a day goes up and down, in two minutes.
const failing = randomUUID();
const started = Date.now();
let asked = 0;
while (Date.now() < started + SECONDS * 1000) {
  const second = (Date.now() - started) / 1000;
  const pace = 3 + 2.5 * Math.sin(second / 14) + (second > 80 && second < 92 ? 6 : 0);
  await ask(asked);
  asked += 1;
  if (asked === 200) {
    // An order, and what its customer saw.
    await askSystem("/events", failing, event("order.created"));
    await askSystem("/debug/throw", failing);
  }
  const next = started + (second + 1 / pace) * 1000;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
}
console.log(`${asked} requests`);

const { browser, close } = await launch();
try {
  for (const theme of ["light", "dark"]) {
    const page = await open(browser, `/?since=${started - 5_000}&until=${started + SECONDS * 1000 + 10_000}`, {
      theme,
    });
    await sees(page, ".facets .share", "in this window");
    await shoot(page, `picture-logs-${theme}`);
    await page.goto(new URL(`/?view=trace&id=${failing}`, given("PAGE_URL")).href);
    await sees(page, ".invocation.failed .stack", "    at ");
    await sees(page, ".invocation .worker", "queue-consumer");
    await shoot(page, `picture-trace-${theme}`);
    await page.close();
  }
} finally {
  await close();
}
