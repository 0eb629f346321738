//! The browser tests of `tailrace ui`: `tests/browser.rs` starts the system and the page, `browser/` drives a headless
//! Chromium over it. `cargo xtask test browser` installs what they need and runs them.
//!
//! - [`packages`]: what drives the browser, from npm, as the lockfiles pin it;
//! - [`browser`]: the browser: one that is named or installed, else npm's.

pub mod browser;
pub mod packages;

/// The crate's folder in a checkout.
pub const FOLDER: &str = "scripts/ui-tests";

/// The variable that names the `tailrace` to drive. Without it, the tests compile one.
pub const TOOL: &str = "TAILRACE_PROGRAM";
