//! Colours, widths, and text that is safe to print. What Workers log is not trusted: a log line must not move the
//! cursor, change the title or recolour the terminal of whoever reads it.

pub mod json;

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Effects, Style};
use indicatif::ProgressBar;
use log_record::Level;
use unicode_width::UnicodeWidthChar as _;

/// Worker names.
pub const WORKER: Style = AnsiColor::Cyan.on_default();
/// Style of what matters less: times, ids, frames.
pub const FAINT: Style = Style::new().effects(Effects::DIMMED);
/// Headings.
pub const STRONG: Style = Style::new().effects(Effects::BOLD);
/// Failures.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Bars.
pub const BAR: Style = AnsiColor::Green.on_default();

/// A level's colour.
#[must_use]
pub fn level_style(level: &str) -> Style {
    match Level::from_alias(level) {
        Some(Level::Debug) => FAINT,
        Some(Level::Info) => AnsiColor::Green.on_default(),
        Some(Level::Warn) => AnsiColor::Yellow.on_default(),
        Some(Level::Error) => BAD.effects(Effects::BOLD),
        None => Style::new(),
    }
}

/// Returns `text` for standard output between the codes of `style`, and without them unless that is a terminal (or
/// `--color` or `CLICOLOR_FORCE` says otherwise; `NO_COLOR` is honoured).
#[must_use]
pub fn paint(style: Style, text: &str) -> String {
    if text.is_empty() || !has_colours() {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}

/// Returns whether standard output takes colours.
fn has_colours() -> bool {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    *COLOURS.get_or_init(|| {
        anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
    })
}

/// Returns standard output. What is written to it arrives byte for byte: texts are made safe, and painted or not, before.
#[must_use]
pub fn stdout() -> Box<dyn std::io::Write> {
    Box::new(std::io::BufWriter::new(std::io::stdout()))
}

/// Returns whether somebody is at the terminal, to be asked.
#[must_use]
pub fn can_ask() -> bool {
    is_watched() && std::io::stdin().is_terminal()
}

/// Asks whoever is at the terminal; without one the answer is no.
#[must_use]
pub fn confirm(question: &str) -> bool {
    if !can_ask() {
        return false;
    }
    unwatch();
    let mut error = anstream::stderr();
    let mut answer = String::new();
    let asked = write!(error, "{} [y/N] ", safe(question)).and_then(|()| error.flush());
    let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// The progress bar on standard error, if there is one: what is said goes above it.
static WATCHED: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A search shorter than this shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// Shows a progress bar until [`unwatch`].
pub fn watch(bar: &ProgressBar) {
    *WATCHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
}

/// Takes the progress bar away.
pub fn unwatch() {
    let bar = WATCHED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Shows how far a long search has come, on a terminal and only after a while.
pub struct Progress {
    began: Instant,
}

impl Progress {
    /// Starts to count the time.
    #[must_use]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// Shows the time that reading has come to.
    pub fn reached(&self, time: &str) {
        if !is_watched() || self.began.elapsed() < PROGRESS_AFTER {
            return;
        }
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = watched.get_or_insert_with(ProgressBar::new_spinner);
        bar.set_message(format!("reached {time}"));
        bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        unwatch();
    }
}

/// Says something that went wrong and is a part of the answer, on standard error.
pub fn say_line(text: &str) {
    // Nothing can be done where even stderr is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says that something was not found or done, and what to do about it.
pub fn note_with_hint(text: &str, next_step: &str) {
    note(text);
    note(&format!("hint: {next_step}"));
}

/// Says something beside the results, on standard error.
pub fn note(text: &str) {
    let say = || {
        let _ = writeln!(anstream::stderr(), "{FAINT}{}{FAINT:#}", safe(text));
    };
    let bar = WATCHED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match bar {
        Some(bar) => bar.suspend(say),
        None => say(),
    }
}

/// Returns whether standard error is read by a person at a terminal.
#[must_use]
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Columns of the terminal behind standard output; `None` in a pipe or a file, where nothing is cut.
#[must_use]
pub fn width() -> Option<usize> {
    if let Some(columns) = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok())
        && std::io::stdout().is_terminal()
    {
        return Some(columns);
    }
    std::io::stdout()
        .is_terminal()
        .then(|| terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)))
}

/// `text` on one line and without control characters: a line end becomes `⏎`, a tab a space, any other control
/// character, and those that reorder text, their code in braces.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' => safe.push('⏎'),
            '\t' => safe.push(' '),
            c if json::is_unsafe(c) => {
                let _ = write!(safe, "{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Columns that `text` takes. Only for text that is [`safe`] and not painted.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text` cut to `width` columns, the last of them `…` where something is missing.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// `text` in lines of at most `width` columns, broken at spaces where there are any.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(10);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if columns(&line) + columns(word.trim_end()) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if columns(&line) + c.width().unwrap_or(0) > width && c != ' ' {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
        .into_iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// `text` padded with spaces to `width` columns.
#[must_use]
pub fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{:missing$}", "")
}

/// A whole number with separators: `1,204`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in their largest sensible unit: `512 B`, `34 kB`, `1.2 GB`.
#[must_use]
pub fn size_shown(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let whole = bytes / unit;
    let tenth = bytes % unit * 10 / unit;
    if whole >= 10 || tenth == 0 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{tenth} {name}")
    }
}

/// `1 row`, `2 rows`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that knows whether its last line is a progress bar.
    #[derive(Clone, Debug, Default)]
    struct Terminal(std::sync::Arc<Mutex<Vec<String>>>);

    impl indicatif::TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push(text.to_owned());
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            self.0.lock().unwrap().push("(cleared)".to_owned());
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_note_stands_above_the_progress_bar() {
        let terminal = Terminal::default();
        let target = indicatif::ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar = ProgressBar::with_draw_target(Some(9), target);
        bar.set_style(indicatif::ProgressStyle::with_template("the bar").unwrap());
        watch(&bar);
        bar.tick();
        let drawn = || std::mem::take(&mut *terminal.0.lock().unwrap()).concat();
        assert!(drawn().contains("the bar"));
        note("said");
        let again = drawn();
        assert!(again.starts_with("(cleared)"), "{again}");
        assert!(again.contains("the bar"), "{again}");
        unwatch();
        let last = drawn();
        assert!(
            last.contains("(cleared)") && !last.contains("the bar"),
            "{last}"
        );
    }

    #[test]
    fn a_log_line_cannot_drive_the_terminal() {
        let shown = safe("a\u{1b}[31mred\u{1b}]0;title\u{7}\r\nb\tc\u{202e}d\u{9b}e\0");
        assert_eq!(shown, "a{1b}[31mred{1b}]0;title{7}⏎b c{202e}d{9b}e{0}");
    }

    #[test]
    fn a_cut_line_fits_and_says_so() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello!", 5), "hell…");
        // Two columns each.
        assert_eq!(cut("日本語文", 5), "日本…");
        assert!(columns(&cut("日本語文", 5)) <= 5);
    }

    #[test]
    fn wrapping_loses_nothing_and_keeps_to_the_width() {
        let text = "the quick brown fox jumps over averyveryverylongwordthatfitsnowhere and on";
        let lines = wrap(text, 12);
        assert!(lines.iter().all(|line| columns(line) <= 12), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
