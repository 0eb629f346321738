// Calls Cloudflare's API, with the credentials in the environment. Each line on standard input is a request
// {method, path, body}; each line on standard output its answer, whatever that is: {status, text}, or {problem} where the
// call brought no answer.
import { createInterface } from "node:readline";

const { TAILRACE_API_TOKEN: token, CLOUDFLARE_API_KEY: key, CLOUDFLARE_EMAIL: email } = process.env;
const base = process.env.CLOUDFLARE_API_BASE_URL || "https://api.cloudflare.com/client/v4";
const credentials = token
  ? { authorization: `Bearer ${token}` }
  : { "x-auth-key": key ?? "", "x-auth-email": email ?? "" };

async function answer({ method, path, body }) {
  try {
    const response = await fetch(base + path, {
      method,
      body: body === null ? undefined : JSON.stringify(body),
      headers: { ...credentials, "content-type": "application/json" },
      signal: AbortSignal.timeout(60_000),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    return { problem: `${error.message} ${error.cause?.message ?? ""}`.trim() };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
