//! Shapes that take more than a start and a run of characters.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::shapes::Alphabet::{Alnum, Base64, Dotted, Word};
use super::shapes::{Alphabet, run_len, starts_word};

/// Characters of the shortest header of a JSON Web Token, `{"alg":"none"}`, without padding.
const WEB_TOKEN_HEADER: usize = 16;

/// Returns a JSON Web Token: a header and a payload, each an object in base64url, or a header and
/// at least two further parts.
pub(super) fn find_web_token(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    // Words are read once, from their beginnings: a text may hold nothing but such starts.
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    if !starts_word(bytes, at) || matches!(before, Some(b'_' | b'-')) {
        return None;
    }
    let part_end = |start: usize| start + run(text, start, Word);
    let header_end = part_end(at);
    if header_end - at < WEB_TOKEN_HEADER || bytes.get(header_end) != Some(&b'.') {
        return None;
    }
    let mut end = header_end;
    let mut parts = 1;
    while parts < 5 && bytes.get(end) == Some(&b'.') {
        end = part_end(end + 1);
        parts += 1;
    }
    let is_object = text
        .get(header_end + 1..)
        .is_some_and(|payload| payload.starts_with("ey"));
    let rest_len = end - header_end;
    (parts >= 3 && rest_len >= 16 || is_object && rest_len >= 10).then_some(at..end)
}

/// Returns the token after `Bearer`: sixteen characters or more, with a digit.
pub(super) fn find_bearer(text: &str, at: usize) -> Option<Range<usize>> {
    let start = find_credentials(text, at, "bearer")?;
    let token = text.as_bytes().get(start..)?;
    let is_token = |byte: &u8| Base64.has(*byte) || matches!(byte, b'.' | b'~' | b'%' | b'|');
    let len = token.iter().take_while(|byte| is_token(byte)).count();
    let has_digit = token.get(..len)?.iter().any(u8::is_ascii_digit);
    (len >= 16 && has_digit).then_some(start..start + len)
}

/// Returns the credentials after `Basic`, if they decode to text with a colon.
pub(super) fn find_basic(text: &str, at: usize) -> Option<Range<usize>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const ENGINES: [GeneralPurpose; 2] = [
        GeneralPurpose::new(&STANDARD, LENIENT),
        GeneralPurpose::new(&URL_SAFE, LENIENT),
    ];
    let start = find_credentials(text, at, "basic")?;
    let end = start + run(text, start, Base64);
    let encoded = text.get(start..end)?;
    let is_credentials = |bytes: Vec<u8>| {
        bytes.contains(&b':')
            && String::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control))
    };
    ENGINES
        .iter()
        .filter_map(|engine| engine.decode(encoded).ok())
        .any(is_credentials)
        .then_some(start..end)
}

/// Returns where the credentials begin after the name of a `scheme`, in any case, at `at`.
fn find_credentials(text: &str, at: usize, scheme: &str) -> Option<usize> {
    let name = text.get(at..at + scheme.len())?;
    if !name.eq_ignore_ascii_case(scheme) || !starts_word(text.as_bytes(), at) {
        return None;
    }
    let after = text.get(at + scheme.len()..)?;
    let rest = match after.strip_prefix("%20") {
        Some(rest) => rest,
        None => after.trim_start_matches([' ', '\t']),
    };
    (rest.len() < after.len()).then(|| text.len() - rest.len())
}

/// Returns a private key in PEM, to its end or that of the text.
pub(super) fn find_private_key(text: &str, at: usize) -> Option<Range<usize>> {
    const BEGIN: &str = "-----BEGIN";
    const END: &str = "-----END";
    /// Longer than `-----BEGIN OPENSSH PRIVATE KEY-----` and its like.
    const TITLE: usize = 60;
    let after = text.as_bytes().get(at + BEGIN.len()..)?;
    if !text.get(at..)?.starts_with(BEGIN) {
        return None;
    }
    let title = after.get(..TITLE).unwrap_or(after);
    let key = b"PRIVATE KEY";
    let title_end = title.windows(key.len()).position(|part| part == key)? + key.len();
    // `PRIVATE KEY BLOCK` is PGP's.
    let dashes = after.get(title_end..)?;
    let mark = memchr::memmem::find(dashes.get(..16).unwrap_or(dashes), b"-----")?;
    let start = at + BEGIN.len() + title_end + mark + 5;
    let body = text.get(start..)?;
    let len = memchr::memmem::find(body.as_bytes(), END.as_bytes()).unwrap_or(body.len());
    (body.get(..len)?.trim() != super::REDACTED && len > 0).then_some(start..start + len)
}

/// Returns a client secret of Microsoft Entra: three characters, a digit, `Q~` and 31 or more.
pub(super) fn find_azure_secret(text: &str, at: usize) -> Option<Range<usize>> {
    const BEFORE: usize = 3;
    const AFTER: Range<usize> = 31..35;
    let is_secret = |byte: &u8| Dotted.has(*byte) && *byte != b'%' || *byte == b'~';
    let start = at.checked_sub(BEFORE)?;
    let before = text.as_bytes().get(start..at)?;
    let after = text.as_bytes().get(at + 3..)?;
    let len = after
        .iter()
        .take(AFTER.end)
        .take_while(|byte| is_secret(byte))
        .count();
    let is_found = text.get(at + 1..)?.starts_with("Q~")
        && before.iter().all(is_secret)
        && starts_word(text.as_bytes(), start)
        && AFTER.contains(&len);
    is_found.then_some(start..at + 3 + len)
}

/// Returns the secret part of a Discord webhook's path: `/webhooks/ID/` and a token.
pub(super) fn find_discord_webhook(text: &str, at: usize) -> Option<Range<usize>> {
    let path = text.get(at..)?.strip_prefix("/webhooks/")?;
    let id_len = path.bytes().take(24).take_while(u8::is_ascii_digit).count();
    if id_len < 15 || path.as_bytes().get(id_len) != Some(&b'/') {
        return None;
    }
    let start = at + "/webhooks/".len() + id_len + 1;
    let len = run(text, start, Word);
    (len >= 40).then_some(start..start + len)
}

/// Returns a bot's token of Discord: its id in base64, a dot, six characters, a dot and the rest.
pub(super) fn find_discord_token(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if !starts_word(bytes, at) {
        return None;
    }
    let dot = |at: usize| bytes.get(at) == Some(&b'.');
    let id_len = (22..=28).find(|len| dot(at + len))?;
    let id = bytes.get(at..at + id_len)?;
    let time_start = at + id_len + 1;
    let rest_start = time_start + 7;
    let time = bytes.get(time_start..rest_start - 1)?;
    let is_found = dot(rest_start - 1)
        && id.iter().all(|&byte| Alnum.has(byte))
        && time.iter().all(|&byte| Word.has(byte));
    let len = run(text, rest_start, Word);
    (is_found && len >= 25).then_some(at..rest_start + len)
}

/// Returns the secret part of a bot's token of Telegram: its id, a colon, `A` and 34 characters.
pub(super) fn find_telegram_token(text: &str, at: usize) -> Option<Range<usize>> {
    const SECRET: Range<usize> = 35..36;
    let bytes = text.as_bytes();
    let colon = if bytes.get(at) == Some(&b':') {
        ":"
    } else {
        "%3A"
    };
    let start = at + colon.len();
    if !text.get(at..start)?.eq_ignore_ascii_case(colon) {
        return None;
    }
    let before = bytes.get(..at)?;
    let id_len = before
        .iter()
        .rev()
        .take(17)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let id_start = at - id_len;
    let is_id = (5..=16).contains(&id_len)
        && (starts_word(bytes, id_start) || before.get(..id_start)?.ends_with(b"bot"));
    let rest = bytes.get(start..)?;
    let len = run_len(rest.get(..SECRET.end).unwrap_or(rest), Word);
    (is_id && rest.first() == Some(&b'A') && SECRET.contains(&len)).then_some(start..start + len)
}

/// Returns a key of a model's API: `sk-`, a name of the kind or none, and random characters.
pub(super) fn find_model_key(text: &str, at: usize) -> Option<Range<usize>> {
    const KINDS: [&str; 6] = ["ant-", "proj-", "svcacct-", "admin-", "or-v1-", "lf-"];
    /// Characters in a row that no name of a class or file has.
    const RANDOM: usize = 20;
    let bytes = text.as_bytes();
    let rest = text.get(at..)?.strip_prefix("sk-")?;
    if !starts_word(bytes, at) {
        return None;
    }
    let kind = KINDS.iter().find(|kind| rest.starts_with(**kind));
    let alphabet = if kind.is_some() { Word } else { Alnum };
    let kept = "sk-".len() + kind.map_or(0, |kind| kind.len());
    let start = at + kept;
    let head = bytes.get(start..)?;
    let head = head.get(..64).unwrap_or(head);
    let head = head.get(..run_len(head, alphabet))?;
    (head.len() >= RANDOM && head.iter().any(u8::is_ascii_digit))
        .then(|| start..start + run(text, start, Word))
}

/// Returns how many characters of `alphabet` are at `start`.
fn run(text: &str, start: usize, alphabet: Alphabet) -> usize {
    run_len(text.as_bytes().get(start..).unwrap_or_default(), alphabet)
}
