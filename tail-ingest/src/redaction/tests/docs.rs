//! docs/configuration.md lists what is redacted, and these tests hold it to the code.

use std::collections::BTreeSet;

use crate::redaction::names::{
    AFTER_AUTH, BEFORE_HARMLESS_HEADER_KEY, BEFORE_HARMLESS_TOKEN, BEFORE_KEY, COMPOUNDS,
    HARMLESS_HEADER_PREFIXES, HARMLESS_HEADERS, HEADER_WORDS, NUMERIC_WORDS, PARAMETERS,
    SECRET_HEADERS, UNMISTAKABLE, WHOLE_WORDS,
};

use super::*;

const CONFIGURATION: &str = include_str!("../../../../docs/configuration.md");

/// Returns the section "What is redacted".
fn section() -> &'static str {
    let (_, section) = CONFIGURATION.split_once("\n## What is redacted\n").unwrap();
    section.split("\n## ").next().unwrap()
}

/// Returns what stands between backticks.
fn quoted(text: &'static str) -> BTreeSet<&'static str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn set(lists: &[&[&'static str]]) -> BTreeSet<&'static str> {
    lists.concat().into_iter().collect()
}

#[test]
fn the_table_of_names_is_that_of_the_code() {
    let rows: Vec<Vec<&str>> = section()
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.split('|').skip(1).map(str::trim).collect())
        .collect();
    let lists = [
        set(&[UNMISTAKABLE]),
        set(&[COMPOUNDS]),
        set(&[WHOLE_WORDS]),
        set(&[&["token"]]),
        set(&[&["key"]]),
        set(&[&["auth"]]),
        set(&[PARAMETERS]),
        set(&[HEADER_WORDS]),
        set(&[&["auth", "jwt"]]),
        set(&[&["key"]]),
        set(&[SECRET_HEADERS]),
        set(&[&["REDACT"]]),
    ];
    assert_eq!(rows.len(), lists.len());
    for (row, list) in rows.iter().zip(&lists) {
        assert_eq!(quoted(row[0]), *list);
    }
    assert_eq!(quoted(rows[2][2]), set(&[NUMERIC_WORDS]));
    assert_eq!(
        quoted(rows[3][2]),
        set(&[BEFORE_HARMLESS_TOKEN, &["tokens"]])
    );
    assert_eq!(quoted(rows[4][2]), set(&[BEFORE_KEY]));
    assert_eq!(quoted(rows[5][2]), set(&[AFTER_AUTH]));
    assert_eq!(quoted(rows[9][2]), set(&[BEFORE_HARMLESS_HEADER_KEY]));
}

#[test]
fn the_harmless_headers_are_those_of_the_code() {
    let (_, headers) = section().split_once("These headers are never").unwrap();
    let headers = headers.split("\n\n").next().unwrap();
    let listed = set(&[HARMLESS_HEADERS, HARMLESS_HEADER_PREFIXES, &["REDACT"]]);
    assert_eq!(quoted(headers), listed);
}

#[test]
fn the_list_of_shapes_is_that_of_the_code() {
    let (_, list) = section().split_once("`REDACT_SHAPES=off`: ").unwrap();
    let list = list.split(".\n").next().unwrap();
    let listed = list.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut issuers: Vec<&str> = SHAPES.iter().map(|shape| shape.issuer).collect();
    issuers.dedup();
    assert_eq!(listed, issuers.join(", "));
}
