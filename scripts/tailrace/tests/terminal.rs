//! Prompts, as somebody at a terminal meets them.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use support::{Cloud, Ran, Row};

/// The most that a run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The end of each question.
const QUESTION: &str = "[y/N] ";

/// Runs with a terminal for questions, and gives `answer` to each of them.
async fn run_at_terminal(cloud: &Cloud, arguments: &[&str], answer: &'static str) -> Ran {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = cloud.command(arguments);
    command
        .stdin(Stdio::from(terminal.slave.try_clone().unwrap()))
        .stdout(Stdio::piped())
        .stderr(Stdio::from(terminal.slave));
    let child = command.spawn().unwrap();
    // Ours are closed, so that reading ends with the program.
    drop(command);
    let mut terminal = File::from(terminal.master);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut seen, mut bytes, mut answered) = (String::new(), [0; 4096], 0);
        // On Linux a terminal that nobody has open any more is an error.
        while let Ok(count) = terminal.read(&mut bytes) {
            if count == 0 {
                break;
            }
            seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            while seen.matches(QUESTION).count() > answered {
                answered += 1;
                writeln!(terminal, "{answer}").unwrap();
            }
        }
        seen
    });
    let both = async {
        (
            child.wait_with_output().await.unwrap(),
            reading.await.unwrap(),
        )
    };
    let (output, seen) = tokio::time::timeout(LIMIT, both).await.unwrap();
    let mut ran = Ran::from(output);
    ran.stderr = seen;
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_asked_about() {
    let cloud = Cloud::with(&[Row::line(0, "line 7")]).await;
    let statement = "SELECT count(*) AS n FROM tail_logs WHERE message LIKE '%7'";
    let ran = run_at_terminal(&cloud, &["sql", statement], "y").await;
    ran.warns("account 0123456789abcdef, the main environment, database tailrace");
    ran.warns("this statement may read every row of tail_logs (SCAN tail_logs)");
    ran.warns("Run it? [y/N] ");
    assert_eq!(
        (ran.code, ran.json()),
        (0, vec![json!({"n": 1})]),
        "{ran:?}"
    );
    for answer in ["n", "", "maybe"] {
        let ran = run_at_terminal(&cloud, &["sql", statement], answer).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        ran.warns("error: the statement was not sent");
        ran.warns("hint: narrow it");
    }
    let sent = cloud.bodies().await;
    let counts = |body: &&String| body.contains("count(*)") && !body.contains("EXPLAIN");
    assert_eq!(sent.iter().filter(counts).count(), 1, "{sent:?}");
}

/// Records that hold the fixed text of an expression and do not match it, of 114 MB, and one before them that does.
async fn much_to_read() -> Cloud {
    let now = chrono::Utc::now().timestamp_millis();
    let cloud = Cloud::with(&[Row::at(now - 3_000_000, "took-1-min")]).await;
    let long = format!("took-long {}", "y".repeat(1_900_000));
    for n in 1..=60 {
        cloud.insert(&Row::at(now - n * 30_000, &long));
    }
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_100_mb_are_asked_about() {
    let cloud = much_to_read().await;
    let search = ["logs", "--grep", r"took-\d+-min", "-E"];
    let ran = run_at_terminal(&cloud, &search, "y").await;
    ran.warns("MB were read, as far as 2");
    ran.warns("Read on? [y/N] ");
    assert_eq!((ran.code, ran.messages().len()), (0, 1), "{ran:?}");
    // Nobody can be asked.
    let ran = cloud.run(&search).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    ran.warns("stopped at 2");
    ran.warns("as more than 100 MB would be read\nhint: --yes reads on");
    let ran = cloud.run(&[&search[..], &["--yes"]].concat()).await;
    assert_eq!(
        (ran.code, ran.messages()),
        (0, vec!["took-1-min"]),
        "{ran:?}"
    );
}
