//! A regular expression. D1 has none, so SQL asks for the records that hold the fixed text which every match has, and the
//! expression is tried on those.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::QueryError;
use super::text::{Case, TextSearch, any_text};
use crate::record::Row;

/// Branches of an expression whose texts are asked for; with more, none is.
const MOST_BRANCHES: usize = 8;

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Expression {
    regex: Regex,
    /// A match holds one of these; empty where it may be without any.
    fixed: Vec<TextSearch>,
    is_case_sensitive: bool,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`QueryError`] where it is not one.
    pub fn new(text: &str, case: Case) -> Result<Self, QueryError> {
        let error = |reason: String| {
            QueryError {
            position: 1,
            message: format!("\"{text}\" is not a regular expression: {reason}"),
            hint: "write a backslash before a character that is meant as it is: . * + ? ( ) [ ] { } | ^ $ \\"
                .to_owned(),
        }
        };
        let hir =
            regex_syntax::parse(text).map_err(|reason| error(last_line(&reason.to_string())))?;
        let mut literals = fixed_texts(&hir).unwrap_or_default();
        literals.retain(|literal| !literal.is_empty());
        // Capitals of classes such as \W are not letters that are looked for.
        let is_ignored = case == Case::Ignored || !has_capital(&hir);
        let regex = RegexBuilder::new(text)
            .case_insensitive(is_ignored)
            .build()
            .map_err(|reason| error(last_line(&reason.to_string())))?;
        let fixed = literals
            .iter()
            .map(|literal| {
                if is_ignored {
                    TextSearch::of_expression(literal)
                } else {
                    TextSearch::exact(literal)
                }
            })
            .collect();
        Ok(Self {
            regex,
            fixed,
            is_case_sensitive: !is_ignored,
        })
    }

    /// Returns the texts one of which every match holds; empty where a match may be without any.
    #[must_use]
    pub fn fixed(&self) -> &[TextSearch] {
        &self.fixed
    }

    /// Returns whether capitals matter.
    #[must_use]
    pub fn is_case_sensitive(&self) -> bool {
        self.is_case_sensitive
    }

    /// Returns whether a record has a match.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        any_text(row, &mut |text| self.regex.is_match(text))
    }
}

/// Returns the last line of the parser's words, which says what is wrong; the lines before draw the place.
fn last_line(reason: &str) -> String {
    let line = reason.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// Returns texts one of which every match holds, the longest there are; `None` where a match may be without any.
fn fixed_texts(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            Some(vec![text.to_owned()])
        }
        HirKind::Capture(capture) => fixed_texts(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => fixed_texts(&repetition.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(fixed_texts)
            .max_by_key(|texts| texts.iter().map(String::len).min()),
        HirKind::Alternation(branches) => {
            let texts: Option<Vec<Vec<String>>> = branches.iter().map(fixed_texts).collect();
            let texts: Vec<String> = texts?.into_iter().flatten().collect();
            (texts.len() <= MOST_BRANCHES).then_some(texts)
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// Returns whether the expression states a capital.
fn has_capital(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0)
            .chars()
            .any(char::is_uppercase),
        // One capital, or a range of them; not a class that has them among others.
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => class
            .iter()
            .all(|range| range.start().is_uppercase() && range.end().is_uppercase()),
        HirKind::Capture(capture) => has_capital(&capture.sub),
        HirKind::Repetition(repetition) => has_capital(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_capital),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}
