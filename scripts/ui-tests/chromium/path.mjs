// Unpacks the Chromium that npm has installed, beside its package, and prints the path of what starts it: a script, which
// has the libraries and the fonts of the package taken where the machine has none.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import chromium, { inflate } from "@sparticuz/chromium";

const place = join(import.meta.dirname, "node_modules/.unpacked");
mkdirSync(place, { recursive: true });
// Where the package unpacks to. In the system's own folder anybody could have put another program under this name.
process.env.TMPDIR = place;

/** @param {string} text */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const browser = await chromium.executablePath();
const lines = ["#!/bin/sh"];
if (spawnSync(browser, ["--version"]).status !== 0) {
  const main = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  await inflate(join(dirname(main), "../bin/al2023.tar.br"));
  lines.push(`export LD_LIBRARY_PATH=${quote(join(place, "al2023/lib"))}`);
}
if (!existsSync("/etc/fonts/fonts.conf")) {
  const config = join(place, "fonts.conf");
  const folder = join(place, "fonts").replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  writeFileSync(config, `<fontconfig><dir>${folder}</dir></fontconfig>\n`);
  lines.push(`export FONTCONFIG_FILE=${quote(config)}`);
}
lines.push(`exec ${quote(browser)} "$@"`);
const script = join(place, "chrome");
writeFileSync(script, `${lines.join("\n")}\n`, { mode: 0o755 });
console.log(script);
