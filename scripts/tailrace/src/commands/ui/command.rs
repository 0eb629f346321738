//! A search as the command that shows the same in a terminal, quoted for a POSIX shell.

use super::question::Asked;

/// Returns the command that shows a search; `None` where a part of it holds a control character, which a terminal that
/// it is pasted into would take for a key.
pub(super) fn logs(options: &[String], asked: &Asked) -> Option<String> {
    let mut words = vec!["tailrace".to_owned(), "logs".to_owned()];
    words.extend_from_slice(options);
    let query = asked.q.trim();
    if !query.is_empty() {
        words.extend(["-q".to_owned(), query.to_owned()]);
    }
    let since = asked.since.as_deref().unwrap_or(super::question::SINCE);
    words.extend(["--since".to_owned(), since.to_owned()]);
    if let Some(until) = &asked.until {
        words.extend(["--until".to_owned(), until.clone()]);
    }
    join(&words)
}

/// Returns the command that shows a trace.
pub(super) fn trace(options: &[String], id: &str) -> Option<String> {
    let mut words = vec!["tailrace".to_owned(), "trace".to_owned()];
    words.extend_from_slice(options);
    // Behind it nothing is an option, whatever an id begins with.
    words.extend(["--".to_owned(), id.to_owned()]);
    join(&words)
}

fn join(words: &[String]) -> Option<String> {
    let is_safe = |word: &String| !word.chars().any(is_dangerous);
    let words: Option<Vec<_>> = words
        .iter()
        .map(|word| is_safe(word).then(|| quote(word)))
        .collect();
    Some(words?.join(" "))
}

/// Returns whether a character controls a terminal, or reorders the text around it.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Quotes one word for a POSIX shell, where it needs quotes.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the words that a shell makes of a command.
    fn words(command: &str) -> Vec<String> {
        let script = format!("tailrace() {{ printf '%s\\n' \"$@\"; }}\n{command}");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn asked(q: &str) -> Asked {
        Asked {
            q: q.to_owned(),
            ..Asked::default()
        }
    }

    #[test]
    fn a_shell_reads_the_query_as_it_was_written() {
        let options = ["--env".to_owned(), "it's $HOME".to_owned()];
        for query in [
            "level:error",
            r#"worker:"a b" "it's \"quoted\" \\ here""#,
            "$(touch /tmp/never) `id` $HOME; rm -rf ~ # & | > <",
            "* ? [a] {b,c} ~ !",
            "größe 🚀",
        ] {
            let command = logs(&options, &asked(query)).unwrap();
            let expected = ["logs", "--env", "it's $HOME", "-q", query, "--since", "15m"];
            assert_eq!(words(&command), expected, "{command}");
        }
        let command = trace(&[], "--help 'x'").unwrap();
        assert_eq!(words(&command), ["trace", "--", "--help 'x'"]);
    }

    #[test]
    fn what_would_press_keys_is_not_offered() {
        for text in ["a\nrm -rf ~", "\u{1b}[A", "\u{9b}", "a\u{202e}b", "\u{7f}"] {
            assert_eq!(logs(&[], &asked(text)), None);
            assert_eq!(trace(&[], text), None);
        }
    }
}
