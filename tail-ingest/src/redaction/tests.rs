//! Tables of what is redacted and of what is not, and properties that hold for any of them.

mod docs;
mod harmless;
mod names;
mod properties;
mod text;

use super::shapes::{Alphabet, Rest, SHAPES};
use super::*;

fn redact(text: &str) -> String {
    Redactor::default().redact_text(text).into_owned()
}

fn redactor_with(added: &[&str]) -> Redactor {
    Redactor::new(RedactorOptions {
        added_names: added.iter().map(|&name| name.to_owned()).collect(),
        ..RedactorOptions::default()
    })
}

/// A token of each start of each shape: its issuer, the token, and the part that must not be seen.
///
/// They are made here, so that no text of this repository looks like one.
fn tokens() -> Vec<(&'static str, String, String)> {
    let random = |alphabet: Alphabet, len: usize| -> String {
        let mixed = b"7aB3dE9fC2bA5cF8eD4Q6xY1z0".iter().cycle();
        let chars = mixed.filter(|&&byte| alphabet.has(byte)).take(len);
        chars.map(|&byte| char::from(byte)).collect()
    };
    let word = |len| random(Alphabet::Word, len);
    let mut tokens = Vec::new();
    for shape in SHAPES {
        match shape.rest {
            Rest::Run { alphabet, min, .. } => {
                for start in shape.starts {
                    let secret = random(alphabet, min);
                    tokens.push((shape.issuer, format!("{start}{secret}"), secret));
                }
            }
            Rest::Special(_) => {}
        }
    }
    let jwt = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiI0MiJ9", "c2lnbmF0dXJl"].join(".");
    let encrypted = format!("eyJhbGciOiJkaXIifQ..{}.{}.{}", word(16), word(40), word(22));
    let spaced = format!("eyAidHlwIjogIkpXVCIgfQ.{}.{}", word(30), word(43));
    for token in [
        jwt.clone(),
        encrypted,
        spaced,
        format!("{jwt}{}", word(100_000)),
    ] {
        tokens.push(("JSON Web Token", token.clone(), token));
    }
    for (scheme, secret) in [("Bearer", word(16)), ("bearer", word(40)), ("BEARER", jwt)] {
        tokens.push(("`Bearer` and a token", format!("{scheme} {secret}"), secret));
    }
    // user:pass, user: and Jürgen:pä?s
    for (scheme, secret) in [
        ("Basic", "dXNlcjpwYXNz"),
        ("basic", "dXNlcjo="),
        ("BASIC", "SsO8cmdlbjpww6Q/cw=="),
        ("Basic", "SsO8cmdlbjpww6Q_cw"),
    ] {
        let token = format!("{scheme} {secret}");
        tokens.push(("`Basic` and credentials", token, secret.to_owned()));
    }
    for title in ["PRIVATE KEY", "RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
        let secret = word(200);
        let token = format!("-----BEGIN {title}-----\n{secret}\n-----END {title}-----");
        tokens.push(("private key (PEM)", token, secret));
    }
    let secret = format!("abc8Q~{}", word(34));
    tokens.push(("Azure", secret.clone(), secret));
    let secret = word(68);
    let webhook = format!("https://discord.com/api/webhooks/123456789012345678/{secret}");
    tokens.push(("Discord", webhook, secret));
    // 123456789012345678 and 9876543210987654321 in base64.
    for id in ["MTIzNDU2Nzg5MDEyMzQ1Njc4", "OTg3NjU0MzIxMDk4NzY1NDMyMQ"] {
        let secret = format!("{id}.{}.{}", word(6), word(38));
        tokens.push(("Discord", secret.clone(), secret));
    }
    let secret = format!("A{}", word(34));
    for before in [
        "1234509876:",
        "bot1234509876:",
        "https://a.example/bot12345:",
        "12345678%3A",
    ] {
        tokens.push(("Telegram", format!("{before}{secret}"), secret.clone()));
    }
    for kind in ["", "proj-", "svcacct-", "ant-api03-", "or-v1-", "lf-"] {
        let secret = word(48);
        let token = format!("sk-{kind}{secret}");
        tokens.push(("OpenAI, Anthropic, OpenRouter, Langfuse", token, secret));
    }
    tokens
}

#[test]
fn each_shape_has_a_token_that_is_tried() {
    let tokens = tokens();
    for shape in SHAPES {
        let is_tried = tokens.iter().any(|(issuer, ..)| *issuer == shape.issuer);
        assert!(is_tried, "{}", shape.issuer);
    }
}
