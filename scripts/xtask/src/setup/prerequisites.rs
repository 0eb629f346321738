//! The prerequisites on the machine. Everything is checked before anything is said, so that
//! one look at the list is enough.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::step::output;

/// The target that the Workers are compiled to.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The oldest Node that wrangler runs on. On Linux a newer one is among the npm packages.
const OLDEST_NODE: (u32, u32) = (22, 12);

/// The things about to be installed, and their prerequisites.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The npm packages.
    pub(super) npm: bool,
    /// worker-build, which is compiled with a C compiler, and on Linux against OpenSSL.
    pub(super) build_tools: bool,
}

/// Something that is missing.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    what: String,
    remedy: &'static str,
}

/// Findings on this machine.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is there or not"
)]
struct Machine {
    is_linux: bool,
    has_rustc: bool,
    has_wasm_target: bool,
    has_rustup: bool,
    has_c_compiler: bool,
    has_npm: bool,
    has_openssl: bool,
    node: Option<(u32, u32)>,
}

/// Checks the machine. Returns whether the Wasm target is missing, for rustup to add.
///
/// # Errors
/// Fails if something is missing that nobody but the user can install, with everything that is.
pub(super) fn check(wanted: Wanted) -> Result<bool> {
    let machine = Machine::look(wanted);
    let missing = machine.missing(wanted);
    if missing.is_empty() {
        return Ok(!machine.has_wasm_target);
    }
    let list: Vec<String> = missing
        .iter()
        .map(|it| format!("- {}\n    {}", it.what, it.remedy.replace("; ", "\n    ")))
        .collect();
    bail!(
        "this machine lacks:\n{}\nhint: install that, then run the same command again",
        list.join("\n")
    )
}

impl Machine {
    fn look(wanted: Wanted) -> Self {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]));
        let has_wasm_target = sysroot.as_ref().is_some_and(|sysroot| {
            let libraries = Path::new(sysroot).join("lib/rustlib");
            libraries.join(WASM_TARGET).exists()
        });
        let has_rustup = !has_wasm_target && runs(OsStr::new("rustup"));
        Self {
            is_linux: cfg!(target_os = "linux"),
            has_rustc: sysroot.is_some(),
            has_wasm_target,
            has_rustup,
            has_c_compiler: wanted.build_tools && has_c_compiler(),
            has_npm: wanted.npm && runs(OsStr::new("npm")),
            has_openssl: wanted.build_tools && finds_openssl(),
            node: output(Command::new("node").arg("--version"))
                .as_deref()
                .and_then(version),
        }
    }

    fn missing(&self, wanted: Wanted) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut add = |what: String, remedy| missing.push(Missing { what, remedy });
        if !self.has_rustc {
            add(
                "rustc, which compiles everything".to_owned(),
                "Debian, Fedora, macOS: https://rustup.rs, which brings the pinned release",
            );
        } else if !self.has_wasm_target && !self.has_rustup {
            add(
                format!("the Rust target {WASM_TARGET}, or rustup to add it"),
                "Debian, Fedora, macOS: https://rustup.rs; \
                 Debian's own Rust: apt-get install libstd-rust-dev-wasm32; \
                 Fedora's own Rust: dnf install rust-std-static-wasm32-unknown-unknown",
            );
        }
        if wanted.build_tools && !self.has_c_compiler {
            add(
                "a C compiler, which compiles SQLite and links every program".to_owned(),
                "Debian: apt-get install build-essential; Fedora: dnf install gcc; \
                 macOS: xcode-select --install; \
                 one of another name: export CC=NAME",
            );
        }
        if wanted.npm && !self.has_npm {
            add(
                "npm, which installs wrangler".to_owned(),
                "Debian: apt-get install npm; Fedora: dnf install nodejs-npm; macOS: brew install node",
            );
        }
        if !self.is_linux && self.node.is_none_or(|found| found < OLDEST_NODE) {
            let (major, minor) = OLDEST_NODE;
            let found = self.node.map_or_else(
                || "there is none".to_owned(),
                |(major, minor)| format!("this one is {major}.{minor}"),
            );
            add(
                format!("Node.js {major}.{minor} or newer, which runs wrangler ({found})"),
                "macOS: brew install node; any system: https://nodejs.org",
            );
        }
        if wanted.build_tools && self.is_linux && !self.has_openssl {
            add(
                "OpenSSL's headers and pkg-config, which worker-build is compiled with".to_owned(),
                "Debian: apt-get install pkg-config libssl-dev; Fedora: dnf install pkgconf openssl-devel",
            );
        }
        missing
    }
}

fn runs(program: &OsStr) -> bool {
    output(Command::new(program).arg("--version")).is_some()
}

/// Returns whether the compiler that `CC` names runs, or without it one of the usual names.
fn has_c_compiler() -> bool {
    match std::env::var_os("CC") {
        Some(named) => runs(&named),
        None => ["cc", "gcc", "clang"]
            .iter()
            .any(|name| runs(OsStr::new(name))),
    }
}

fn finds_openssl() -> bool {
    std::env::var_os("OPENSSL_DIR").is_some()
        || output(Command::new("pkg-config").args(["--exists", "openssl"])).is_some()
}

/// Reads `v24.21.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: Machine = Machine {
        is_linux: true,
        has_rustc: false,
        has_wasm_target: false,
        has_rustup: false,
        has_c_compiler: false,
        has_npm: false,
        has_openssl: false,
        node: None,
    };
    const ALL: Wanted = Wanted {
        npm: true,
        build_tools: true,
    };

    fn names(machine: &Machine, wanted: Wanted) -> Vec<String> {
        let missing = machine.missing(wanted);
        missing.into_iter().map(|it| it.what).collect()
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let missing = BARE.missing(ALL);
        let expected = ["rustc", "a C compiler", "npm", "OpenSSL's headers"];
        assert_eq!(missing.len(), expected.len(), "{missing:?}");
        for (it, what) in missing.iter().zip(expected) {
            assert!(it.what.starts_with(what), "{it:?}");
            for system in ["Debian", "Fedora"] {
                assert!(it.remedy.contains(system), "{it:?}");
            }
            // OpenSSL is wanted on Linux alone.
            let names_macos = it.remedy.contains("macOS") || it.remedy.contains("any system");
            assert_eq!(names_macos, !what.starts_with("OpenSSL"), "{it:?}");
        }
    }

    #[test]
    fn rust_without_rustup_lacks_the_wasm_target() {
        let debian = Machine {
            has_rustc: true,
            has_c_compiler: true,
            has_npm: true,
            has_openssl: true,
            ..BARE
        };
        let named = names(&debian, ALL);
        assert_eq!(named.len(), 1, "{named:?}");
        assert!(named[0].contains(WASM_TARGET), "{named:?}");
    }

    #[test]
    fn what_is_installed_already_asks_for_nothing() {
        let ready = Machine {
            has_rustc: true,
            has_wasm_target: true,
            ..BARE
        };
        let nothing = Wanted {
            npm: false,
            build_tools: false,
        };
        assert_eq!(names(&ready, nothing), [] as [&str; 0]);
    }

    #[test]
    fn only_linux_brings_its_own_node() {
        let mac = Machine {
            is_linux: false,
            has_rustc: true,
            has_rustup: true,
            has_c_compiler: true,
            has_npm: true,
            node: version("v20.20.2"),
            ..BARE
        };
        let named = names(&mac, ALL);
        assert_eq!(named.len(), 1, "{named:?}");
        assert!(named[0].contains("22.12 or newer") && named[0].contains("20.20"));
        let newer = Machine {
            node: version("v22.12.0"),
            ..mac
        };
        assert_eq!(names(&newer, ALL), [] as [&str; 0]);
    }
}
