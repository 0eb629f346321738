//! A statement that only reads. Everything else is refused before it leaves this machine.
//!
//! The parser is SQLite's own grammar: it takes what SQLite takes. A statement is then sent inside a bracket, with a limit
//! behind it; a bracket in the statement that would close ours does not parse.

use sqlite3_parser::ast::{Cmd, Stmt};
use sqlite3_parser::dialect::TokenType;
use sqlite3_parser::lexer::Scanner;
use sqlite3_parser::lexer::sql::{Parser, Tokenizer};
use sqlite3_parser::{Bump, FallibleIterator as _};

use crate::sql::Statement;

/// The table of the logs.
const TABLE: &str = "tail_logs";

/// A statement that only reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The statement without the semicolon at its end.
    text: String,
    is_explain: bool,
    /// The names under which a plan may call the table, in lower case.
    names: Vec<String>,
}

impl Question {
    /// Reads a single SELECT or VALUES, also one that begins with WITH, or EXPLAIN of one.
    ///
    /// # Errors
    /// A sentence about what is not one.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("there is no statement".to_owned());
        }
        let bump = Bump::new();
        let mut parser = Parser::new(&bump, text.as_bytes());
        let is_explain = match parser.next() {
            Ok(Some(Cmd::Stmt(Stmt::Select(_)))) => false,
            Ok(Some(Cmd::Explain(Stmt::Select(_)) | Cmd::ExplainQueryPlan(Stmt::Select(_)))) => {
                true
            }
            Ok(None) => return Err("there is no statement".to_owned()),
            Ok(Some(_)) => {
                return Err(
                    "this statement does not only read; write one SELECT, VALUES, WITH … SELECT, or EXPLAIN of one"
                        .to_owned(),
                );
            }
            Err(error) => return Err(format!("this is not a statement of SQLite: {error}")),
        };
        match parser.next() {
            Ok(None) => {}
            Ok(Some(_)) => return Err("there are several statements; write one".to_owned()),
            Err(error) => return Err(format!("behind the statement: {error}")),
        }
        let (text, names) = scan_tokens(text)?;
        Ok(Self {
            text,
            is_explain,
            names,
        })
    }

    /// Returns what is sent for at most `limit` rows. An EXPLAIN is sent as it is; its rows are few.
    #[must_use]
    pub fn statement(&self, limit: usize) -> Statement {
        Statement {
            sql: if self.is_explain {
                self.text.clone()
            } else {
                // A comment may end the statement: the bracket is on a line of its own.
                format!("SELECT * FROM (\n{}\n) LIMIT {limit}", self.text)
            },
            params: Vec::new(),
        }
    }

    /// Returns the question for the plan; `None` where the statement is one itself.
    #[must_use]
    pub fn plan(&self) -> Option<Statement> {
        (!self.is_explain).then(|| Statement {
            sql: format!("EXPLAIN QUERY PLAN {}", self.statement(1).sql),
            params: Vec::new(),
        })
    }

    /// Returns whether a step of a plan reads all of the table, or all of one of its indexes.
    #[must_use]
    pub fn is_scan(&self, step: &str) -> bool {
        let mut words = step.split_whitespace();
        words.next() == Some("SCAN")
            && words.next().is_some_and(|name| {
                let name = name.to_ascii_lowercase();
                self.names.contains(&name)
            })
    }
}

/// Returns the statement up to its semicolon, and the names that it gives the table.
fn scan_tokens(text: &str) -> Result<(String, Vec<String>), String> {
    let mut names = vec![TABLE.to_owned()];
    let mut scanner = Scanner::new(Tokenizer::new());
    let mut is_behind_table = false;
    let mut end = text.len();
    loop {
        let (start, token, _) = scanner
            .scan(text.as_bytes())
            .map_err(|error| format!("this is not a statement of SQLite: {error}"))?;
        let Some((word, kind)) = token else { break };
        if kind == TokenType::TK_SEMI {
            end = start;
            break;
        }
        let word = String::from_utf8_lossy(word)
            .trim_matches(['"', '`', '[', ']', '\''])
            .to_ascii_lowercase();
        if word == TABLE {
            is_behind_table = true;
        } else if kind != TokenType::TK_AS {
            if is_behind_table && kind == TokenType::TK_ID && !names.contains(&word) {
                names.push(word);
            }
            is_behind_table = false;
        }
    }
    let text = text.get(..end).unwrap_or(text).trim().to_owned();
    Ok((text, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_reads_is_a_question() {
        for text in [
            "SELECT 1",
            "select * from tail_logs;",
            "VALUES (1, 2), (3, 4)",
            "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n",
            "EXPLAIN SELECT 1",
            "EXPLAIN QUERY PLAN SELECT * FROM tail_logs",
            "SELECT 1 -- and a comment",
            "/* a comment */ SELECT ';' ; -- behind it",
            "SELECT context_json ->> '$.status', json_extract(context_json, '$.path') FROM tail_logs",
            "SELECT count(*) FILTER (WHERE log_level = 'error') OVER (PARTITION BY worker_name) FROM tail_logs",
            "SELECT iif(1, 2, 3), printf('%d', 4), instr('a', 'a'), strftime('%s', 'now') FROM json_each('[1]')",
            "SELECT 1 FROM tail_logs INDEXED BY tail_logs_errors WHERE log_level = 'error'",
        ] {
            let question = Question::read(text);
            assert!(question.is_ok(), "{text}: {question:?}");
        }
    }

    #[test]
    fn what_does_not_only_read_is_refused() {
        for text in [
            "",
            "  ; ",
            "-- nothing",
            "DELETE FROM tail_logs",
            "WITH a AS (SELECT 1) DELETE FROM tail_logs",
            "WITH a AS (SELECT 1) INSERT INTO tail_logs SELECT * FROM a",
            "WITH a AS (SELECT 1) UPDATE tail_logs SET message = ''",
            "INSERT INTO tail_logs (log_id) VALUES ('x') RETURNING log_id",
            "REPLACE INTO tail_logs (log_id) VALUES ('x')",
            "SELECT 1; SELECT 2",
            "SELECT 1; DELETE FROM tail_logs",
            "SELECT 1) ; DELETE FROM tail_logs; --",
            "SELECT 1) UNION SELECT * FROM (SELECT 2",
            "SELECT 1) LIMIT 1; --",
            "PRAGMA table_info(tail_logs)",
            "PRAGMA writable_schema = 1",
            "EXPLAIN PRAGMA writable_schema = 1",
            "EXPLAIN DELETE FROM tail_logs",
            "ATTACH 'x' AS y",
            "DETACH y",
            "CREATE TABLE a (b)",
            "CREATE TABLE a AS SELECT 1",
            "CREATE TRIGGER t AFTER INSERT ON tail_logs BEGIN SELECT 1; END",
            "CREATE TEMP VIEW v AS SELECT 1",
            "DROP TABLE tail_logs",
            "ALTER TABLE tail_logs RENAME TO x",
            "VACUUM",
            "REINDEX",
            "ANALYZE",
            "BEGIN",
            "COMMIT",
            "SAVEPOINT a",
            "SELECT * INTO x FROM tail_logs",
            "SELECT 'open",
            "SELECT 1 /* open ; DELETE FROM tail_logs",
            "SELECT \"open",
            "SELECT 1 FROM",
        ] {
            if let Ok(question) = Question::read(text) {
                panic!("{text}: {question:?}");
            }
        }
    }

    #[test]
    fn a_statement_is_sent_within_a_bracket_and_a_limit() {
        let sent = |text| Question::read(text).unwrap().statement(7).sql;
        assert_eq!(sent("SELECT 1 ; "), "SELECT * FROM (\nSELECT 1\n) LIMIT 7");
        assert_eq!(
            sent("SELECT ';' -- x"),
            "SELECT * FROM (\nSELECT ';' -- x\n) LIMIT 7"
        );
        assert_eq!(sent("EXPLAIN SELECT 1;"), "EXPLAIN SELECT 1");
        assert_eq!(Question::read("EXPLAIN SELECT 1").unwrap().plan(), None);
    }

    #[test]
    fn a_scan_is_seen_under_each_name_of_the_table() {
        let question = Question::read(
            "SELECT * FROM tail_logs AS a JOIN \"tail_logs\" b ON b.request_id = a.request_id JOIN other c",
        )
        .unwrap();
        for (step, expected) in [
            ("SCAN a", true),
            ("SCAN b USING INDEX tail_logs_errors", true),
            ("SCAN tail_logs", true),
            ("SCAN c", false),
            ("SEARCH a USING PRIMARY KEY (timestamp>?)", false),
            ("SCAN json_each VIRTUAL TABLE INDEX 1:", false),
            ("USE TEMP B-TREE FOR ORDER BY", false),
        ] {
            assert_eq!(question.is_scan(step), expected, "{step}");
        }
        // A plan names a table by how the statement spells it.
        let upper = Question::read("SELECT 1 FROM TAIL_LOGS").unwrap();
        assert!(upper.is_scan("SCAN TAIL_LOGS"));
    }
}
