//! A copied checkout works on itself, and installs and compiles nothing again; so does one that is moved.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::workspace::RUST_WORKERS;
use checkout::{Workspace, process};

/// Runs `cargo xtask` in the checkout at `root`, and returns what it says.
fn xtask(root: &Path, arguments: &[&str]) -> String {
    let output = process::cargo()
        .arg("xtask")
        .args(arguments)
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(root)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{stderr}");
    stderr
}

/// Makes sure that in the checkout at `root` everything is there already.
#[track_caller]
fn expect_nothing_to_do(root: &Path) {
    let stderr = xtask(root, &["build"]);
    for work in ["Compiling", "==> installing", "==> compiling"] {
        assert!(!stderr.contains(work), "in {}:\n{stderr}", root.display());
    }
}

/// Copies a file or a folder with all that is in it. The times of files are kept, since cargo goes by them. A large file is
/// the same file twice, where the system allows it: nobody writes into those, they are replaced.
fn copy(from: &Path, to: &Path) {
    let metadata = fs::symlink_metadata(from).unwrap();
    if metadata.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        return;
    }
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    if metadata.is_symlink() {
        symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else if metadata.len() < LARGE || fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
        let file = File::options().append(true).open(to).unwrap();
        file.set_modified(metadata.modified().unwrap()).unwrap();
    }
}

/// The size of a large file, in bytes.
const LARGE: u64 = 50_000;

/// Copies the checkout at `root` with what set-up and builds have put into it.
fn copy_checkout(root: &Path, to: &Path) {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let listed = listed.split('\0').map(PathBuf::from);
    let built = RUST_WORKERS.map(|(_, folder)| Path::new(folder).join("build"));
    let others = [
        ".tools/bin",
        "wrangler/node_modules",
        "target/debug/.fingerprint",
        "target/debug/build",
        "target/debug/deps",
    ];
    let names = listed.chain(built).chain(others.map(PathBuf::from));
    // A file that is deleted may still be listed.
    for name in names.filter(|name| !name.as_os_str().is_empty() && root.join(name).exists()) {
        copy(&root.join(&name), &to.join(&name));
    }
}

/// Returns what tells a file from another one that took its place.
fn file_identity(program: &Path) -> (u64, u64) {
    let metadata = fs::metadata(program).unwrap();
    (metadata.dev(), metadata.ino())
}

#[test]
fn a_copied_checkout_works_on_itself_without_building_anew() {
    let workspace = Workspace::find().unwrap();
    let root = workspace.root();
    // Whatever has changed since is compiled before. The tests' own program is the same one: others start it meanwhile.
    let program = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let before = file_identity(program);
    xtask(root, &["build"]);
    assert_eq!(
        file_identity(program),
        before,
        "a feature is missing in scripts/shared-features"
    );
    // On the same file system as the checkout, whatever that is.
    let below = root.join("target/tmp");
    fs::create_dir_all(&below).unwrap();
    let folder = tempfile::tempdir_in(below).unwrap();
    let [copied, moved] = ["copied", "moved"].map(|name| folder.path().join(name));
    copy_checkout(root, &copied);
    for checkout in [root, &copied] {
        expect_nothing_to_do(checkout);
    }
    fs::rename(&copied, &moved).unwrap();
    expect_nothing_to_do(&moved);

    // What a command writes, it writes where it is called.
    let before = fs::read(root.join("tailrace.toml")).ok();
    xtask(&moved, &["deploy", "--init"]);
    assert!(moved.join("tailrace.toml").exists());
    assert_eq!(fs::read(root.join("tailrace.toml")).ok(), before);
}
