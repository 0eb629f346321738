//! Getting in with wrangler's login, and with ids that were looked up before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use support::{Cloud, Ran, Row, TOKEN};
use tempfile::TempDir;
use tokio::process::Command;

/// A wrangler that notes how it was called and does what `script` says.
fn wrangler(folder: &Path, script: &str) -> PathBuf {
    let program = folder.join("wrangler");
    let notes = folder.join("calls");
    let text = format!(
        "#!/bin/sh\necho \"$PWD $*\" >> {}\n{script}\n",
        notes.display()
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn calls(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// `tailrace` without a token of its own.
fn tokenless(cloud: &Cloud, arguments: &[&str]) -> Command {
    let mut command = cloud.command(arguments);
    command.env_remove("CLOUDFLARE_API_TOKEN");
    command
}

async fn ran(command: &mut Command) -> Ran {
    command.output().await.unwrap().into()
}

fn oauth(token: &str) -> String {
    format!(r#"echo '{{"type": "oauth", "token": "{token}"}}'"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn wranglers_login_is_asked_for_once_in_the_current_folder() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let program = wrangler(folder.path(), &oauth(TOKEN));
    let mut command = tokenless(&cloud, &["logs"]);
    command
        .env("TAILRACE_WRANGLER", &program)
        .current_dir(folder.path());
    let ran = ran(&mut command).await;
    assert_eq!(ran.messages(), ["here"], "{}", ran.stderr);
    let here = folder.path().canonicalize().unwrap();
    let expected = format!("{} auth token --json", here.display());
    assert_eq!(calls(folder.path()), [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkouts_wrangler_comes_before_the_one_on_path() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let checkout = folder.path().join("checkout");
    let bin = checkout.join("wrangler/node_modules/.bin");
    wrangler(&bin, &oauth(TOKEN));
    std::fs::write(checkout.join("wrangler/tail-ingest.toml"), "").unwrap();
    let deep = checkout.join("docs/deep");
    std::fs::create_dir_all(&deep).unwrap();
    let elsewhere = folder.path().join("bin");
    wrangler(&elsewhere, &oauth(TOKEN));
    let path = format!("{}:/usr/bin:/bin", elsewhere.display());
    for (current, used) in [(&deep, &bin), (&folder.path().to_owned(), &elsewhere)] {
        let mut command = tokenless(&cloud, &["logs"]);
        command.env("PATH", &path).current_dir(current);
        let ran = ran(&mut command).await;
        assert_eq!(ran.messages(), ["here"], "{}", ran.stderr);
        assert_eq!(calls(used).len(), 1, "{}", used.display());
    }
    assert_eq!(calls(&bin).len(), 1);
}

/// wrangler's tokens last an hour, and `logs --follow` longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_expires_meanwhile_is_renewed() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let script = format!(
        "if [ $(wc -l < {}/calls) = 1 ]; then {}; else {}; fi",
        folder.path().display(),
        oauth("of-the-first-hour"),
        oauth("of-the-second-hour")
    );
    let program = wrangler(folder.path(), &script);
    cloud.state().token = "of-the-first-hour".to_owned();
    // Once the database is found, the token has expired.
    cloud.hook("/d1/database", |state| {
        state.token = "of-the-second-hour".to_owned();
    });
    let mut command = tokenless(&cloud, &["logs"]);
    command.env("TAILRACE_WRANGLER", &program);
    let ran = ran(&mut command).await;
    assert_eq!(ran.messages(), ["here"], "{}", ran.stderr);
    assert_eq!(calls(folder.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_stays_refused_is_asked_for_no_third_time() {
    let cloud = Cloud::with(&[]).await;
    let folder = TempDir::new().unwrap();
    let program = wrangler(folder.path(), &oauth("of-somebody-else"));
    let mut command = tokenless(&cloud, &["logs"]);
    command.env("TAILRACE_WRANGLER", &program);
    let ran = ran(&mut command).await;
    assert_eq!(ran.code, 1);
    ran.warns("401");
    assert!(!ran.stderr.contains("of-somebody-else"));
    assert_eq!(calls(folder.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_key_works_as_well() {
    let cloud = Cloud::with(&[]).await;
    let folder = TempDir::new().unwrap();
    let program = wrangler(
        folder.path(),
        r#"echo '{"type": "api_key", "key": "k-1", "email": "a@b.example"}'"#,
    );
    let mut command = tokenless(&cloud, &["logs"]);
    command.env("TAILRACE_WRANGLER", &program);
    // The stand-in knows tokens alone: what matters is what it was shown.
    let ran = ran(&mut command).await;
    assert_eq!(ran.code, 1);
    let headers = cloud.headers().await;
    let shown = |name: &str| {
        headers[0]
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(shown("x-auth-email").as_deref(), Some("a@b.example"));
    assert_eq!(shown("x-auth-key").as_deref(), Some("k-1"));
    assert_eq!(shown("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_had_is_explained() {
    let cloud = Cloud::with(&[]).await;
    let folder = TempDir::new().unwrap();
    for (script, words) in [
        (
            "echo '✘ [ERROR] Not logged in. Please run `wrangler login` to authenticate.' >&2; exit 1",
            "Not logged in.",
        ),
        ("echo '{\"type\": \"passkey\"}'", "is not understood"),
        ("exit 3", "without a word"),
    ] {
        let program = wrangler(folder.path(), script);
        let mut command = tokenless(&cloud, &["logs"]);
        command.env("TAILRACE_WRANGLER", &program);
        let ran = ran(&mut command).await;
        assert_eq!(ran.code, 1);
        ran.warns(words);
        ran.warns("hint: run `");
    }
    let mut command = tokenless(&cloud, &["logs"]);
    command.env("TAILRACE_WRANGLER", "/nonexistent/wrangler");
    let none = ran(&mut command).await;
    none.warns("/nonexistent/wrangler");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_names_account_environment_and_profile() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let program = wrangler(folder.path(), &oauth(TOKEN));
    let config = folder.path().join("tailrace/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let account = support::ACCOUNT;
    std::fs::write(
        &config,
        format!(
            "[context.work]\naccount = \"{account}\"\nprofile = \"work\"\noutput = \"json\"\n\
             [context.other]\naccount = \"{account}\"\nenv = \"staging\"\n"
        ),
    )
    .unwrap();
    let in_context = |arguments: &[&str]| {
        let mut command = tokenless(&cloud, arguments);
        command
            .env_remove("CLOUDFLARE_ACCOUNT_ID")
            .env("XDG_CONFIG_HOME", folder.path())
            .env("TAILRACE_WRANGLER", &program);
        command
    };
    let work = ran(&mut in_context(&["logs", "--context", "work"])).await;
    assert_eq!(work.json()[0]["message"], "here", "{}", work.stderr);
    assert!(calls(folder.path())[0].ends_with("auth token --json --profile=work"));
    // The account was named, so nobody was asked for it.
    assert!(
        !cloud
            .state()
            .calls
            .iter()
            .any(|call| call.ends_with("/accounts"))
    );
    // The command line wins over the context.
    let text = ran(&mut in_context(&[
        "logs",
        "--context",
        "work",
        "-o",
        "text",
    ]))
    .await;
    assert_eq!(text.messages(), ["here"]);
    // What the environment says is not overruled in silence, nor does it overrule what was just written.
    let mut elsewhere = in_context(&["logs", "--context", "work"]);
    let elsewhere = ran(elsewhere.env("CLOUDFLARE_ACCOUNT_ID", "fedcba")).await;
    assert_eq!((elsewhere.code, elsewhere.stdout.as_str()), (2, ""));
    elsewhere.warns("but CLOUDFLARE_ACCOUNT_ID is \"fedcba\"");
    elsewhere.warns("hint: unset CLOUDFLARE_ACCOUNT_ID");
    let other = ran(&mut in_context(&["logs", "--context", "other"])).await;
    other.warns("no D1 database named \"tailrace-staging\"");
    let unknown = ran(&mut in_context(&["logs", "--context", "wrok"])).await;
    assert_eq!(unknown.code, 2);
    unknown.warns("there are: other, work");
}

#[tokio::test(flavor = "multi_thread")]
async fn acting_elsewhere_than_deploy_is_said() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tailrace.toml");
    let config = file.display().to_string();
    let arguments = ["logs", "--config", &config];
    std::fs::write(&file, "account = \"fedcba\"\nretention_days = 3\n").unwrap();
    let elsewhere = cloud.run(&arguments).await;
    assert_eq!(elsewhere.messages(), ["here"], "{}", elsewhere.stderr);
    elsewhere.warns(
        "warning: this is the account 0123456789abcdef, but tailrace.toml deploys to fedcba",
    );
    // Where nothing else names an account, it is the one that is deployed to.
    std::fs::write(&file, format!("account = \"{}\"\n", support::ACCOUNT)).unwrap();
    let mut command = cloud.command(&arguments);
    command.env_remove("CLOUDFLARE_ACCOUNT_ID");
    let same = ran(&mut command).await;
    assert_eq!((same.code, same.stderr.as_str()), (0, ""));
    assert!(
        !cloud
            .state()
            .calls
            .iter()
            .any(|call| call.ends_with("/accounts"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_looked_up_once_and_again_where_they_are_gone() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let folder = TempDir::new().unwrap();
    let look = async || {
        cloud.state().calls.clear();
        let mut command = cloud.command(&["logs"]);
        command
            .env_remove("CLOUDFLARE_ACCOUNT_ID")
            .env("XDG_CACHE_HOME", folder.path());
        let ran = ran(&mut command).await;
        assert_eq!(ran.messages(), ["here"], "{}", ran.stderr);
        cloud.state().calls.len()
    };
    // What `logs` asks D1: the oldest time, rows, and the catalog of the archive.
    assert_eq!(look().await, 5, "account, database, and these");
    assert_eq!(look().await, 3, "these alone");
    // Deployed anew: the database has another id.
    cloud.state().database = "another-id".to_owned();
    assert_eq!(look().await, 7, "time, account, time, database, and these");
    assert_eq!(look().await, 3);
    // The token sees another account now.
    cloud.state().account = "another-account".to_owned();
    look().await;
    look().await;
    assert_eq!(look().await, 3);
    let file = folder.path().join("tailrace/ids.json");
    assert!(!std::fs::read_to_string(file).unwrap().contains(TOKEN));
}
