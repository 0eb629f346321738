// Asks Cloudflare's API for what wrangler has no command for: METHOD PATH [BODY], the credentials in the environment.
// Prints the status and the body of the answer, whatever it is.
const [method, path, body] = process.argv.slice(1);
const { TAILRACE_API_TOKEN: token, CLOUDFLARE_API_KEY: key, CLOUDFLARE_EMAIL: email } = process.env;
const base = process.env.CLOUDFLARE_API_BASE_URL || "https://api.cloudflare.com/client/v4";
const credentials = token
  ? { authorization: `Bearer ${token}` }
  : { "x-auth-key": key ?? "", "x-auth-email": email ?? "" };
try {
  const answer = await fetch(base + path, {
    method,
    body,
    headers: { ...credentials, "content-type": "application/json" },
    signal: AbortSignal.timeout(60_000),
  });
  console.log(JSON.stringify({ status: answer.status, text: await answer.text() }));
} catch (error) {
  console.error(`${error.message} ${error.cause?.message ?? ""}`.trim());
  process.exitCode = 1;
}
