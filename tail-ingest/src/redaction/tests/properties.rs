//! Properties of any spelling, value and surrounding.

use proptest::prelude::*;
use proptest::sample::select;

use super::harmless;
use super::*;

/// Names that are secret in every place, as words.
const SECRET_NAMES: &[&[&str]] = &[
    &["password"],
    &["passwd"],
    &["passphrase"],
    &["secret"],
    &["credential"],
    &["authorization"],
    &["cookie"],
    &["db", "password"],
    &["refresh", "token"],
    &["access", "token"],
    &["private", "key"],
    &["api", "key"],
    &["api", "token"],
    &["client", "secret"],
    &["user", "pwd"],
    &["id", "jwt"],
    &["sms", "otp"],
    &["card", "pin"],
    &["my", "token"],
    &["signing", "key"],
    &["auth", "header"],
];

/// Returns `words` in one of the spellings that languages and protocols use.
fn spell(words: &[&str], spelling: usize) -> String {
    let capital = |word: &&str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    let capitals = || words.iter().map(capital).collect::<String>();
    match spelling {
        0 => words.join("_"),
        1 => words.join("-"),
        2 => words.join("_").to_ascii_uppercase(),
        3 => words.join("-").to_ascii_uppercase(),
        4 => capitals(),
        5 => words
            .iter()
            .take(1)
            .map(|word| (*word).to_owned())
            .chain(words.iter().skip(1).map(capital))
            .collect(),
        6 => words.join("."),
        7 => words.iter().map(capital).collect::<Vec<_>>().join("-"),
        // Acronym + Word: `DBPassword`
        8 => words
            .iter()
            .take(1)
            .map(|word| word.to_ascii_uppercase())
            .chain(words.iter().skip(1).map(capital))
            .collect(),
        _ => words.join(" "),
    }
}

/// Text that may stand before or after a secret: no letter or digit touches it.
fn surrounding() -> impl Strategy<Value = (String, String)> {
    let harmless = select(harmless::TEXTS.to_vec());
    let text = prop_oneof![any::<String>(), harmless.prop_map(str::to_owned)];
    let gap = select(vec![" ", "\n", "\"", "'", "(", "\t", "[", "<"]);
    (text.clone(), gap, text).prop_map(|(before, gap, after)| {
        let end = match gap {
            "(" => ")",
            "[" => "]",
            "<" => ">",
            other => other,
        };
        (format!("{before}{gap}"), format!("{end}{after}"))
    })
}

/// Pieces of text that rules begin, end or are confused with.
fn fragments() -> impl Strategy<Value = String> {
    let starts: Vec<String> = SHAPES
        .iter()
        .flat_map(|shape| shape.starts)
        .chain(&[
            "=", "%3D", "://", "@", ":", "\":", ": '", "?", "&", ";", "#", "'", "\"", "\\",
        ])
        .chain(&[
            "token", "password", "code", " ", ".", "%26", "REDACTED", "{", "]", "1", "\u{e9}",
        ])
        .map(|&start| start.to_owned())
        .collect();
    let token = select(tokens()).prop_map(|(_, token, _)| token);
    let short = token.prop_filter("short", |token| token.len() < 1_000);
    let piece = prop_oneof![4 => select(starts), 1 => any::<String>(), 1 => short];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn secret_names_are_secret_in_any_spelling(
        words in select(SECRET_NAMES),
        spelling in 0..10_usize,
        before in select(vec![&[][..], &["x"], &["user", "2"], &["my", "new"]]),
    ) {
        let words = [before, words].concat();
        let name = spell(&words, spelling);
        let redactor = Redactor::default();
        prop_assert_ne!(redactor.judge_field(&name), Verdict::Keep, "{}", name);
        prop_assert_ne!(redactor.judge_header(&name), Verdict::Keep, "{}", name);
        prop_assert_ne!(redactor.judge_parameter(&name), Verdict::Keep, "{}", name);
    }

    #[test]
    fn secret_values_of_any_kind_leave_text(
        words in select(SECRET_NAMES),
        spelling in 0..9_usize,
        value in "[A-Za-z0-9]{2}s3cr3t[A-Za-z0-9+/=_~!*()%.-]{0,40}[A-Za-z0-9]",
        (before, after) in surrounding(),
        pair in select(vec![
            "https://a.example/p?NAME=VALUE", "/p?a=1&NAME=VALUE&b=2", "a=1;NAME=VALUE", "x=y&NAME=VALUE",
            "#NAME=VALUE", "/r?to=%2Fp%3FNAME%3DVALUE", "{\"NAME\":\"VALUE\"}", "{\"NAME\": [\"VALUE\", 1]}",
            "{\"a\":{\"NAME\":{\"b\":\"VALUE\"}}}", "{\\\"NAME\\\":\\\"VALUE\\\"}",
        ]),
    ) {
        let secret = pair.replace("NAME", &spell(words, spelling)).replace("VALUE", &value);
        let redacted = redact(&format!("{before}{secret}{after}"));
        prop_assert!(!redacted.contains(&value), "{redacted}");
    }

    #[test]
    fn tokens_leave_any_text(token in select(tokens()), (before, after) in surrounding()) {
        let (issuer, token, secret) = token;
        let redacted = redact(&format!("{before}{token}{after}"));
        prop_assert!(!redacted.contains(&secret), "{}", issuer);
    }

    #[test]
    fn redacting_again_changes_nothing(text in fragments()) {
        // Where beginnings of tokens are glued together, the first pass may make a token of what was too long or too short
        // for one: a second pass may redact more, never a third.
        let redacted = redact(&redact(&text));
        prop_assert_eq!(redact(&redacted), redacted);
    }

    #[test]
    fn harmless_text_survives_beside_harmless_text(
        texts in proptest::collection::vec(select(harmless::TEXTS.to_vec()), 0..6),
        gap in select(vec![" ", "\n", ", "]),
    ) {
        let text = texts.join(gap);
        prop_assert_eq!(redact(&text), text);
    }

    #[test]
    fn random_ids_and_blobs_survive(
        hex in "[0-9a-f]{32,64}",
        base64 in "[A-Za-z0-9+/]{40,400}={0,2}",
        uuid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        ulid in "[0-9A-HJKMNP-TV-Z]{26}",
    ) {
        let text = format!("etag {hex} body {base64} request {uuid} order {ulid} /a/{hex}/{uuid}?id={ulid}");
        prop_assert_eq!(redact(&text), text);
    }
}
