//! The values that a setting takes.

use crate::list;

/// The values that a setting takes, as the text of a wrangler `var`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A whole number within these bounds, both included.
    Number(u32, u32),
    /// A number from 0 to 1.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `on` or `off`.
    Switch,
    /// Names of Workers, which may end in `*`; not `*` alone.
    WorkerNames,
    /// Names of headers.
    HeaderNames,
    /// `all`, `none`, or names of headers.
    AllNoneOrHeaderNames,
    /// Parts of names.
    NameParts,
}

impl Values {
    /// Returns the values as a cell of the table of settings in Markdown.
    #[must_use]
    pub fn to_markdown(self) -> String {
        match self {
            Self::Number(least, most) => format!("{} to {}", group(least), group(most)),
            Self::Share => "0 to 1".to_owned(),
            Self::Word(words) => quote(words),
            Self::Switch => quote(&["on", "off"]),
            Self::WorkerNames => "names of Workers; not `*` alone".to_owned(),
            Self::HeaderNames => "names of headers".to_owned(),
            Self::AllNoneOrHeaderNames => "`all`, `none`, or names of headers".to_owned(),
            Self::NameParts => "parts of names".to_owned(),
        }
    }

    /// Returns a description of the values, to stand after "is not".
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::Word(words) => match words {
                [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
                words => words.join(""),
            },
            Self::Switch => "on or off".to_owned(),
            Self::WorkerNames => "a list of Worker names".to_owned(),
            Self::HeaderNames => "a list of header names".to_owned(),
            Self::AllNoneOrHeaderNames => "all, none or a list of header names".to_owned(),
            Self::NameParts => "a list of names".to_owned(),
        }
    }

    /// Returns whether `text` is one of the values. The Workers are more generous with other spellings of words and
    /// switches, such as `WARNING` and `yes`.
    #[must_use]
    pub fn contains(self, text: &str) -> bool {
        match self {
            Self::Number(..) => self.read_number(text).is_some(),
            Self::Share => self.read_share(text).is_some(),
            Self::Word(words) => words.contains(&text),
            Self::Switch => matches!(text, "on" | "off"),
            Self::WorkerNames => list::read_worker_patterns(text).is_some(),
            Self::HeaderNames | Self::AllNoneOrHeaderNames | Self::NameParts => {
                list::read_tokens(text).is_some()
            }
        }
    }

    /// Returns `text` as a number within the bounds of [`Values::Number`].
    #[must_use]
    pub fn read_number(self, text: &str) -> Option<u32> {
        let Self::Number(least, most) = self else {
            return None;
        };
        let number = text.parse().ok();
        number.filter(|number| (least..=most).contains(number))
    }

    /// Returns `text` as a number that is a [`Values::Share`].
    #[must_use]
    pub fn read_share(self, text: &str) -> Option<f64> {
        let Self::Share = self else {
            return None;
        };
        let share = text.parse().ok();
        share.filter(|share| (0.0..=1.0).contains(share))
    }
}

fn quote(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// Returns `86400` as `86,400`.
fn group(number: u32) -> String {
    let (thousands, rest) = (number / 1_000, number % 1_000);
    match thousands {
        0 => rest.to_string(),
        thousands => format!("{},{rest:03}", group(thousands)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_within_the_bounds_are_taken_and_no_others() {
        let number = Values::Number(1, 365);
        let word = Values::Word(&["queue", "kv"]);
        let cases: [(Values, &[&str], &[&str]); 7] = [
            (number, &["1", "365"], &["0", "366", "7.5", "", "week"]),
            (
                Values::Share,
                &["0", "0.25", "1"],
                &["-0.1", "1.1", "NaN", "half"],
            ),
            (word, &["kv"], &["KV ", "nowhere", ""]),
            (Values::Switch, &["on", "off"], &["maybe", ""]),
            (
                Values::WorkerNames,
                &["a", "shop-*, api"],
                &["*", "a,*", "", ",", "a b/c"],
            ),
            (
                Values::AllNoneOrHeaderNames,
                &["all", "x-a x-b"],
                &["x(a)", "", "a:b"],
            ),
            (Values::NameParts, &["iban ssn"], &["\"iban\""]),
        ];
        for (values, good, bad) in cases {
            for text in good {
                assert!(values.contains(text), "{values:?} {text:?}");
            }
            for text in bad {
                assert!(!values.contains(text), "{values:?} {text:?}");
            }
        }
    }

    #[test]
    fn values_are_described_in_words_and_for_a_table() {
        let number = Values::Number(1, 86_400);
        assert_eq!(number.describe(), "a whole number from 1 to 86400");
        assert_eq!(number.to_markdown(), "1 to 86,400");
        assert_eq!(Values::Number(0, 1_000_001).to_markdown(), "0 to 1,000,001");
        let words = Values::Word(&["debug", "info", "warn"]);
        assert_eq!(words.describe(), "debug, info or warn");
        assert_eq!(words.to_markdown(), "`debug`, `info`, `warn`");
    }
}
