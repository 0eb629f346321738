//! Settings that are lists of names, divided by commas or white space.

/// Returns the names of Workers in `text`, which may end in `*`; `None` where one of them is not such a name, or
/// there is none.
#[must_use]
pub fn read_worker_patterns(text: &str) -> Option<Vec<String>> {
    split_list(text, is_worker_pattern)
}

/// Returns the names in `text` that can name a header or a parameter; `None` where one of them cannot, or there is none.
#[must_use]
pub fn read_tokens(text: &str) -> Option<Vec<String>> {
    split_list(text, is_token)
}

fn split_list(text: &str, is_valid: fn(&str) -> bool) -> Option<Vec<String>> {
    let names: Vec<_> = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    (!names.is_empty() && names.iter().all(|name| is_valid(name))).then_some(names)
}

/// Returns whether `text` is a Worker's name, or the beginning of one and `*`. A lone `*` would store nothing at all,
/// which nobody means.
fn is_worker_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Returns whether `text` is a token of HTTP.
fn is_token(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~[]".contains(&byte))
}
