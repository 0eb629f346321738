//! The bearer token: read from the `Authorization` header and compared without telling how much of it was right.

use std::hint::black_box;

/// Returns whether `authorization`, the header's value, carries `token`.
#[must_use]
pub fn is_authorized(authorization: Option<&str>, token: &str) -> bool {
    authorization
        .and_then(bearer)
        .is_some_and(|given| equal(given.as_bytes(), token.as_bytes()))
}

/// The token of `Bearer TOKEN`; the scheme has no case (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares in a time that depends on the length of `given` alone, which its sender knows anyway.
fn equal(given: &[u8], expected: &[u8]) -> bool {
    if expected.is_empty() {
        return false;
    }
    let difference = given
        .iter()
        .zip(expected.iter().cycle())
        .fold(0_u8, |difference, (a, b)| black_box(difference | (a ^ b)));
    (difference == 0) & (given.len() == expected.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_under_the_bearer_scheme_is_let_in() {
        assert!(is_authorized(Some("Bearer s3cret"), "s3cret"));
        assert!(is_authorized(Some("bearer  s3cret "), "s3cret"));
        for wrong in [
            None,
            Some(""),
            Some("s3cret"),
            Some("Bearer"),
            Some("Bearer "),
            Some("Basic s3cret"),
            Some("Bearer s3cre"),
            Some("Bearer s3crets"),
            Some("Bearer s3crets3cret"),
            Some("Bearer S3cret"),
        ] {
            assert!(!is_authorized(wrong, "s3cret"), "{wrong:?}");
        }
    }

    #[test]
    fn an_empty_token_lets_nobody_in() {
        assert!(!is_authorized(Some("Bearer "), ""));
        assert!(!is_authorized(Some("Bearer x"), ""));
    }
}
