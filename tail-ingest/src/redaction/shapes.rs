//! Tokens that are known by their shape, and so are found wherever they stand: in paths, messages
//! and stacks.
//!
//! The issuers' own pages and the rules of public secret scanners say how a token begins, which
//! characters it has and how long it is at least. A shape is listed only if ordinary text, hashes
//! and ids do not have it.

use std::ops::Range;

use super::find;

/// Tokens of one issuer.
pub(super) struct Shape {
    /// Name in the documentation, which a test compares.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a test reads it"))]
    pub(super) issuer: &'static str,
    /// Texts that a token begins with. One that ends in a mark (`ghp_`) is kept, for the reader.
    pub(super) starts: &'static [&'static str],
    /// The part that must follow.
    pub(super) rest: Rest,
}

/// The part of a token after its start.
#[derive(Clone, Copy)]
pub(super) enum Rest {
    /// Characters of an alphabet.
    Run {
        /// The alphabet.
        alphabet: Alphabet,
        /// As few as these.
        min: usize,
        /// As many as these.
        max: usize,
        /// With a digit among the first [`LOOK_AHEAD`].
        digit: bool,
    },
    /// A shape that a function knows. It is given the text and where the start of the token is, and
    /// returns what to redact.
    Special(fn(&str, usize) -> Option<Range<usize>>),
}

/// Characters that decide whether a token is one: it may be longer, but a look at a text that repeats
/// the start of a token must end soon.
const LOOK_AHEAD: usize = 64;

/// Characters of tokens.
#[derive(Clone, Copy)]
pub(super) enum Alphabet {
    /// `0-9 a-f A-F`
    Hex,
    /// `0-9 A-Z`
    Upper,
    /// `0-9 a-z A-Z`
    Alnum,
    /// Letters, digits, `_` and `-`
    Word,
    /// Those, and `.` and `%`
    Dotted,
    /// Letters, digits, `+ / = _ -`
    Base64,
    /// Letters, digits and `$`
    Dollar,
}

impl Alphabet {
    /// Returns whether `byte` is one of these characters.
    pub(super) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%')
            }
            Self::Base64 => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-')
            }
            Self::Dollar => byte.is_ascii_alphanumeric() || byte == b'$',
        }
    }
}

use Alphabet::{Alnum, Base64, Dollar, Dotted, Hex, Upper, Word};
use Rest::Special;

const fn shape(issuer: &'static str, starts: &'static [&'static str], rest: Rest) -> Shape {
    Shape {
        issuer,
        starts,
        rest,
    }
}

const fn at_least(min: usize, alphabet: Alphabet) -> Rest {
    between(min, usize::MAX, alphabet)
}

const fn with_digit(min: usize, alphabet: Alphabet) -> Rest {
    Rest::Run {
        alphabet,
        min,
        max: usize::MAX,
        digit: true,
    }
}

const fn between(min: usize, max: usize, alphabet: Alphabet) -> Rest {
    Rest::Run {
        alphabet,
        min,
        max,
        digit: false,
    }
}

/// Every shape, as docs/configuration.md lists them. Sources:
///
/// - JSON Web Token: RFC 7519 (three parts), RFC 7516 (five); each begins with `{"` in base64url.
/// - `Bearer`: RFC 6750, section 2.1. `Basic`: RFC 7617.
/// - AWS: IAM User Guide, "IAM identifiers", unique ID prefixes; Bedrock User Guide, "API keys".
/// - Google: Cloud docs, "API keys" and "OAuth 2.0"; Azure, Microsoft's "Secret scanning patterns".
/// - Cloudflare: <https://developers.cloudflare.com/fundamentals/api/get-started/token-formats>.
/// - GitHub: "About authentication to GitHub", token formats; GitLab: "GitLab tokens", prefixes.
/// - Slack: "Token types"; Discord: "Authentication"; Telegram: "Bot API", authorizing your bot.
/// - Stripe: "API keys"; Square, Shopify, Twilio, `SendGrid`, npm, `PyPI`: the pages on their tokens.
/// - Vercel: <https://vercel.com/changelog/new-token-formats-and-secret-scanning>.
/// - Further ones, and all lengths: GitHub's "Supported secret scanning patterns", and the rules of
///   gitleaks, <https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml>.
pub(super) const SHAPES: &[Shape] = &[
    shape(
        "JSON Web Token",
        &["eyJ", "eyA", "ewo"],
        Special(find::find_web_token),
    ),
    shape(
        "`Bearer` and a token",
        &["bearer", "BEARER"],
        Special(find::find_bearer),
    ),
    shape(
        "`Basic` and credentials",
        &["basic", "BASIC"],
        Special(find::find_basic),
    ),
    shape(
        "private key (PEM)",
        &["-----BEGIN"],
        Special(find::find_private_key),
    ),
    // Clouds.
    shape(
        "AWS",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        between(16, 16, Upper),
    ),
    shape("AWS Bedrock", &["ABSK"], at_least(64, Base64)),
    shape("AWS Bedrock", &["bedrock-api-key-"], with_digit(20, Base64)),
    shape("Google", &["AIza"], at_least(35, Word)),
    shape("Google", &["ya29."], with_digit(20, Dotted)),
    shape("Google", &["GOCSPX-"], at_least(20, Word)),
    shape(
        "Azure",
        &[
            "0Q~", "1Q~", "2Q~", "3Q~", "4Q~", "5Q~", "6Q~", "7Q~", "8Q~", "9Q~",
        ],
        Special(find::find_azure_secret),
    ),
    shape(
        "Cloudflare",
        &["cfk_", "cfut_", "cfat_"],
        at_least(40, Alnum),
    ),
    shape("Cloudflare", &["v1.0-"], at_least(64, Word)),
    shape(
        "DigitalOcean",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        at_least(64, Hex),
    ),
    shape("Heroku", &["HRKU-AA"], at_least(58, Word)),
    shape(
        "Fly.io",
        &["fo1_", "fm1a_", "fm1r_", "fm2_"],
        with_digit(40, Base64),
    ),
    shape("HashiCorp Vault", &["hvs.", "hvb."], with_digit(24, Word)),
    shape("Databricks", &["dapi"], between(32, 32, Hex)),
    shape(
        "PlanetScale",
        &["pscale_tkn_", "pscale_oauth_", "pscale_pw_"],
        at_least(32, Dotted),
    ),
    shape("Supabase", &["sbp_"], at_least(40, Hex)),
    shape("Supabase", &["sb_secret_"], with_digit(20, Word)),
    shape(
        "Doppler",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."],
        with_digit(40, Dotted),
    ),
    shape("Pulumi", &["pul-"], at_least(40, Hex)),
    shape(
        "Vercel, Netlify, Neon, Tailscale",
        &[
            "vcp_", "vci_", "vca_", "vcr_", "vck_", "nfp_", "napi_", "tskey-",
        ],
        with_digit(20, Word),
    ),
    // Code hosts and package registries.
    shape(
        "GitHub",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        with_digit(36, Dotted),
    ),
    shape(
        "GitLab",
        &[
            "glpat-",
            "gldt-",
            "glrt-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glimt-",
            "glagent-",
            "gloas-",
            "glsoat-",
            "glffct-",
            "GR1348941",
        ],
        with_digit(20, Dotted),
    ),
    shape(
        "Atlassian",
        &["ATATT3", "ATCTT3", "ATBB"],
        with_digit(24, Base64),
    ),
    shape("npm", &["npm_"], at_least(36, Alnum)),
    shape("PyPI", &["pypi-AgE"], at_least(50, Word)),
    shape("RubyGems", &["rubygems_"], at_least(48, Hex)),
    shape("crates.io", &["cio"], between(32, 32, Alnum)),
    shape("Docker", &["dckr_pat_", "dckr_oat_"], with_digit(20, Word)),
    // Chat.
    shape(
        "Slack",
        &[
            "xoxa-", "xoxb-", "xoxc-", "xoxd-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-",
            "xoxs-", "xapp-", "xwfp-",
        ],
        with_digit(10, Dotted),
    ),
    shape(
        "Slack",
        &[
            "hooks.slack.com/services/",
            "hooks.slack.com/workflows/",
            "hooks.slack.com/triggers/",
        ],
        with_digit(20, Base64),
    ),
    shape(
        "Discord",
        &["/webhooks/"],
        Special(find::find_discord_webhook),
    ),
    shape(
        "Discord",
        // The digits of an id in base64: each of three characters is one of those below each other.
        &[
            "MDA", "NTE", "OjI", "MzM", "MDQ", "MDU", "MDY", "MDc", "MDg", "MDk",
        ],
        Special(find::find_discord_token),
    ),
    shape(
        "Telegram",
        &[":A", "%3A", "%3a"],
        Special(find::find_telegram_token),
    ),
    // Payments and messages.
    shape(
        "Stripe",
        &[
            "sk_live_",
            "sk_test_",
            "sk_prod_",
            "sk_org_live_",
            "sk_org_test_",
            "rk_live_",
            "rk_test_",
            "rk_prod_",
        ],
        at_least(10, Alnum),
    ),
    shape("Stripe", &["whsec_"], with_digit(20, Base64)),
    shape("Square", &["sq0atp-", "sq0csp-"], at_least(22, Word)),
    shape("Square", &["EAAA"], between(40, 60, Word)),
    shape(
        "Shopify",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        at_least(32, Hex),
    ),
    shape("PayPal Braintree", &["access_token$"], at_least(20, Dollar)),
    shape(
        "Flutterwave",
        &["FLWSECK-", "FLWSECK_TEST-"],
        with_digit(12, Word),
    ),
    shape("Twilio, Mailgun", &["SK", "key-"], between(32, 32, Hex)),
    shape("SendGrid", &["SG."], with_digit(60, Dotted)),
    shape("Brevo", &["xkeysib-"], with_digit(60, Word)),
    // Models.
    shape(
        "OpenAI, Anthropic, OpenRouter, Langfuse",
        &["sk-"],
        Special(find::find_model_key),
    ),
    shape(
        "Groq, Perplexity",
        &["gsk_", "pplx-"],
        with_digit(40, Alnum),
    ),
    shape("xAI", &["xai-"], with_digit(60, Alnum)),
    shape(
        "NVIDIA, Pinecone, LangSmith, Tavily",
        &["nvapi-", "pcsk_", "lsv2_pt_", "lsv2_sk_", "tvly-"],
        with_digit(32, Word),
    ),
    shape("Hugging Face", &["hf_"], at_least(34, Alnum)),
    shape("Replicate", &["r8_"], with_digit(37, Alnum)),
    // Operations.
    shape("Sentry", &["sntrys_", "sntryu_"], with_digit(40, Base64)),
    shape("Grafana", &["glsa_", "glc_"], with_digit(32, Base64)),
    shape("New Relic", &["NRAK-"], with_digit(27, Alnum)),
    shape("Linear", &["lin_api_", "lin_oauth_"], at_least(40, Alnum)),
    shape("Notion", &["ntn_"], with_digit(40, Alnum)),
    shape("Postman", &["PMAK-"], with_digit(50, Word)),
    shape("1Password", &["ops_eyJ"], at_least(64, Base64)),
    shape("age", &["AGE-SECRET-KEY-1"], at_least(58, Upper)),
];

/// Returns what to redact of a token of `shape` that begins at `at`.
pub(super) fn find_token(shape: &Shape, text: &str, at: usize) -> Option<Range<usize>> {
    let (alphabet, min, max, digit) = match shape.rest {
        Special(find) => return find(text, at),
        Rest::Run {
            alphabet,
            min,
            max,
            digit,
        } => (alphabet, min, max, digit),
    };
    let bytes = text.as_bytes();
    let found = bytes.get(at..)?;
    let is_start = |start: &&&str| found.starts_with(start.as_bytes());
    let start = shape.starts.iter().find(is_start)?;
    if !starts_word(bytes, at) {
        return None;
    }
    let rest = found.get(start.len()..)?;
    let head = rest.get(..LOOK_AHEAD).unwrap_or(rest);
    let head_len = run_len(head, alphabet);
    let head = head.get(..head_len)?;
    if head_len < min || digit && !head.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let len = if head_len < LOOK_AHEAD || head_len > max {
        head_len
    } else {
        run_len(rest, alphabet)
    };
    if len > max {
        return None;
    }
    let is_kept = start.ends_with(|last: char| !last.is_ascii_alphanumeric());
    let first = if is_kept { at + start.len() } else { at };
    Some(first..at + start.len() + len)
}

/// Returns how many bytes of `alphabet` are at the beginning of `bytes`.
pub(super) fn run_len(bytes: &[u8], alphabet: Alphabet) -> usize {
    bytes.iter().take_while(|&&byte| alphabet.has(byte)).count()
}

/// Returns whether a word may begin at `at`: after no letter or digit, or after an escaped character
/// (`%20`, `\n`, `\u0022`).
pub(super) fn starts_word(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    match before {
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., b'\\', b'n' | b'r' | b't'] | [.., b'\\', b'u', _, _, _, _] => true,
        _ => !before.last().is_some_and(u8::is_ascii_alphanumeric),
    }
}
