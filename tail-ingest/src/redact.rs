//! Secrets: which names mark one, and URLs without theirs. `clean` applies this inside JSON.
//!
//! The runtime already redacts some headers and long digit runs in URLs, but not everywhere (never in log lines, not
//! locally), so nothing here relies on it.

use std::borrow::Cow;

/// What stands where a secret was; the runtime's own spelling.
pub const REDACTED: &str = "REDACTED";

/// A header or parameter whose name holds one of these, in any case, is secret.
const SECRET: [&str; 8] = [
    "auth", "jwt", "key", "secret", "token", "password", "passwd", "cookie",
];

/// Further words that make the name of a member in logged data secret; see [`Names::marks_field`].
const SECRET_WORDS: [&str; 5] = [
    "authorization",
    "apikey",
    "authtoken",
    "accesstoken",
    "credentials",
];

/// Three letters of each built-in word: its beginning, if no other word in it has one here (`apikey` has `key`).
const BEGINNINGS: [&[u8; 3]; 8] = [
    b"aut", b"jwt", b"key", b"sec", b"tok", b"pas", b"coo", b"cre",
];

/// Headers that are ids by which traces are followed: never redacted, whatever the names say.
const CORRELATION: [&str; 5] = [
    "x-correlation-id",
    "x-request-id",
    "traceparent",
    "tracestate",
    "cf-ray",
];

/// Which names mark secrets.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Names {
    /// Names added by the operator, in lower case.
    added: Vec<String>,
    /// Members of logged data are left alone.
    skip_fields: bool,
}

impl Names {
    /// The built-in names and `added`; with `fields` false, members of logged data are stored as they were logged.
    #[must_use]
    pub fn new(added: impl IntoIterator<Item = String>, fields: bool) -> Self {
        Self {
            added: added
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            skip_fields: !fields,
        }
    }

    /// Whether a header, query parameter or tail attribute of this name is secret: it holds a built-in or added name.
    #[must_use]
    pub fn marks(&self, name: &str) -> bool {
        let found = may_hold(name) && SECRET.iter().any(|word| find(name, word, 0).is_some())
            || self.added(name);
        found
            && !CORRELATION
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Whether text under a member of this name in logged data is secret: a whole word of it is a built-in name
    /// (`apiToken`, `api_token` and `tokens`, but neither `author` nor `monkey`), or it holds an added one.
    #[must_use]
    pub fn marks_field(&self, name: &str) -> bool {
        if self.skip_fields {
            return false;
        }
        may_hold(name)
            && SECRET
                .iter()
                .chain(&SECRET_WORDS)
                .any(|word| holds_word(name, word))
            || self.added(name)
    }

    /// Whether a glance shows that no part of `query` is a secret name.
    fn cannot_mark_in(&self, query: &str) -> bool {
        self.added.is_empty() && !query.contains('%') && !may_hold(query)
    }

    fn added(&self, name: &str) -> bool {
        self.added.iter().any(|word| find(name, word, 0).is_some())
    }
}

/// Whether `name` holds three letters in a row without which none of the built-in words can be in it. Nearly no name
/// does, and this runs for every member of everything logged.
fn may_hold(name: &str) -> bool {
    // For each first letter (its low five bits) the second letters, as a set.
    #[allow(clippy::indexing_slicing)] // at compile time
    const PAIRS: [u32; 32] = {
        let mut pairs = [0; 32];
        let mut at = 0;
        while at < BEGINNINGS.len() {
            let [one, two, _] = *BEGINNINGS[at];
            pairs[(one & 0x1f) as usize] |= 1 << (two & 0x1f);
            at += 1;
        }
        pairs
    };
    name.as_bytes().windows(3).any(|three| {
        let [one, two, three] = three else {
            return false;
        };
        let seconds = PAIRS.get(usize::from(one & 0x1f)).copied();
        seconds.unwrap_or_default() >> (two & 0x1f) & 1 == 1
            && BEGINNINGS.contains(&&[one | 0x20, two | 0x20, three | 0x20])
    })
}

/// Where `word` (lower case) begins in `name` at or after `from`, in any case.
fn find(name: &str, word: &str, from: usize) -> Option<usize> {
    let last = name.len().checked_sub(word.len())?;
    let first = word.as_bytes().first()?;
    (from..=last).find(|&at| {
        name.as_bytes()
            .get(at..at + word.len())
            .is_some_and(|part| {
                part.first()
                    .is_some_and(|byte| byte.eq_ignore_ascii_case(first))
                    && part.eq_ignore_ascii_case(word.as_bytes())
            })
    })
}

/// Whether a whole word of `name`, be it `snake_case`, `kebab-case` or `camelCase`, is `word` or its plural.
fn holds_word(name: &str, word: &str) -> bool {
    let bytes = name.as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    let mut from = 0;
    while let Some(start) = find(name, word, from) {
        from = start + 1;
        let mut end = start + word.len();
        if byte(end).is_some_and(|b| b == b's' || b == b'S') {
            end += 1;
        }
        let opens = start == 0
            || byte(start - 1).is_some_and(|before| {
                !before.is_ascii_alphabetic()
                    || (before.is_ascii_lowercase()
                        && byte(start).is_some_and(|b| b.is_ascii_uppercase()))
            });
        let closes = byte(end).is_none_or(|after| {
            !after.is_ascii_alphabetic()
                || (after.is_ascii_uppercase()
                    && byte(end - 1).is_some_and(|b| b.is_ascii_lowercase()))
        });
        if opens && closes {
            return true;
        }
    }
    false
}

/// `url` with its password and the values of secret query parameters taken out.
#[must_use]
pub fn url<'a>(url: &'a str, names: &Names) -> Cow<'a, str> {
    let url = if memchr::memchr(b'@', url.as_bytes()).is_some() {
        without_password(url)
    } else {
        Cow::Borrowed(url)
    };
    let Some(question) = memchr::memchr(b'?', url.as_bytes()) else {
        return url;
    };
    let (head, query) = url.split_at_checked(question).unwrap_or((&url, "?"));
    let query = query.strip_prefix('?').unwrap_or_default();
    if names.cannot_mark_in(query) {
        return url;
    }
    let (query, fragment) = match query.split_once('#') {
        Some((query, fragment)) => (query, Some(fragment)),
        None => (query, None),
    };
    let secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(name, value)| !value.is_empty() && names.marks(&percent_decoded(name)))
    };
    let separators = ['&', ';'];
    if !query.split(separators).any(secret) {
        return url;
    }
    let mut out = format!("{head}?");
    for pair in query.split_inclusive(separators) {
        let (bare, separator) = match pair.strip_suffix(separators) {
            Some(bare) => (bare, pair.get(bare.len()..).unwrap_or_default()),
            None => (pair, ""),
        };
        match bare.split_once('=') {
            Some((name, _)) if secret(bare) => out.extend([name, "=", REDACTED]),
            _ => out.push_str(bare),
        }
        out.push_str(separator);
    }
    if let Some(fragment) = fragment {
        out.extend(["#", fragment]);
    }
    Cow::Owned(out)
}

/// `https://user:password@host/` without the password.
fn without_password(url: &str) -> Cow<'_, str> {
    let parts = || {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, host) = authority.rsplit_once('@')?;
        let (user, _) = user.split_once(':')?;
        Some(format!(
            "{scheme}://{user}:{REDACTED}@{host}{}",
            rest.get(authority.len()..)?
        ))
    };
    parts().map_or(Cow::Borrowed(url), Cow::Owned)
}

/// `name` with its percent escapes and plus signs decoded.
fn percent_decoded(name: &str) -> Cow<'_, str> {
    if !name.contains(['%', '+']) {
        return Cow::Borrowed(name);
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escaped.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_parameters_are_judged_by_any_part_of_their_name() {
        let names = Names::new(["X-Inner".to_owned()], true);
        for name in [
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
            "cf-access-jwt-assertion",
            "clientSecret",
            "X-TOKEN",
            "password",
            "x-inner-id",
        ] {
            assert!(names.marks(name), "{name}");
        }
        for name in [
            "accept",
            "user-agent",
            "",
            "toke",
            "x-correlation-id",
            "traceparent",
            "cf-ray",
        ] {
            assert!(!names.marks(name), "{name}");
        }
        assert!(!Names::new(["id".to_owned()], true).marks("X-Correlation-Id"));
    }

    #[test]
    fn logged_members_are_judged_by_whole_words() {
        let names = Names::new(["iban".to_owned()], true);
        for name in [
            "password",
            "api_token",
            "apiToken",
            "API-KEY",
            "userTokens",
            "auth",
            "jwt",
            "token2",
            "secrets",
            "Authorization",
            "apikey",
            "customer_iban",
        ] {
            assert!(names.marks_field(name), "{name}");
        }
        for name in [
            "author",
            "monkey",
            "keyboard",
            "tokenizer",
            "secretary",
            "user",
            "",
        ] {
            assert!(!names.marks_field(name), "{name}");
        }
        assert!(!Names::new([], false).marks_field("password"));
    }

    #[test]
    fn the_quick_look_passes_every_built_in_word() {
        for word in SECRET.iter().chain(&SECRET_WORDS) {
            assert!(may_hold(word) && may_hold(&word.to_uppercase()), "{word}");
        }
    }

    #[test]
    fn urls_lose_passwords_and_secret_parameters_and_nothing_else() {
        let names = Names::default();
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
        ] {
            assert_eq!(url(from, &names), to);
        }
        let added = Names::new(["iban".to_owned()], true);
        assert_eq!(url("?x=1&iban=abc", &added), "?x=1&iban=REDACTED");
    }
}
