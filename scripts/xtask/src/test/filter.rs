//! Finds the tests that a filter names by their sources: to ask cargo would compile all of them.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns whether a test below `folder`, but not below `others`, may have a name that holds `filter`.
pub(super) fn finds_test(folder: &Path, others: &[PathBuf], filter: &str) -> bool {
    // Of a name such as `tests::a_record_is_kept` the source has the last part.
    let name = filter.rsplit("::").next().unwrap_or(filter);
    names_function(folder, name, others)
}

/// Returns whether a Rust file below `folder`, but not below `others`, has a function or is a module whose name holds
/// `name`.
fn names_function(folder: &Path, name: &str, others: &[PathBuf]) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let path = entry.path();
        let file = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_made = file.starts_with('.')
                || matches!(file.as_str(), "target" | "build" | "node_modules");
            return !is_made && !others.contains(&path) && names_function(&path, name, others);
        }
        let Some(module) = file.strip_suffix(".rs") else {
            return false;
        };
        module.contains(name) || fs::read_to_string(&path).is_ok_and(|it| defines(&it, name))
    })
}

/// Returns whether `text` has a function whose name holds `name`.
fn defines(text: &str, name: &str) -> bool {
    text.split("fn ").skip(1).any(|rest| {
        let end = rest.find(['(', '<']).unwrap_or(rest.len());
        rest.get(..end).is_some_and(|found| found.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use checkout::Workspace;

    use super::*;

    #[test]
    fn a_filter_finds_tests_by_their_sources() {
        let workspace = Workspace::find().unwrap();
        let here = workspace.root().join("scripts/xtask/src");
        for filter in [
            "a_filter_finds",
            "tests::a_filter_finds",
            "by_their_sources",
        ] {
            assert!(finds_test(&here, &[], filter), "{filter}");
            assert!(!finds_test(&here, &[here.join("test")], filter), "{filter}");
        }
        // Said here, but not a function's name.
        assert!(!finds_test(&here, &[], "no_such_test_is_here"));
    }
}
