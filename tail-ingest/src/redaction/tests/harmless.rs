//! Logged data that is not secret, and must be stored as it was.

use super::*;

/// Members of logged data.
const FIELDS: &str = "
    level message msg text time timestamp ts name hostname pid v severity severityText logger event
    event_name kind type status statusCode status_code code error_code errorCode exit_code websocket_code
    country_code zip_code postcode codec encoding method path url route host port protocol query params
    headers body duration duration_ms durationMs cpu_ms wall_time bytes size count total limit offset page
    page_token pageToken next_token nextToken nextPageToken continuation_token syncToken cursor prompt_tokens
    completion_tokens total_tokens max_tokens maxTokens token_count tokenCount token_type tokenType tokenizer
    input_tokens output_tokens cached_tokens key keys cache_key cacheKey primary_key foreign_key public_key
    publicKey idempotency_key idempotencyKey object_key partition_key sort_key keyboard keyword keywords
    monkey author authors authorId author_name authority authenticated auth_method authMethod auth_type
    pass passed passes passing bypass compass passenger passport_country session session_id sessionId sid
    callSid messageSid accountSid signature state stack cause errors user user_id userId username email
    role tenant region colo country city ip ray rayId cf_ray trace_id traceId span_id request_id requestId
    correlation_id correlationId order order_id orderId amount currency price quantity sku product cart
    invoice customer shipping mapping typing pinned spinner opinion option options section sector secure
    seconds secondary security_group secretary secretariat undersecretary cook cooking credit credits
    retry retries attempt queue batch_size cron scheduledTime bucket object etag version build commit sha
    branch tag feature flag variant locale language timezone user_agent device browser os latency p99";

/// Request headers.
const HEADERS: &str = "
    accept accept-encoding accept-language cache-control cf-connecting-ip cf-ipcountry cf-ray cf-visitor
    cf-worker connection content-encoding content-length content-type date dnt etag expect forwarded from
    host if-match if-modified-since if-none-match idempotency-key keep-alive origin pragma priority range
    referer sec-ch-ua sec-fetch-dest sec-fetch-mode sec-fetch-site sec-websocket-extensions
    sec-websocket-key sec-websocket-version surrogate-key te traceparent tracestate upgrade
    upgrade-insecure-requests user-agent via x-author x-b3-spanid x-b3-traceid x-cache-key
    x-correlation-id x-datadog-trace-id x-forwarded-for x-forwarded-host x-forwarded-proto
    x-github-delivery x-github-event x-idempotency-key x-real-ip x-request-id x-requested-with
    x-shopify-topic x-trace-id baggage b3 sentry-trace";

/// Parameters of queries and forms.
const PARAMETERS: &str = "
    q query search keyword keywords author authors page per_page limit offset sort order filter tag
    category id ids user user_id product sku lang locale currency utm_source utm_medium utm_campaign gclid
    fbclid ref source redirect_uri return_to next callback format fields include expand from to start end
    lat lng zoom width height quality v version state scope response_type client_id grant_type token_type
    nonce prompt display page_token pageToken cursor X-Amz-Algorithm X-Amz-Date X-Amz-Expires
    X-Amz-SignedHeaders sv se sp sr st spr keys cache_key zipcode promo_code error error_code passed
    compass session_id tab view theme debug";

/// Messages, URLs, stacks and values.
pub(super) const TEXTS: &[&str] = &[
    "",
    "ok",
    "user 42 logged in",
    "password changed",
    "invalid password",
    "Invalid password: must have 8 characters",
    "token expired",
    "token: expired",
    "Unexpected token < in JSON at position 0",
    "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    "Unexpected token: '}'",
    "SyntaxError: missing ) after argument list",
    "the key to success",
    "key=value",
    "pass=12 fail=0 skip=1",
    "code=ECONNRESET errno=-104",
    "failed; code=ECONNRESET; syscall=read",
    "exit code: 1",
    "session started; id=42",
    "done; key=orders; code=7",
    "Cookie: none",
    "Authorization: see the docs",
    "pin: the tab",
    "vck_ and tskey- are prefixes",
    "key-value pairs and key-0 to key-9",
    "author=alice keyword=shoes",
    "Bearer of bad news",
    "bearer tokens are not accepted here",
    "Bearer authentication-is-required",
    "Bearer realm=\"example\"",
    "WWW-Authenticate: Bearer error=\"invalid_request\"",
    "Basic prose",
    "Basic auth is off",
    "Basic authentication required",
    "Basic realm=\"example\"",
    "basic plan, 3 seats",
    "basic example with some words",
    "https://shop.example/search?author=alice&keyword=shoes&page=2",
    "https://shop.example/search?q=secret+santa&sort=price",
    "https://shop.example/o/7?page_token=CAUQAA&nextToken=abc",
    "https://shop.example/authors/token/password/reset",
    "https://shop.example/keys/public?format=pem",
    "https://auth.example/authorize?response_type=none&client_id=a&state=xyz&scope=openid",
    "https://shop.example/#section-2",
    "https://shop.example:8443/a/b/c.html#top",
    "https://alice@shop.example/",
    "https://shop.example/@alice:matrix.example/status/1",
    "mailto:alice@example.com",
    "git@github.com:tailrace/tailrace.git",
    "ssh://git@github.com/tailrace/tailrace.git",
    "postgres://db.example:5432/orders?sslmode=require",
    "wss://rt.example/room/7?since=1700000000",
    "s3://bucket/orders/2026/11/25/1.json",
    "file:///srv/app/dist/index.js",
    "GET /orders/7 200 12ms",
    "POST https://api.example/v1/orders?dry_run=true failed: 429 Too Many Requests",
    "GET /api/webhooks/42/deliveries 200",
    "0af7651916cd43dd8448eb211c80319c",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "9c41d2e0aa10beef-VIE",
    "550e8400-e29b-41d4-a716-446655440000",
    "01HF7YAT00000000000000000A",
    "d41d8cd98f00b204e9800998ecf8427e",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "eyJpZCI6NDIsIm5leHQiOnRydWV9",
    "cursor eyJpZCI6NDIsImNyZWF0ZWQiOiIyMDI2LTExLTI1In0=",
    "2026-11-25T10:00:00.001Z",
    "2026-11-25 10:00:00,001+0000",
    "Wed, 25 Nov 2026 10:00:00 GMT",
    "12:34:56:A listing of times",
    "port 12345:All interfaces",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "text/html; charset=utf-8",
    "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
    "max-age=31536000; includeSubDomains; preload",
    "public, max-age=60, stale-while-revalidate=30",
    "for=203.0.113.77;proto=https",
    "Error: boom\n    at fetchOrder (file:///srv/app/src/orders.js:12:34)\n    at async handler (index.js:5:3)",
    "TypeError: Cannot read properties of undefined (reading 'token')",
    "TypeError: Cannot read properties of undefined (reading 'password')\n    at login (worker.js:120:17)",
    "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT",
    "SELECT * FROM tokens WHERE key = ? AND code = ?",
    "INSERT INTO sessions (id, token) VALUES (?, ?)",
    "if (token === undefined) return",
    "const key = await crypto.subtle.generateKey()",
    "<input type=\"password\" name=\"pass\">",
    "class=\"sk-loading-spinner sk-circle-fade-dot\"",
    "sk-estonia-2 and task-list-item-checkbox-20",
    "pk_live_is_a_publishable_key",
    "npm_config_cache and npm_lifecycle_event",
    "npm_package_dependencies_react_router_dom",
    "github_path gho st ghp_",
    "AKIA is a prefix, ASIA a continent",
    "xoxo-lovely",
    "SK telecom, SG. office, AC 1",
    "SG.UN.2026 report",
    "hvs. was said",
    "/webhooks/123/events",
    "/api/webhooks/123456789012345678",
    "MTA and NTE and OTA are abbreviations",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "{\"level\":\"info\",\"message\":\"done\",\"key\":\"orders/1.json\",\"token_count\":12}",
    "{\"hasPassword\":true,\"cookieConsent\":false,\"max_tokens\":4096,\"author\":\"alice\"}",
    "{ key: 'orders/1.json', code: 'E1', author: 'alice' }",
    "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20},\"next_token\":\"CAUQAA\"}",
    "level=info msg=\"request done\" status=200 duration=12ms path=/orders?page=2",
    "100% done; 50% of tokens used",
    "a=1&b=2;c=3?d=4#e=5",
    "x?y:z",
    "what? yes; no & maybe = never",
    "π = 3.14159; e = 2.71828",
    "日本語のログ: 成功",
    "🔑 key rotated",
];

#[test]
fn harmless_names_are_kept() {
    let redactor = Redactor::default();
    let mut count = 0;
    for name in FIELDS.split_whitespace() {
        assert_eq!(redactor.judge_field(name), Verdict::Keep, "{name}");
        count += 1;
    }
    for name in HEADERS.split_whitespace() {
        assert_eq!(redactor.judge_header(name), Verdict::Keep, "{name}");
        count += 1;
    }
    for name in PARAMETERS.split_whitespace() {
        assert_eq!(redactor.judge_parameter(name), Verdict::Keep, "{name}");
        let query = format!("https://a.example/?{name}=value&x=1");
        assert_eq!(redactor.redact_text(&query), query);
        count += 1;
    }
    assert!(count > 300, "{count} names");
}

#[test]
fn harmless_texts_are_kept() {
    assert!(TEXTS.len() > 90);
    for text in TEXTS {
        assert_eq!(redact(text), *text);
    }
}
