//! Secrets in text: parameters, passwords of URLs, members, tokens.

use super::*;

/// Asserts that each text becomes the one beside it, and stays so.
fn assert_redacted(table: &[(&str, &str)]) {
    for (from, to) in table {
        assert_eq!(redact(from), *to);
        assert_eq!(redact(to), *to);
    }
}

#[test]
fn parameters_are_redacted_wherever_they_stand() {
    assert_redacted(&[
        (
            "https://a.example/p?token=abc&x=1;apiKey=2&empty_token=#f",
            "https://a.example/p?token=REDACTED&x=1;apiKey=REDACTED&empty_token=#f",
        ),
        (
            "https://a.example/?%74oken=abc",
            "https://a.example/?%74oken=REDACTED",
        ),
        ("/cb?code=4%2F0Ab&state=xyz", "/cb?code=REDACTED&state=xyz"),
        ("?password=a=b", "?password=REDACTED"),
        ("?token=1", "?token=REDACTED"),
        ("?password=a;b&c=d", "?password=REDACTED&c=d"),
        ("?password=it's&c=d", "?password=REDACTED&c=d"),
        (
            "GET 'https://a.example/?sig=abc' failed: \"https://a.example/?sid=d\"",
            "GET 'https://a.example/?sig=REDACTED' failed: \"https://a.example/?sid=REDACTED\"",
        ),
        (
            "see <https://a.example/?key=abc> for",
            "see <https://a.example/?key=REDACTED> for",
        ),
        ("a?token=ab\u{e9}c d", "a?token=REDACTED d"),
        (
            "/#access_token=abc&token_type=bearer",
            "/#access_token=REDACTED&token_type=bearer",
        ),
        (
            "a href=?a=1&amp;token=abc",
            "a href=?a=1&amp;token=REDACTED",
        ),
        (
            r"{\u0022u\u0022:\u0022/?a=1\u0026token=abc\u0022",
            r"{\u0022u\u0022:\u0022/?a=1\u0026token=REDACTED\u0022",
        ),
        (
            "/login?next=%2Fcb%3Fcode%3Dabc%26state%3Dx&code=d",
            "/login?next=%2Fcb%3Fcode%3DREDACTED%26state%3Dx&code=REDACTED",
        ),
        ("/a;jsessionid=0A1B/b?x=1", "/a;jsessionid=REDACTED?x=1"),
        (
            "https://b.example/o?X-Amz-Credential=AK%2F1&X-Amz-Date=2&X-Amz-Signature=ab&X-Amz-Security-Token=c",
            "https://b.example/o?X-Amz-Credential=REDACTED&X-Amz-Date=2&X-Amz-Signature=REDACTED&X-Amz-Security-Token=REDACTED",
        ),
        (
            "https://s.example/c?sv=2024&sp=r&sig=a%2Bb%3D",
            "https://s.example/c?sv=2024&sp=r&sig=REDACTED",
        ),
    ]);
}

#[test]
fn forms_and_settings_are_redacted() {
    assert_redacted(&[
        ("code=abc&grant_type=x", "code=REDACTED&grant_type=x"),
        ("body: token=abc&x=1", "body: token=REDACTED&x=1"),
        (
            "grant=a&user[password]=b",
            "grant=a&user[password]=REDACTED",
        ),
        ("password=hunter2", "password=REDACTED"),
        (
            "authorization=Bearer abcdef; next=1",
            "authorization=REDACTED; next=1",
        ),
        (
            "headers.authorization=token abcdef g",
            "headers.authorization=REDACTED g",
        ),
        (
            "level=info msg=\"x\" db_password=hunter2 n=1",
            "level=info msg=\"x\" db_password=REDACTED n=1",
        ),
        (
            "Server=db;User=sa;Password=hunter2;Pool=1",
            "Server=db;User=sa;Password=REDACTED;Pool=1",
        ),
        (
            "Server=db; Password=\"hunter 2\"; Pool=1",
            "Server=db; Password=\"REDACTED\"; Pool=1",
        ),
        (
            "Server=db; Password=\"hunter2",
            "Server=db; Password=\"REDACTED",
        ),
        (
            "AccountName=a;AccountKey=b64==;X=y",
            "AccountName=a;AccountKey=REDACTED;X=y",
        ),
        (
            "Server=db; Pwd=hunter2; Pool=1",
            "Server=db; Pwd=REDACTED; Pool=1",
        ),
        ("password = 'hunter2' # x", "password = 'REDACTED' # x"),
        ("api_key = \"hunter2\"", "api_key = \"REDACTED\""),
        ("?subscription-key=abc", "?subscription-key=REDACTED"),
        (
            "A=1\nDB_PASSWORD=hunter2\nB=2",
            "A=1\nDB_PASSWORD=REDACTED\nB=2",
        ),
    ]);
}

#[test]
fn passwords_of_urls_are_redacted() {
    assert_redacted(&[
        (
            "https://u:p@a.example/x@y:z",
            "https://u:REDACTED@a.example/x@y:z",
        ),
        (
            "connect postgres://app:p%40ss:w@db.example:5432/x?y=1 failed",
            "connect postgres://app:REDACTED@db.example:5432/x?y=1 failed",
        ),
        ("redis://:hunter2@r.example", "redis://:REDACTED@r.example"),
        (
            "ftp://u:p@ss@h and http://v:q@i",
            "ftp://u:REDACTED@h and http://v:REDACTED@i",
        ),
        ("amqp://u:\u{e9}@h", "amqp://u:REDACTED@h"),
    ]);
}

#[test]
fn members_in_text_are_redacted() {
    assert_redacted(&[
        (
            r#"failed: {"user":"u","password":"hun\"ter","n":1} again"#,
            r#"failed: {"user":"u","password":"REDACTED","n":1} again"#,
        ),
        (r#"cut: {"api_key": "abc"#, r#"cut: {"api_key": "REDACTED"#),
        (
            "Headers(2) { 'authorization' => 'Bearer x', 'accept' => '*/*' }",
            "Headers(2) { 'authorization' => 'REDACTED', 'accept' => '*/*' }",
        ),
        (
            r#"{"password" => "hunter2", "pin" => 1234}"#,
            r#"{"password" => "REDACTED", "pin" => "REDACTED"}"#,
        ),
        (
            r#"{"token":["a",{"b":"]"}],"c":1}"#,
            r#"{"token":"REDACTED","c":1}"#,
        ),
        (r#"{"credentials":{"u":"a}"#, r#"{"credentials":"REDACTED""#),
        (
            r#"{"pin":1234,"token":5}"#,
            r#"{"pin":"REDACTED","token":5}"#,
        ),
        (
            r#"{"body":"{\"password\":\"x\",\"pin\":12,\"a\":\"b\"}"}"#,
            r#"{"body":"{\"password\":\"REDACTED\",\"pin\":\"REDACTED\",\"a\":\"b\"}"}"#,
        ),
        (
            "{ user: 'u', password: 'hunter2' }",
            "{ user: 'u', password: 'REDACTED' }",
        ),
        (
            "{'password': 'x', 'a': 'b'}",
            "{'password': 'REDACTED', 'a': 'b'}",
        ),
        (
            r#""{\"password\":\"x\",\"pin\":12,\"a\":\"b\"}""#,
            r#""{\"password\":\"REDACTED\",\"pin\":\"REDACTED\",\"a\":\"b\"}""#,
        ),
        (
            r#""\"{\\\"password\\\":\\\"x\\\",\\\"pin\\\":12,\\\"a\\\":\\\"b\\\"}\"""#,
            r#""\"{\\\"password\\\":\\\"REDACTED\\\",\\\"pin\\\":\\\"REDACTED\\\",\\\"a\\\":\\\"b\\\"}\"""#,
        ),
        (
            "{ password: `it's \"x\"`, a: `b` }",
            "{ password: `REDACTED`, a: `b` }",
        ),
        (
            "{password:'x',a:\"b\",apiKey:\"c\"}",
            "{password:'REDACTED',a:\"b\",apiKey:\"REDACTED\"}",
        ),
        (
            r#"{"password"=>"x", :secret=>"y", "a"=>"b"}"#,
            r#"{"password"=>"REDACTED", :secret=>"REDACTED", "a"=>"b"}"#,
        ),
        (
            r#"User { password: Some("x"), pin: None }"#,
            r#"User { password: Some("REDACTED"), pin: None }"#,
        ),
        (
            r#"cut: "apiKey" : "x", "a" : "b""#,
            r#"cut: "apiKey" : "REDACTED", "a" : "b""#,
        ),
        (
            "{ passwords: [ 'a]', 'b' ], secret: { key: '}' }, list: [ 'c' ] }",
            r#"{ passwords: "REDACTED", secret: "REDACTED", list: [ 'c' ] }"#,
        ),
    ]);
}

#[test]
fn headers_and_settings_in_text_are_redacted() {
    assert_redacted(&[
        (
            "Host: a.example\r\nCookie: a=b; session=c\r\nAccept: */*",
            "Host: a.example\r\nCookie: REDACTED\r\nAccept: */*",
        ),
        (
            "set-cookie: sid=abc; HttpOnly was sent",
            "set-cookie: REDACTED was sent",
        ),
        (
            "curl -H 'Authorization: Token abcdef' -H 'X-Api-Key: abc123' x",
            "curl -H 'Authorization: Token REDACTED' -H 'X-Api-Key: REDACTED' x",
        ),
        ("Authorization: hunter2", "Authorization: REDACTED"),
        (
            "login of ada, password: hunter2",
            "login of ada, password: REDACTED",
        ),
        (
            "DB_PASSWORD: hunter2\nPORT: 8080",
            "DB_PASSWORD: REDACTED\nPORT: 8080",
        ),
    ]);
}

#[test]
fn harmless_values_of_secret_names_stay() {
    for text in [
        "Authorization: required",
        "authorization: missing header 12345678",
        "Invalid cookie: expired",
        "passwords: 3, secrets: 12",
        "3 secrets: none of 123456 lines",
        "password == 'hunter2'",
        "token = \"abc\"",
        "key = 'orders'",
        "?hasPassword=true&token=false&secret=null&token=&x",
        r#"{"hasPassword":true,"password":null,"secret":"","refresh_token_expires_in":3600}"#,
        "if (password==null) throw",
        "password=>check(password)",
        "Unexpected token: '}'",
        "Unexpected token: [ in the list",
        "token=abc",
        "code=ECONNRESET",
        "failed; code=ECONNRESET",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn tokens_are_redacted_wherever_they_stand() {
    let places = [
        ("", ""),
        ("a ", " b"),
        ("https://a.example/x/", "/y"),
        ("(", ")"),
        ("{\"a\":\"", "\"}"),
        ("'", "'"),
        ("x=", "&y=z"),
        ("a%20", "%20b"),
        ("    at f (https://a.example/", ":12:5)"),
        ("line\\n", "\\nline"),
        ("\u{e9} ", " \u{e9}"),
        ("a, ", ", b"),
    ];
    for (issuer, token, secret) in tokens() {
        for (before, after) in places {
            if issuer == "`Basic` and credentials" && after.starts_with('/') {
                continue; // base64 goes on there
            }
            let redacted = redact(&format!("{before}{token}{after}"));
            let shown = redacted.get(..300.min(redacted.len())).unwrap_or(&redacted);
            assert!(
                !redacted.contains(&secret),
                "{issuer}: {before}…{after}: {shown}"
            );
            assert!(redacted.contains(REDACTED), "{issuer}: {shown}");
            assert!(redacted.starts_with(before), "{issuer}: {shown}");
            assert_eq!(redact(&redacted), redacted, "{issuer}");
        }
    }
}

#[test]
fn the_text_around_a_token_stays() {
    let secret = format!("A{}", "b".repeat(34));
    let word = "a1B2".repeat(12);
    let table = [
        (
            format!("POST https://api.telegram.org/bot1234509876:{secret}/sendMessage failed: 429"),
            "POST https://api.telegram.org/bot1234509876:REDACTED/sendMessage failed: 429",
        ),
        (
            format!("https://hooks.slack.com/services/T0/B0/{word} answered 404"),
            "https://hooks.slack.com/services/REDACTED answered 404",
        ),
        (
            format!("https://discord.com/api/webhooks/123456789012345678/{word}?wait=true"),
            "https://discord.com/api/webhooks/123456789012345678/REDACTED?wait=true",
        ),
        (
            format!("npm_{word}, npm_{word}"),
            "npm_REDACTED, npm_REDACTED",
        ),
        (format!("key sk-proj-{word}."), "key sk-proj-REDACTED."),
        (
            format!("authorization: Bearer {word}\nhost: a"),
            "authorization: Bearer REDACTED\nhost: a",
        ),
        (
            "authorization: Basic dXNlcjpwYXNz, x".to_owned(),
            "authorization: Basic REDACTED, x",
        ),
        (
            "rt.jwt.v1, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl".to_owned(),
            "rt.jwt.v1, REDACTED",
        ),
    ];
    for (from, to) in table {
        assert_eq!(redact(&from), to);
    }
}

#[test]
fn shapes_can_be_left_alone() {
    let redactor = Redactor::new(RedactorOptions {
        redact_shapes: false,
        ..RedactorOptions::default()
    });
    let text = format!("npm_{} Bearer {}", "a1".repeat(20), "a1".repeat(20));
    assert_eq!(redactor.redact_text(&text), text);
    assert_eq!(redactor.redact_text("?token=a"), "?token=REDACTED");
    assert_eq!(redactor.redact_text("s://u:p@h"), "s://u:REDACTED@h");
}

#[test]
fn text_without_secrets_is_not_copied() {
    for text in ["", "ok", "GET https://a.example/?x=1&y=2 200 in 3 ms"] {
        assert!(matches!(
            Redactor::default().redact_text(text),
            Cow::Borrowed(_)
        ));
    }
}

/// Each text is little but places where a rule could begin. A rule that read on to the end of the text from each of them
/// would make this test the slowest by far: 20,000 bytes would be read up to 10,000 times, in some 600 texts.
#[test]
fn long_texts_of_nothing_but_beginnings_end() {
    const LEN: usize = 20_000;
    let mut parts: Vec<String> = SHAPES
        .iter()
        .flat_map(|shape| shape.starts)
        .flat_map(|start| {
            ["", " ", ".", "-", "_", "%20", "+", "/"].map(|gap| format!("{start}{gap}"))
        })
        .collect();
    parts.extend(
        [
            "=",
            "%3D",
            "%3d",
            "token=",
            "token%3D",
            "?token=",
            "&token=REDACTED",
            "?token",
            "?",
            "&",
            ";",
            ";a",
            ";token=;",
            "token='",
            "token=('",
            "token=x'",
            "&token='",
            "&token=\"x'",
            "://",
            "a://b:",
            "a://b:c@",
            "\":",
            "':",
            ": '",
            "\"token\":",
            "\"token\":[",
            "\"token\":{\"",
            "\"token\": ",
            "\"token\":\"\\",
            "token: '",
            "password: [",
            "password: {'",
            "password: `",
            "\\\"password\\\":\\",
            "Bearer ",
            "bearer a",
            "basic+",
            "Basic eyJ",
            "BASIC dXNl ",
            "eyJhbGciOiJIUzI1NiJ9.",
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJ-eyJ.",
            "sk-a-",
            ":A",
            "12345:A",
            "-----BEGIN PRIVATE KEY-----",
            "/webhooks/123456789012345678/",
            "8Q~",
            "aaa8Q~",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4.",
            "passWord",
            "compassWords",
            "secretary",
            "keyToken",
            "%",
            "%2",
            "aB",
            "\\",
            "\\u0026",
            "\u{e9}=",
        ]
        .map(str::to_owned),
    );
    let redactor = redactor_with(&["zzz"]);
    for part in parts {
        let text = part.repeat(LEN / part.len());
        let redacted = redactor.redact_text(&text);
        assert!(redacted.len() <= 5 * LEN, "{part}");
    }
    for name in [
        "passWord",
        "compassWords",
        "secretary",
        "keyToken",
        "authS",
        "aB",
        "%74",
        "tokens",
    ] {
        let name = name.repeat(LEN / name.len());
        let _ = redactor.judge_field(&name);
        let _ = redactor.judge_parameter(&name);
    }
}
