//! Tables of what is redacted and what is not.

use super::*;

fn text(text: &str) -> String {
    Redactor::default().redact_text(text).into_owned()
}

#[test]
fn secrets_in_text_are_redacted() {
    for (from, to) in [
        ("https://a.example/p?x=1", "https://a.example/p?x=1"),
        (
            "https://a.example/p?token=abc&x=1;apiKey=2&empty_token=#f",
            "https://a.example/p?token=REDACTED&x=1;apiKey=REDACTED&empty_token=#f",
        ),
        (
            "https://a.example/?%74oken=abc",
            "https://a.example/?%74oken=REDACTED",
        ),
        (
            "https://u:p@a.example/x@y:z",
            "https://u:REDACTED@a.example/x@y:z",
        ),
        ("?password=a=b", "?password=REDACTED"),
        ("not a url", "not a url"),
        ("", ""),
        (
            "failed: POST https://api.telegram.org/bot1234509876:AAHf3kT9mQ2Zx7LpVb0RcYwEsUnJdGiOa1M/sendMessage",
            "failed: POST https://api.telegram.org/bot1234509876:REDACTED/sendMessage",
        ),
        (
            "rt.jwt.v1, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl",
            "rt.jwt.v1, REDACTED",
        ),
        ("Bearer abcdefgh12345678", "Bearer REDACTED"),
        ("Basic dXNlcjpwYXNz", "Basic REDACTED"),
        ("Bearer of bad news", "Bearer of bad news"),
        ("Basic prose", "Basic prose"),
        ("a?code=1&state=2", "a?code=REDACTED&state=2"),
        (
            "x ?a=1&next=%2Fcb%3Fcode%3Dabc%26state%3Dx y",
            "x ?a=1&next=%2Fcb%3Fcode%3DREDACTED%26state%3Dx y",
        ),
        ("grant=a&password=b", "grant=a&password=REDACTED"),
        (
            "Server=db; Password=hunter2;x",
            "Server=db; Password=REDACTED",
        ),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_REDACTED"),
    ] {
        assert_eq!(text(from), to);
    }
}

#[test]
fn each_shape_has_an_issuer_and_a_start() {
    for shape in SHAPES {
        assert!(!shape.issuer.is_empty() && !shape.starts.is_empty());
    }
}
