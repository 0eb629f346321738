//! The query language: what is read, what is refused, and that D1 and memory mean the same records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::limits::Limit;
use serde_json::{Value, json};
use support::Row;
use tailrace::query::{Case, Expression, Query, Term, Test, TextSearch};
use tailrace::record::{self, COLUMNS, read_rows};

/// A database with the limits that the platform sets.
fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    support::rows::migrate(&db);
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    ] {
        db.set_limit(limit, value).unwrap();
    }
    db
}

fn select(db: &Connection, condition: &str, params: &[String]) -> Vec<record::Row> {
    let sql =
        format!("SELECT {COLUMNS} FROM tail_logs WHERE {condition} ORDER BY timestamp, log_id");
    let mut statement = db.prepare(&sql).unwrap();
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, param).unwrap();
    }
    let mut rows = Vec::new();
    let mut found = statement.raw_query();
    while let Some(row) = found.next().unwrap() {
        let cells = (0..9).map(|index| match row.get_ref(index).unwrap() {
            rusqlite::types::ValueRef::Integer(number) => number.into(),
            rusqlite::types::ValueRef::Text(text) => {
                String::from_utf8(text.to_vec()).unwrap().into()
            }
            _ => Value::Null,
        });
        rows.push(cells.collect());
    }
    read_rows(rows).unwrap()
}

/// Returns the messages of the rows that D1 gives for a query and memory keeps.
#[track_caller]
fn found(db: &Connection, query: &Query) -> Vec<String> {
    let clause = query.to_sql();
    let in_sql = ids(&select(db, &clause.sql, &clause.params), |_| true);
    let all = select(db, "1", &[]);
    let in_memory = ids(&all, |row| query.matches(row));
    if clause.is_exact {
        assert_eq!(in_sql, in_memory, "{query:?}\n{}", clause.sql);
    } else {
        assert!(in_sql.is_superset(&in_memory), "{query:?}\n{}", clause.sql);
    }
    let kept = all.iter().filter(|row| query.matches(row));
    kept.map(|row| row.message.clone()).collect()
}

fn ids(rows: &[record::Row], keep: impl Fn(&record::Row) -> bool) -> BTreeSet<String> {
    let rows = rows.iter().filter(|row| keep(row));
    rows.map(|row| row.log_id.clone()).collect()
}

/// An order that fails in one Worker, and what happened beside it.
fn an_incident() -> Connection {
    let db = database();
    let shared = |status: u16, path: &str, more: Value| {
        let mut context = json!({"event_type": "fetch", "outcome": "ok", "method": "POST", "path": path, "status": status});
        let members = context.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        context
    };
    let failed = |more: Value| shared(503, "/orders/42", more);
    let fine = |more: Value| shared(200, "/health", more);
    let api = |ms, message: &str| {
        Row::line(ms, message)
            .worker("api-eu")
            .ids("0b0f2a1c-order", "8f2a1c0b5d1e4c55")
    };
    let rows = [
        api(0, "POST /orders/42 503 (812 ms)").level("error").kind("invocation", &failed(json!({"latency_ms": 812}))),
        api(1, "order placed").kind("log", &failed(json!({"data": {"order": {"id": 42, "total": 9.5}, "paid": true, "method": "invoice", "note": "say \"hi\"", "customer.id": "c-7"}}))),
        api(2, "TypeError: no body").level("error").kind("exception", &failed(json!({"name": "TypeError", "stack": "at handle (orders.js:3:4)"}))),
        Row::line(3, "GET /health 200 (3 ms)").worker("web").ids("7c7c7c7c", "r2").kind("invocation", &fine(json!({"latency_ms": 3}))),
        Row::line(4, "cache cold").level("warn").worker("web").ids("7c7c7c7c", "r2").kind("log", &fine(json!({"args": ["straße", {"order": 7}]}))),
        Row::line(5, "Ärger").level("debug").worker("web").ids("7c7c7c7c", "r2").kind("log", &fine(json!({"errors": [{"message": "line\nend"}]}))),
    ];
    for row in &rows {
        row.insert(&db);
    }
    db
}

#[test]
fn each_term_finds_what_it_names() {
    let db = an_incident();
    let (placed, thrown, cold, anger) =
        ("order placed", "TypeError: no body", "cache cold", "Ärger");
    let (post, get) = ("POST /orders/42 503 (812 ms)", "GET /health 200 (3 ms)");
    for (text, expected) in [
        ("", vec![post, placed, thrown, get, cold, anger]),
        ("level:warn", vec![cold]),
        ("level>=warn", vec![post, thrown, cold]),
        ("level<info", vec![anger]),
        ("level:warn,debug", vec![cold, anger]),
        ("-level:error,info", vec![cold, anger]),
        ("worker:api-*", vec![post, placed, thrown]),
        ("worker:*-eu,nobody", vec![post, placed, thrown]),
        ("worker:api", vec![]),
        ("-worker:web", vec![post, placed, thrown]),
        ("status:5xx", vec![post, placed, thrown]),
        ("status:200", vec![get, cold, anger]),
        ("status<400", vec![get, cold, anger]),
        ("status>=4xx", vec![post, placed, thrown]),
        ("path:/orders", vec![post, placed, thrown]),
        ("path:*/42", vec![post, placed, thrown]),
        ("path:/health,/nowhere", vec![get, cold, anger]),
        ("kind:exception", vec![thrown]),
        ("kind:invocation,exception", vec![post, thrown, get]),
        ("ms>=500", vec![post]),
        ("ms<1s", vec![post, get]),
        ("ms>0.8s", vec![post]),
        ("id:0b0f", vec![post, placed, thrown]),
        ("id:8f2a1c0b5d1e4c55-FRA", vec![post, placed, thrown]),
        ("request_id:r2 kind:invocation", vec![get]),
        ("correlation_id:7c7c7c7c kind:invocation", vec![get]),
        ("order.id:42", vec![placed]),
        ("data.order.id:42", vec![placed]),
        ("order.id:42.0", vec![placed]),
        ("order.id:4", vec![]),
        ("order.total>=9.5", vec![placed]),
        ("order.total>9.5", vec![]),
        ("paid:true", vec![placed]),
        ("paid:1", vec![]),
        ("customer.id:c-*", vec![placed]),
        ("customer.id:*", vec![placed]),
        ("-order.id:42 kind:log", vec![cold, anger]),
        ("method:POST kind:exception", vec![thrown]),
        // What a line itself calls so is meant as well.
        ("method:inv*", vec![placed]),
        ("data.method:POST", vec![]),
        ("-method:POST,GET,invoice", vec![]),
        ("placed", vec![placed]),
        ("PLACED", vec![]),
        ("Order", vec![]),
        ("\"say \\\"hi\\\"\"", vec![placed]),
        ("STRASSE", vec![]),
        ("straße", vec![cold]),
        ("ärger", vec![anger]),
        ("\"line\nend\"", vec![anger]),
        ("cache,placed", vec![placed, cold]),
        ("orders.js", vec![thrown]),
        // Tailrace's own members are not what somebody logged.
        ("outcome", vec![]),
        ("fetch", vec![]),
        // A name or a value of the data, also as JSON has it.
        ("customer", vec![placed]),
        ("\"\\\"id\\\":42\"", vec![placed]),
        ("null", vec![]),
        (
            "level>=warn worker:api-* -kind:invocation type",
            vec![thrown],
        ),
        ("https://shop.test", vec![]),
    ] {
        let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(found(&db, &query), expected, "{text}");
    }
}

#[test]
fn an_expression_is_tried_on_what_holds_its_fixed_text() {
    let db = an_incident();
    for (text, case, fixed, expected) in [
        (
            r"order \w+ed$",
            Case::Smart,
            vec!["order "],
            vec!["order placed"],
        ),
        (
            r"(no|some) body",
            Case::Smart,
            vec![" body"],
            vec!["TypeError: no body"],
        ),
        (
            "placed|cold",
            Case::Smart,
            vec!["placed", "cold"],
            vec!["order placed", "cache cold"],
        ),
        ("TYPE[a-z]*", Case::Smart, vec!["TYPE"], vec![]),
        (
            "TYPE[a-z]*",
            Case::Ignored,
            vec!["type"],
            vec!["TypeError: no body"],
        ),
        ("^ä", Case::Smart, vec!["ä"], vec!["Ärger"]),
        (
            r"\d{3} \(",
            Case::Smart,
            vec![" ("],
            vec!["POST /orders/42 503 (812 ms)", "GET /health 200 (3 ms)"],
        ),
        (
            r#"say "hi""#,
            Case::Smart,
            vec![r#"say "hi""#],
            vec!["order placed"],
        ),
        (r"\w\W\w+: ", Case::Smart, vec![": "], vec![]),
        (
            ".",
            Case::Smart,
            vec![],
            vec![
                "POST /orders/42 503 (812 ms)",
                "order placed",
                "TypeError: no body",
                "GET /health 200 (3 ms)",
                "cache cold",
                "Ärger",
            ],
        ),
    ] {
        let expression = Expression::new(text, case).unwrap();
        let shown = expression.fixed().iter().map(TextSearch::text);
        assert_eq!(shown.collect::<Vec<_>>(), fixed, "{text}");
        let mut query = Query::default();
        query
            .add(Term {
                negated: false,
                test: Test::Expression(expression),
            })
            .unwrap();
        assert!(!query.is_exact());
        assert_eq!(found(&db, &query), expected, "{text}");
    }
    let error = Expression::new("a(b", Case::Smart).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("\"a(b\" is not a regular expression: unclosed group"),
        "{error}"
    );
}

#[test]
fn an_error_names_the_place_the_text_and_what_to_write() {
    for (text, position, message, hint) in [
        (
            "level:wran",
            7,
            "\"wran\" is not a level",
            "debug, info, warn, error",
        ),
        (
            "a level:",
            9,
            "nothing stands behind \"level\"",
            "in quotes",
        ),
        ("a,", 3, "nothing stands behind the comma", "in quotes"),
        ("é status:6x", 10, "\"6x\" is not a status", "5xx"),
        (
            "ms>=soon",
            5,
            "\"soon\" is not a number of milliseconds",
            "ms>=500",
        ),
        ("kind:line", 6, "\"line\" is not a kind", "exception"),
        ("worker>a", 1, "\"worker\" has no order", "worker:VALUE"),
        (
            "level>=warn,error",
            13,
            "\"level\" is compared with several",
            "level: and",
        ),
        (
            "say \"hi",
            5,
            "the quote that begins here has no end",
            "write \" at its end",
        ),
        ("id:0b0", 4, "\"0b0\" is too short", "at least 4"),
        (
            "x message:lost",
            3,
            "\"message\" is not a field",
            "write the text alone",
        ),
        (
            "\"a\"b",
            4,
            "two values stand side by side",
            "from character 1 on in quotes",
        ),
        ("order.id>=x", 11, "\"x\" is not a number", "order.id:TEXT"),
        ("-", 2, "a minus sign stands alone", "in quotes"),
    ] {
        let error = Query::parse(text).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.hint.contains(hint), "{text}: {}", error.hint);
    }
    let many = "a ".repeat(25);
    let error = Query::parse(&many).unwrap_err();
    assert!(error.message.contains("at most 24 terms"), "{error}");
}

#[test]
fn a_row_that_holds_no_json_fails_no_search() {
    let db = database();
    for (id, context) in [("a", Some("not json \\")), ("b", None), ("c", Some("[1]"))] {
        db.execute(
            "INSERT INTO tail_logs (log_id, worker_name, log_level, message, context_json, timestamp) VALUES (?1, 'w', 'info', 'plain', ?2, '2026')",
            (id, context),
        )
        .unwrap();
    }
    for text in [
        "plain",
        "-lost",
        "-status:5xx",
        "-ms>5",
        "-path:/x",
        "-order.id:7",
        "-kind:log",
    ] {
        let query = Query::parse(text).unwrap();
        assert_eq!(found(&db, &query).len(), 3, "{text}");
    }
    assert!(found(&db, &Query::parse("json").unwrap()).is_empty());
}

#[test]
fn the_longest_query_is_within_the_limits_of_d1() {
    let db = an_incident();
    let greek: String = ('α'..='ω').collect();
    for text in [
        "worker:a*b*c ".repeat(24),
        format!("{greek} -{greek} {}", "x ".repeat(20)),
        format!("path:{}", ["/a"; 24].join(",")),
        format!("order.id:{}", ["true,7,a*b"; 8].join(",")),
        "ms>=1 ".repeat(24),
        format!("worker:{}*y", "long-name-".repeat(9)),
    ] {
        let query = Query::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let _ = found(&db, &query);
    }
}

/// Words that meet each other, JSON's escapes and SQLite's wildcards.
const WORDS: [&str; 22] = [
    "order",
    "Order",
    "ärger",
    "ÄRGER",
    "σίσυφος",
    "ΣΊΣΥΦΟΣ",
    "a\"b",
    "back\\slash",
    "line\nend",
    "50%",
    "*",
    "[x]",
    "?",
    "null",
    "true",
    "42",
    "4",
    "straße",
    "K",
    "ſ",
    "日本",
    "k's",
];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned)
}

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 0..3).prop_map(|words| words.join(" "))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        words().prop_map(Value::from),
        (-5..50_i64).prop_map(Value::from),
        prop::sample::select(vec![json!(true), json!(false), json!(null), json!(1.5)]),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["order", "id", "order.id", "a\"b"]).prop_map(str::to_owned),
        word(),
    ]
}

fn stored_row() -> impl Strategy<Value = Row> {
    let kind = prop::sample::select(vec!["invocation", "log", "diagnostic", "exception"]);
    let members = prop::collection::btree_map(
        prop::sample::select(vec![
            "data", "args", "errors", "stack", "outcome", "headers",
        ]),
        value(),
        0..4,
    );
    let request = (
        0..700_u16,
        prop::sample::select(vec!["/orders", "/orders/7", "/Orders", "/[x]"]),
    );
    let ids = prop::sample::select(vec!["0b0f2a1c", "0b0f9999", "7c7c7c7c"]);
    let worker = prop::sample::select(vec!["api", "api-eu", "web", "a*i", "a[x]"]);
    let level = prop::sample::select(vec!["debug", "info", "warn", "error"]);
    (
        kind,
        members,
        request,
        ids,
        worker,
        level,
        words(),
        0..2000_u32,
    )
        .prop_map(
            |(kind, members, (status, path), id, worker, level, message, ms)| {
                let mut context = json!({"status": status, "path": path, "latency_ms": ms});
                for (name, value) in members {
                    context[name] = value;
                }
                Row::line(i64::from(ms), &message)
                    .worker(worker)
                    .level(if kind == "exception" { "error" } else { level })
                    .ids(id, "r-1234")
                    .kind(kind, &context)
            },
        )
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn term() -> impl Strategy<Value = String> {
    let values = |values: Vec<&'static str>| {
        prop::collection::vec(prop::sample::select(values), 1..3)
            .prop_map(|values| values.join(","))
    };
    let compare = || prop::sample::select(vec![":", ">=", ">", "<=", "<"]);
    let text = prop::collection::vec(prop_oneof![word(), words()], 1..3).prop_map(|texts| {
        let texts: Vec<_> = texts
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| quoted(text))
            .collect();
        if texts.is_empty() {
            "x".to_owned()
        } else {
            texts.join(",")
        }
    });
    let member = (
        prop::sample::select(vec![
            "order",
            "data.id",
            "order.id",
            "order.id.order",
            "data.order",
            "outcome",
        ]),
        prop_oneof![
            word().prop_map(|text| quoted(&text)),
            values(vec!["42", "4*", "*", "true", "null", "1.5", "*r*r"])
        ],
    );
    let positive = prop_oneof![
        text,
        member.prop_map(|(name, value)| format!("{name}:{value}")),
        (compare(), 0..50_u8).prop_map(|(operator, number)| format!("order.id{operator}{number}")),
        values(vec!["api", "api-*", "*", "a*i", "\"a*i\"", "a[x]", "*e*"])
            .prop_map(|value| format!("worker:{value}")),
        values(vec!["debug", "warn", "error"]).prop_map(|value| format!("level:{value}")),
        (compare(), prop::sample::select(vec!["info", "warn"]))
            .prop_map(|(operator, level)| format!("level{operator}{level}")),
        values(vec!["invocation", "exception", "log"]).prop_map(|value| format!("kind:{value}")),
        values(vec!["5xx", "2xx", "404"]).prop_map(|value| format!("status:{value}")),
        (compare(), 0..700_u16).prop_map(|(operator, status)| format!("status{operator}{status}")),
        values(vec!["/orders", "/ord*7", "/[x]", "/O"]).prop_map(|value| format!("path:{value}")),
        (compare(), 0..2000_u16).prop_map(|(operator, ms)| format!("ms{operator}{ms}")),
        values(vec!["0b0f", "0b0f2", "r-1234", "7c7c7c7c"]).prop_map(|value| format!("id:{value}")),
        values(vec!["0b0f2a1c", "0b0f"]).prop_map(|value| format!("correlation_id:{value}")),
    ];
    (prop::bool::ANY, positive)
        .prop_map(|(negated, term)| if negated { format!("-{term}") } else { term })
}

/// JSON with some characters escaped that need not be.
fn escape_more(json: &str) -> String {
    let mut escaped = String::new();
    for c in json.chars() {
        match c {
            '/' => escaped.push_str("\\/"),
            c if c.is_ascii() => escaped.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d1_and_memory_mean_the_same_records(
        rows in prop::collection::vec((stored_row(), prop::bool::ANY), 1..12),
        terms in prop::collection::vec(term(), 1..4),
        ignored in prop::option::of(word()),
        expression in prop::option::of(prop::sample::select(vec!["o.der", "Ä|ς", "^$", "line\\send", "(?i)K", "a\"b|k"])),
    ) {
        let db = database();
        for (row, escapes) in &rows {
            row.insert(&db);
            if *escapes {
                let context: String = db.query_row("SELECT context_json FROM tail_logs WHERE log_id = ?1", [&row.log_id], |row| row.get(0)).unwrap();
                db.execute("UPDATE tail_logs SET context_json = ?1 WHERE log_id = ?2", [escape_more(&context), row.log_id.clone()]).unwrap();
            }
        }
        let mut query = Query::parse(&terms.join(" ")).unwrap();
        if let Some(text) = ignored {
            let test = Test::Text(vec![TextSearch::new(&text, Case::Ignored)]);
            query.add(Term { negated: false, test }).unwrap();
        }
        if let Some(text) = expression {
            let test = Test::Expression(Expression::new(text, Case::Smart).unwrap());
            query.add(Term { negated: false, test }).unwrap();
        }
        let _ = found(&db, &query);
    }
}
