//! Reads a query: terms with white space between them.
//!
//! ```text
//! query := term*            every term holds
//! term  := "-"? (field operator)? value ("," value)*
//! value := "quoted" | bare  quoted: \" and \\ stand for " and \, and * is a plain character
//! ```

use super::QueryError;
use super::term::{Term, Test, is_field};
use super::text::{Case, TextSearch};
use super::value::{Operator, Value};

/// Reads the terms of a query.
pub(super) fn read_terms(text: &str) -> Result<Vec<Term>, QueryError> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
    };
    let mut terms = Vec::new();
    loop {
        reader.skip_space();
        if reader.peek().is_none() {
            return Ok(terms);
        }
        terms.push(reader.read_term()?);
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next_is(&self, text: &str) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        text.chars()
            .enumerate()
            .all(|(index, c)| rest.get(index) == Some(&c))
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn position(&self) -> usize {
        self.at + 1
    }

    fn read_term(&mut self) -> Result<Term, QueryError> {
        let start = self.position();
        let negated = self.peek() == Some('-');
        if negated {
            self.at += 1;
        }
        let field_at = self.position();
        let test = if let Some((field, operator)) = self.read_field() {
            let values = self.read_values(&format!("nothing stands behind \"{field}\""))?;
            Test::of_field(&field, operator, &values, field_at)?
        } else {
            let values = self.read_values("a minus sign stands alone")?;
            let texts = values.iter().map(|value| {
                if value.text.is_empty() {
                    return Err(value.error("is an empty text", "write the text to look for"));
                }
                Ok(TextSearch::new(&value.text, Case::Smart))
            });
            Test::Text(texts.collect::<Result<_, _>>()?)
        };
        if self.peek().is_some_and(|c| !c.is_whitespace()) {
            return Err(QueryError {
                position: self.position(),
                message: "two values stand side by side".to_owned(),
                hint: format!(
                    "write a space before the character, or put all of the text from character {start} on in quotes"
                ),
            });
        }
        Ok(Term { negated, test })
    }

    /// Reads a field and its operator; `None`, and nothing is read, where the term is a text.
    fn read_field(&mut self) -> Option<(String, Operator)> {
        let begin = self.at;
        let mut field = String::new();
        while let Some(c) = self.peek().filter(|c| is_field(&field, *c)) {
            field.push(c);
            self.at += 1;
        }
        let operators = [
            (">=", Operator::AtLeast),
            ("<=", Operator::AtMost),
            (">", Operator::Above),
            ("<", Operator::Below),
            (":", Operator::Is),
            ("=", Operator::Is),
        ];
        let found = operators.iter().find(|(text, _)| self.next_is(text));
        // `https://…` is a text.
        if let Some((text, operator)) = found
            && !field.is_empty()
            && !self.next_is("://")
        {
            self.at += text.len();
            return Some((field, *operator));
        }
        self.at = begin;
        None
    }

    fn read_values(&mut self, nothing: &str) -> Result<Vec<Value>, QueryError> {
        let mut values = Vec::new();
        loop {
            let value = self.read_value()?;
            if value.text.is_empty() && !value.quoted {
                let message = if values.is_empty() {
                    nothing
                } else {
                    "nothing stands behind the comma"
                };
                return Err(QueryError {
                    position: self.position(),
                    message: message.to_owned(),
                    hint: "write a value, or put all of the text in quotes to look for it"
                        .to_owned(),
                });
            }
            values.push(value);
            if self.peek() != Some(',') {
                return Ok(values);
            }
            self.at += 1;
        }
    }

    fn read_value(&mut self) -> Result<Value, QueryError> {
        let position = self.position();
        let mut text = String::new();
        if self.peek() == Some('"') {
            self.at += 1;
            loop {
                let c = self.peek();
                self.at += 1;
                match c {
                    None => {
                        return Err(QueryError {
                            position,
                            message: "the quote that begins here has no end".to_owned(),
                            hint: "write \" at its end; within quotes, \\\" stands for a quote"
                                .to_owned(),
                        });
                    }
                    Some('"') => break,
                    Some('\\') if matches!(self.peek(), Some('"' | '\\')) => {
                        text.extend(self.peek());
                        self.at += 1;
                    }
                    Some(c) => text.push(c),
                }
            }
            return Ok(Value {
                text,
                quoted: true,
                position,
            });
        }
        while let Some(c) = self
            .peek()
            .filter(|c| !c.is_whitespace() && !matches!(c, ',' | '"'))
        {
            text.push(c);
            self.at += 1;
        }
        Ok(Value {
            text,
            quoted: false,
            position,
        })
    }
}
