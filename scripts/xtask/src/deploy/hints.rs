//! Hints: the remedies for the usual causes of an error of Cloudflare's API.

/// Texts by which the API, or wrangler for it, says that it does not let somebody in: 6003 and 6111 are malformed
/// credentials, 7003 an account that is not there.
const REFUSALS: [&str; 8] = [
    "Authentication error",
    "Unable to authenticate",
    "[code: 6003]",
    "[code: 6111]",
    "[code: 7003]",
    "[code: 9106]",
    "[code: 9109]",
    "[code: 10000]",
];

/// Returns a line that begins with `hint:`, after a line end; nothing where the error explains itself.
pub(crate) fn find(error: &str) -> &'static str {
    let holds = |text: &&str| error.contains(*text);
    if REFUSALS.iter().any(holds) {
        "\nhint: the token is not valid, lacks a permission (docs/operations.md lists those that are needed), or is not for \
         the account that CLOUDFLARE_ACCOUNT_ID or tailrace.toml names"
    } else if ["[code: 10063]", "workers.dev subdomain"].iter().any(holds) {
        "\nhint: crons and Workflows need the account to have a workers.dev subdomain: open Workers & Pages once in the \
         Cloudflare dashboard, which makes it, and run the same command again"
    } else if error.contains("[code: 10042]") {
        "\nhint: R2 needs a subscription, once for an account, also for what is free of charge: open R2 in the Cloudflare \
         dashboard and take it out, then run the same command again; without it, deploy with --no-archive"
    } else if ["fetch failed", "ENOTFOUND"].iter().any(holds) {
        "\nhint: Cloudflare's API cannot be reached: check the network"
    } else {
        ""
    }
}
