//! A reader that goes away: the exit code is that of what is left, for scripts build on it.

use std::process::Stdio;

use crate::support::Cloud;
use crate::support::letters::{cloud_of, each_once, left};

/// Runs into a pipe that nobody reads; returns the exit code.
async fn run_unread(cloud: &Cloud, arguments: &[&str]) -> i32 {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = cloud.command(arguments);
    command.stdout(writer).stderr(Stdio::null());
    command.status().await.unwrap().code().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_that_nobody_reads_changes_no_exit_code() {
    let cloud = cloud_of(5).await;
    assert_eq!(run_unread(&cloud, &["replay", "--limit", "1"]).await, 1);
    assert_eq!(left(&cloud), 4);
    assert_eq!(run_unread(&cloud, &["replay"]).await, 0);
    each_once(&cloud, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_nobody_reads_is_a_failure() {
    let cloud = cloud_of(120).await;
    for dry in [&["--dry-run"][..], &["--dry-run", "--all"], &[]] {
        let arguments = [&["replay", "--export", "-"], dry].concat();
        assert_eq!(run_unread(&cloud, &arguments).await, 1, "{arguments:?}");
        assert_eq!(left(&cloud), 120);
    }
}
