//! A search for text in what a line says (its message) and what it carried (see [`CARRIED`]), as it was logged: JSON's
//! escapes are undone. Members that Tailrace adds to every record are not looked at.

use std::borrow::Cow;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use serde_json::Value;

use crate::record::Row;

pub use crate::record::CARRIED;

/// Pairs of characters that one search replaces in SQL: each is a call around the last one, and two bound values.
const MOST_FOLDS: usize = 12;

/// The way in which a search treats capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Capitals matter where the text has one.
    Smart,
    /// Capitals do not matter, in any script.
    Ignored,
}

impl Case {
    /// Returns whether capitals do not matter for `text`.
    #[must_use]
    pub fn is_ignored(self, text: &str) -> bool {
        self == Self::Ignored || !text.chars().any(char::is_uppercase)
    }
}

/// A text to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSearch {
    /// The text, folded where capitals do not matter.
    pub(super) needle: String,
    pub(super) fold: Fold,
}

/// The way in which texts are made alike before they are compared: the same in SQL and in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fold {
    /// Set where capitals do not matter.
    pub(super) is_on: bool,
    /// Characters beyond ASCII, and what stands for them. SQLite's `lower` knows ASCII alone.
    pub(super) pairs: Vec<(char, char)>,
}

impl Fold {
    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.is_on {
            return Cow::Borrowed(text);
        }
        let folded = |c: char| {
            let pair = self.pairs.iter().find(|(from, _)| *from == c);
            pair.map_or(c.to_ascii_lowercase(), |(_, to)| *to)
        };
        Cow::Owned(text.chars().map(folded).collect())
    }

    /// Adds what `c` needs to be found in any case, and returns what stands for it.
    fn add(&mut self, c: char) -> char {
        if c.is_ascii() {
            return c.to_ascii_lowercase();
        }
        if let Some((_, to)) = self.pairs.iter().find(|(from, _)| *from == c) {
            return *to;
        }
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        if class.try_case_fold_simple().is_err() {
            return c;
        }
        let alike = || class.iter().flat_map(|range| range.start()..=range.end());
        // An ASCII letter where there is one: SQLite makes that small itself.
        let known = |c: &char| self.pairs.iter().any(|(_, to)| to == c);
        let to = alike()
            .find(char::is_ascii_lowercase)
            .or_else(|| alike().find(known))
            .unwrap_or(c);
        let others = alike().filter(|other| !other.is_ascii() && *other != to);
        let pairs: Vec<_> = others
            .map(|other| (other, to))
            .filter(|pair| !self.pairs.contains(pair))
            .collect();
        self.pairs.extend(pairs);
        to
    }
}

impl TextSearch {
    /// Looks for `text`.
    #[must_use]
    pub fn new(text: &str, case: Case) -> Self {
        let mut fold = Fold {
            is_on: case.is_ignored(text),
            pairs: Vec::new(),
        };
        let needle = if fold.is_on {
            text.chars().map(|c| fold.add(c)).collect()
        } else {
            text.to_owned()
        };
        Self { needle, fold }
    }

    /// Looks for `text` in any case as an expression does, to which two letters of ASCII have a third form.
    #[must_use]
    pub(super) fn of_expression(text: &str) -> Self {
        let mut search = Self::new(text, Case::Ignored);
        for (from, to) in [('\u{17f}', 's'), ('\u{212a}', 'k')] {
            if search.needle.contains(to) && !search.fold.pairs.contains(&(from, to)) {
                search.fold.pairs.push((from, to));
            }
        }
        search
    }

    /// Looks for `text` with its capitals.
    #[must_use]
    pub fn exact(text: &str) -> Self {
        Self {
            needle: text.to_owned(),
            fold: Fold::default(),
        }
    }

    /// Returns the text that is looked for, without capitals where they do not matter.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.needle
    }

    /// Returns whether capitals matter.
    #[must_use]
    pub fn is_case_sensitive(&self) -> bool {
        !self.fold.is_on
    }

    /// Returns the search that SQL can make: this one, or one for its beginning where that needs too many pairs.
    pub(super) fn for_sql(&self) -> Cow<'_, Self> {
        if self.fold.pairs.len() <= MOST_FOLDS {
            return Cow::Borrowed(self);
        }
        let pairs = self.fold.pairs.iter().take(MOST_FOLDS).copied();
        let fold = Fold {
            is_on: true,
            pairs: pairs.collect(),
        };
        let left: Vec<char> = self
            .fold
            .pairs
            .iter()
            .skip(MOST_FOLDS)
            .map(|(_, to)| *to)
            .collect();
        let needle = self.needle.chars().take_while(|c| !left.contains(c));
        Cow::Owned(Self {
            needle: needle.collect(),
            fold,
        })
    }

    /// Returns whether a record holds the text.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        any_text(row, &mut |text| {
            self.fold.apply(text).contains(self.needle.as_str())
        })
    }
}

/// Returns whether any text of a record that a search looks at passes: the message, each carried member as JSON, and
/// where that has escapes each of its names and strings.
pub(super) fn any_text(row: &Row, passes: &mut dyn FnMut(&str) -> bool) -> bool {
    if passes(&row.message) {
        return true;
    }
    row.carried().iter().any(|(name, json)| {
        passes(json)
            || (json.contains('\\')
                && row
                    .fact(name)
                    .is_some_and(|value| any_string(value, passes)))
    })
}

fn any_string(value: &Value, passes: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Value::String(text) => passes(text),
        Value::Array(items) => items.iter().any(|item| any_string(item, passes)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| passes(name) || any_string(value, passes)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
