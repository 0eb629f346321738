//! The lines that `wrangler tail --format json` prints besides the events.

/// Meanings of a line that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Wrangler's banner, and what it says while all is well.
    Banner,
    /// Wrangler lost its connection: events may be missing.
    Trouble,
    /// Somebody else's.
    Unknown,
}

/// Beginnings of lines that mean nothing for the events.
const BANNER: [&str; 9] = [
    "⛅",
    "─",
    "▲ [WARNING]",
    "[wrangler:",
    "Cloudflare agent skills can be installed",
    "Successfully created tail",
    "Connected to",
    "Reconnected to",
    "Stopping tail",
];
/// Beginnings of lines that mean that events may be missing.
const TROUBLE: [&str; 4] = [
    "Tail connection lost",
    "Unable to reconnect",
    "Tail disconnected",
    "✘ [ERROR]",
];

/// Returns whose line `text` is.
pub(super) fn line_kind(text: &str) -> Line {
    // "▲ [WARNING] Tail connection lost", as a terminal shows it.
    let bare = text.trim().trim_start_matches("▲ [WARNING]").trim_start();
    let begins = |begin: &&str| {
        [text.trim(), bare].iter().any(|text| {
            text.get(..begin.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(begin))
        })
    };
    if TROUBLE.iter().any(&begins) {
        Line::Trouble
    } else if BANNER.iter().any(begins) {
        Line::Banner
    } else {
        Line::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_wrangler_are_told_from_others() {
        for (text, kind) in [
            (" ⛅️ wrangler 4.94.0", Line::Banner),
            ("───────────", Line::Banner),
            (
                "successfully created tail, expires at 25/11/2026, 16:00:00",
                Line::Banner,
            ),
            ("Connected to shop-api, waiting for logs...", Line::Banner),
            ("Reconnected to shop-api.", Line::Banner),
            (
                "▲ [WARNING] Tail connection lost. Reconnecting (attempt 1 of 5) in 1s...",
                Line::Trouble,
            ),
            (
                "Unable to reconnect to the tail for shop-api after 5 attempts.",
                Line::Trouble,
            ),
            ("listening on port 80", Line::Unknown),
            ("é", Line::Unknown),
        ] {
            assert_eq!(line_kind(text), kind, "{text}");
        }
    }
}
