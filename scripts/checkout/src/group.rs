//! Process groups: who is in one, and how it is ended.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A process, as `/proc` or `ps` shows it.
struct Entry {
    id: i32,
    name: String,
    group: i32,
    has_ended: bool,
}

/// Sends `signal` to every process of `group`. A group that has ended is not an error.
pub(crate) fn signal(group: Pid, signal: Signal) {
    let _ = killpg(group, signal);
}

/// Returns whether a process other than its leader runs in `group`.
pub(crate) fn has_members(group: Pid) -> bool {
    let group = group.as_raw();
    entries()
        .into_iter()
        .any(|it| it.group == group && it.id != group && !it.has_ended)
}

/// Returns the most memory that any process named `program` of the group `group` has had, in bytes; 0 where there is no
/// `/proc`.
#[must_use]
pub fn peak_memory_bytes(group: i32, program: &str) -> u64 {
    processes(group, program)
        .into_iter()
        .filter_map(|process| {
            let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))?;
            let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kilobytes * 1024)
        })
        .max()
        .unwrap_or_default()
}

/// Returns the ids of the processes named `program` in the group `group`.
#[must_use]
pub fn processes(group: i32, program: &str) -> Vec<i32> {
    entries()
        .into_iter()
        .filter(|it| it.group == group && it.name == program)
        .map(|it| it.id)
        .collect()
}

/// Returns every process that can be seen.
fn entries() -> Vec<Entry> {
    if !Path::new("/proc/self/stat").exists() {
        return entries_of_ps();
    }
    let folder = fs::read_dir("/proc").into_iter().flatten();
    folder
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            // A process may end while it is looked at.
            parse_stat(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
        })
        .collect()
}

/// Returns what `ps` shows, for systems without `/proc` such as macOS.
fn entries_of_ps() -> Vec<Entry> {
    let printed = Command::new("ps")
        .args(["-A", "-o", "pid=,pgid=,stat=,comm="])
        .output();
    let text = printed.map(|printed| printed.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(parse_ps)
        .collect()
}

/// Reads `PID GROUP STATE PATH`.
fn parse_ps(line: &str) -> Option<Entry> {
    let mut fields = line.split_whitespace();
    let id = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let state = fields.next()?;
    Some(Entry {
        id,
        name: fields.last()?.rsplit('/').next()?.to_owned(),
        group,
        has_ended: state.starts_with('Z'),
    })
}

/// Reads `PID (NAME) STATE PARENT GROUP …`; the name may hold spaces and parentheses.
fn parse_stat(id: i32, stat: &str) -> Option<Entry> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    Some(Entry {
        id,
        name: name.to_owned(),
        group,
        has_ended: matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read() {
        let entry = parse_stat(7, "7 (a (b) c) Z 1 42 42 0").unwrap();
        assert_eq!((entry.name.as_str(), entry.group), ("a (b) c", 42));
        assert!(entry.has_ended);
    }

    #[test]
    fn a_line_of_ps_is_read() {
        let entry = parse_ps(" 12 34 S+ /opt/x/bin/workerd").unwrap();
        assert_eq!((entry.id, entry.group), (12, 34));
        assert_eq!(entry.name, "workerd");
        assert!(!entry.has_ended);
    }
}
