//! `tailrace.toml`: settings of the user's own, so that no tracked file needs an edit.
//!
//! - [`chosen`]: what it says for one deployment;
//! - [`read`]: reading and checking it;
//! - [`mod@write`]: the file that `deploy --init` writes, and the archive's switch.

mod chosen;
mod read;
mod write;

pub(crate) use self::chosen::{Chosen, NAME, find_path};
pub(crate) use self::read::{SettingsFile, is_account_id};
pub(crate) use self::write::{init, switch_archive};
