//! `tailrace ui` as a browser and as a stranger meet it, against a stand-in for the API on SQLite. `scripts/ui-tests` drives
//! the page itself in a real browser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::process::Stdio;

use futures_util::StreamExt as _;
use log_record::Level;
use log_record::archive::{Counts, Rows};
use reqwest::{Client, Response, header};
use serde_json::{Value, json};
use support::{Cloud, Row, bare};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A tab that is live.
type Tab = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A running page, and a visitor who has the cookie.
struct Page {
    _process: Child,
    url: String,
    origin: String,
    cookie: String,
}

impl Page {
    async fn start(cloud: &Cloud, more: &[&str]) -> Self {
        let port = cloud.port().to_string();
        let mut arguments = vec!["ui", "--no-browser", "--local", &port];
        arguments.extend_from_slice(more);
        Self::of(bare(&arguments)).await
    }

    async fn of(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut url)
            .await
            .unwrap();
        let url = url.trim().to_owned();
        let (origin, _) = url.split_once("/?key=").unwrap();
        let entered = Client::new().get(&url).send().await.unwrap();
        let cookie = entered.headers()[header::SET_COOKIE].to_str().unwrap();
        let (cookie, _) = cookie.split_once(';').unwrap();
        Self {
            origin: origin.to_owned(),
            cookie: cookie.to_owned(),
            _process: process,
            url,
        }
    }

    async fn get(&self, path: &str) -> Response {
        Client::new()
            .get(format!("{}{path}", self.origin))
            .header(header::COOKIE, &self.cookie)
            .send()
            .await
            .unwrap()
    }

    /// Follows `query`, as a tab does that is live.
    async fn follow_query(&self, query: &str) -> Tab {
        let address = self.origin.replacen("http", "ws", 1);
        let mut request = format!("{address}/api/live?q={query}")
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert(header::COOKIE, self.cookie.parse().unwrap());
        headers.insert(header::ORIGIN, self.origin.parse().unwrap());
        connect_async(request).await.unwrap().0
    }

    /// The lines of an answer that comes line by line.
    async fn lines(&self, path: &str) -> Vec<Value> {
        let text = self.get(path).await.text().await.unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Rows of the last hours, one a minute.
async fn minutes(count: i64) -> Cloud {
    let now = chrono::Utc::now().timestamp_millis();
    let rows: Vec<_> = (0..count)
        .map(|minute| Row::at(now - 1000 - minute * 60_000, &format!("m{minute}")))
        .collect();
    Cloud::with(&rows).await
}

/// Statements that were asked and hold `text`.
async fn asked(cloud: &Cloud, text: &str) -> usize {
    let bodies = cloud.bodies().await;
    bodies.iter().filter(|body| body.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_have_ports_secrets_and_cookies_of_their_own() {
    let cloud = Cloud::start().await;
    let first = Page::start(&cloud, &["--listen", "127.0.0.1:0"]).await;
    let taken = first.origin.strip_prefix("http://").unwrap();
    let second = Page::start(&cloud, &["--listen", taken]).await;
    assert_ne!(first.origin, second.origin);
    let (name, cookie) = first.cookie.split_once('=').unwrap();
    let (other_name, other_cookie) = second.cookie.split_once('=').unwrap();
    assert_ne!(name, other_name);
    assert_ne!(cookie, other_cookie);
    assert!(taken.ends_with(&name.replace("tailrace_", ":")), "{name}");
    // The secret of one does not open the other.
    let (_, key) = first.url.split_once("/?").unwrap();
    let refused = Client::new()
        .get(format!("{}/?{key}", second.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sees_nothing_and_every_answer_is_hardened() {
    let cloud = minutes(1).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    for path in ["/", "/main.js", "/api/about", "/api/logs", "/nothing"] {
        let stranger = Client::new()
            .get(format!("{}{path}", page.origin))
            .send()
            .await
            .unwrap();
        assert_eq!(stranger.status(), 403, "{path}");
        for answer in [stranger, page.get(path).await] {
            let headers = answer.headers();
            let text = |name: &str| headers[name].to_str().unwrap().to_owned();
            assert_eq!(text("cache-control"), "no-store");
            assert_eq!(text("referrer-policy"), "no-referrer");
            assert_eq!(text("x-content-type-options"), "nosniff");
            let policy = text("content-security-policy");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!headers.contains_key("access-control-allow-origin"));
        }
    }
    assert_eq!(page.get("/nothing").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_never_reaches_the_page() {
    let cloud = minutes(1).await;
    let command = cloud.command(&["ui", "--no-browser", "--listen", "0"]);
    let page = Page::of(command).await;
    for path in [
        "/",
        "/api/about",
        "/api/logs",
        "/api/counts",
        "/api/command",
    ] {
        let text = page.get(path).await.text().await.unwrap();
        assert!(!text.contains(support::TOKEN), "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_on_this_machine_alone() {
    let cloud = Cloud::start().await;
    let ran = cloud.run_local(&["ui", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(ran.code, 2);
    ran.warns("0.0.0.0:0 is not an address of this machine alone");
    ran.warns("ssh -L");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_gets_a_file_and_not_the_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let cloud = Cloud::start().await;
    let folder = tempfile::tempdir().unwrap();
    let opener = folder.path().join("xdg-open");
    std::fs::write(
        &opener,
        "#!/bin/sh\n/bin/cp \"$1\" \"$OUT/file\"\n/bin/ls -l \"$1\" > \"$OUT/mode\"\necho \"$@\" > \"$OUT/done\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let port = cloud.port().to_string();
    let mut command = bare(&["ui", "--local", &port, "--listen", "0"]);
    command
        .env("PATH", folder.path())
        .env("OUT", folder.path())
        .env("TMPDIR", folder.path());
    let page = Page::of(command).await;
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    for _ in 0..400 {
        if !read("done").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let (_, key) = page.url.split_once("key=").unwrap();
    assert!(read("file").contains(&page.url), "{}", read("file"));
    assert!(read("mode").starts_with("-rw-------"), "{}", read("mode"));
    assert!(!read("done").contains(key), "{}", read("done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_newest_first_and_page_by_key() {
    let cloud = minutes(450).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let mut seen = Vec::new();
    let mut path = "/api/logs?since=24h".to_owned();
    loop {
        let lines = page.lines(&path).await;
        let end = lines.last().unwrap().clone();
        let rows: Vec<_> = lines
            .iter()
            .filter_map(|line| line["rows"].as_array())
            .flatten()
            .cloned()
            .collect();
        seen.extend(
            rows.iter()
                .map(|row| row["message"].as_str().unwrap().to_owned()),
        );
        if end["more"] != true {
            break;
        }
        let last = rows.last().unwrap();
        path = format!(
            "/api/logs?since=24h&before_time={}&before_id={}",
            last["timestamp"].as_str().unwrap(),
            last["id"].as_str().unwrap()
        );
    }
    let expected: Vec<_> = (0..450).map(|minute| format!("m{minute}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_is_counted_once() {
    let cloud = minutes(300).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let count = async |path: &str| {
        let before = asked(&cloud, "GROUP BY").await;
        let lines = page.lines(path).await;
        let total = lines.last().unwrap()["total"].clone();
        (total, asked(&cloud, "GROUP BY").await - before)
    };
    let (total, first) = count("/api/counts?since=24h").await;
    assert_eq!(total, 300);
    let (total, second) = count("/api/counts?since=24h").await;
    assert_eq!(total, 300);
    assert!(second < first, "{second} statements after {first}");
    // What arrived late is seen where it is counted again.
    let late = chrono::Utc::now().timestamp_millis() - 3 * 3_600_000 - 7_000;
    cloud.insert(&Row::at(late, "late"));
    assert_eq!(count("/api/counts?since=24h").await.0, 300);
    assert_eq!(count("/api/counts?since=24h&refresh=true").await.0, 301);
    assert_eq!(count("/api/counts?since=24h").await.0, 301);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_given_up_is_not_asked_on() {
    let cloud = minutes(600).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    cloud
        .state()
        .delays
        .push(("/raw", std::time::Duration::from_millis(40)));
    let mut answer = page.get("/api/counts?since=7d").await;
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    let before = asked(&cloud, "GROUP BY").await;
    for _ in 0..10 {
        let gone = page.get("/api/record?timestamp=2026&id=x").await;
        assert_eq!(gone.status(), 404);
    }
    let after = asked(&cloud, "GROUP BY").await;
    // What had begun, and one more that was about to.
    assert!(after <= before + 2, "{before} statements, then {after}");
}

/// The next text that a live tab is sent.
async fn next_text(tab: &mut Tab) -> String {
    let message = tab.next().await.unwrap().unwrap();
    message.into_text().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_look_serves_eight_live_tabs() {
    let cloud = minutes(5).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let mut tabs = Vec::new();
    for number in 0..8 {
        // Each with a search of its own.
        tabs.push(page.follow_query(&format!("arrived+-no{number}")).await);
    }
    for tab in &mut tabs {
        next_text(tab).await;
    }
    let now = chrono::Utc::now().timestamp_millis();
    cloud.insert(&Row::at(now, "passed"));
    cloud.insert(&Row::at(now, "arrived"));
    let before = asked(&cloud, "datetime('now')").await;
    let mut looks = 0;
    for (index, tab) in tabs.iter_mut().enumerate() {
        let mut text = String::new();
        while !text.contains("arrived") {
            text = next_text(tab).await;
            assert!(!text.contains("passed"), "{text}");
            looks += usize::from(index == 0);
        }
    }
    let clocks = asked(&cloud, "datetime('now')").await - before;
    assert!(clocks <= looks + 2, "{clocks} looks for {looks} answers");
    drop(tabs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_found_by_any_id_and_laid_out() {
    let rows = [
        Row::line(0, "first").ids("trace-of-one", "ray-1"),
        Row::line(40, "second")
            .ids("trace-of-one", "ray-2")
            .level("error"),
        Row::line(50, "other").ids("trace-of-two", "ray-3"),
    ];
    let cloud = Cloud::with(&rows).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let json = async |path: &str| page.get(path).await.json::<Value>().await.unwrap();
    for id in ["trace-of-one", "trace-of-o"] {
        let trace = json(&format!("/api/trace?id={id}")).await;
        assert_eq!(trace["id"], "trace-of-one");
        assert_eq!(trace["span_ms"], 40);
        assert_eq!(trace["failures"], 1);
        assert_eq!(trace["invocations"].as_array().unwrap().len(), 2);
    }
    let one = json("/api/trace?id=ray-2").await;
    assert_eq!(
        (&one["one_request"], &one["records"]),
        (&true.into(), &1.into())
    );
    let several = json("/api/trace?id=trace-of").await;
    assert_eq!(several["candidates"].as_array().unwrap().len(), 2);
    let unknown = page.get("/api/trace?id=nobody").await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_happened_and_what_to_do() {
    let cloud = minutes(1).await;
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let mistake = page.get("/api/logs?since=tomorrow").await;
    assert_eq!(mistake.status(), 400);
    let text = mistake.text().await.unwrap();
    assert!(text.contains("\\\"tomorrow\\\" is not a time"), "{text}");
    cloud.outage("/raw");
    let lines = page.lines("/api/logs").await;
    let last = lines.last().unwrap();
    assert!(
        last["error"].is_string() && last["hint"].is_string(),
        "{last}"
    );
}

/// An invocation of four records, two of them rows where D1 has an index.
fn archived_request() -> Vec<Row> {
    const HOUR_MS: i64 = 3_600_000;
    let now = chrono::Utc::now().timestamp_millis();
    // The middle of the hour before, so that all of it is in one object.
    let at = now / HOUR_MS * HOUR_MS - HOUR_MS / 2;
    let run = json!({"event_type": "fetch", "latency_ms": 30});
    let line = |ms: i64, text: &str| {
        Row::at(at + ms, text)
            .ids("trace-1", "ray-1")
            .kind("log", &json!({"event_type": "fetch"}))
    };
    vec![
        line(0, "ran").kind("invocation", &run),
        line(10, "first"),
        line(20, "second"),
        line(30, "broke").level("error"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_reads_what_is_in_the_archive_alone() {
    let cloud = Cloud::start().await;
    let keys = cloud.write_slice(Rows::Index, &[archived_request()]);
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let trace = async || {
        let answer = page.get("/api/trace?id=trace-1").await;
        answer.json::<Value>().await.unwrap()
    };
    let found = trace().await;
    assert_eq!(found["records"], 4, "{found}");
    assert_eq!(found["invocations"][0]["lines"][1]["message"], "second");
    let nothing_to_say = json!({"left_out": null, "expired": 0, "failure": null});
    assert_eq!(found["archive"], nothing_to_say);
    cloud.state().objects.remove(&keys[0]);
    let found = trace().await;
    assert_eq!(found["records"], 2, "{found}");
    assert_eq!(found["archive"]["expired"], 1, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_offer_what_is_in_the_archive_alone() {
    let cloud = Cloud::start().await;
    let records = archived_request();
    cloud.write_slice(Rows::Index, std::slice::from_ref(&records));
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let json = async |path: &str| page.get(path).await.json::<Value>().await.unwrap();
    let lines = page.lines("/api/logs?since=3h").await;
    let rows: Vec<_> = lines
        .iter()
        .filter_map(|line| line["rows"].as_array())
        .flatten()
        .collect();
    assert_eq!(rows.len(), 2, "{lines:?}");

    let offer = json("/api/archive?since=3h").await;
    assert_eq!(offer["objects"], 1);
    assert!(
        offer["shown"].as_str().unwrap().starts_with("1 object of "),
        "{offer}"
    );
    // Errors are rows.
    let offer = json("/api/archive?since=3h&q=level:error").await;
    assert_eq!(offer, json!({"objects": 0, "shown": null}));

    let messages = |found: &Value| {
        let rows = found["rows"].as_array().unwrap().iter();
        rows.map(|row| row["message"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let found = json("/api/archive/records?since=3h").await;
    assert_eq!(messages(&found), ["broke", "second", "first", "ran"]);
    assert_eq!(
        (&found["left_out"], &found["reached"]),
        (&Value::Null, &Value::Null)
    );
    let found = json("/api/archive/records?since=3h&q=second").await;
    assert_eq!(messages(&found), ["second"]);
    // A row of the list opens.
    let (timestamp, id) = (&records[2].timestamp, &records[2].log_id);
    let record = json(&format!("/api/record?timestamp={timestamp}&id={id}")).await;
    assert_eq!(record["message"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_the_archive_is_read_than_without_asking() {
    let cloud = Cloud::start().await;
    let records = archived_request();
    let mut counts = Counts::default();
    counts.add("api", Level::Info);
    let timestamp = &records[0].timestamp;
    for _ in 0..301 {
        cloud.list_object(Rows::Index, timestamp, timestamp, 10, &counts);
    }
    let page = Page::start(&cloud, &["--listen", "0"]).await;
    let answer = page.get("/api/archive/records?since=3h").await;
    let found: Value = answer.json().await.unwrap();
    assert_eq!(found["expired"], 300, "{found}");
    assert!(
        found["left_out"]
            .as_str()
            .unwrap()
            .starts_with("1 object of "),
        "{found}"
    );
    assert_eq!(found["reached"], json!(timestamp));
    assert_eq!(cloud.objects_read().len(), 300);
}
