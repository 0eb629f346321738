//! The correlation id of a request: the caller's, where it is usable, else a new one.

/// The header that carries the id, in requests and answers. Header names have no case; the runtime shows them in
/// lower case.
pub const HEADER: &str = "x-correlation-id";

/// The longest id taken from a caller, in bytes. A UUID has 36; the id is stored with every record and indexed.
pub const MAX_BYTES: usize = 128;

/// Returns whether a caller's id can be used: not empty, at most [`MAX_BYTES`], and printable ASCII without spaces, so that it
/// can go into a header, a URL and a terminal as it is.
#[must_use]
pub fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The caller's id without the white space around it, or what `make` gives where there is none or it cannot be used.
#[must_use]
pub fn accept_or(incoming: Option<&str>, make: impl FnOnce() -> String) -> String {
    match incoming.map(str::trim) {
        Some(id) if is_usable(id) => id.to_owned(),
        _ => make(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(incoming: Option<&str>) -> String {
        accept_or(incoming, || "made".to_owned())
    }

    #[test]
    fn a_usable_id_is_kept() {
        assert_eq!(accept(Some("order-4711")), "order-4711");
        assert_eq!(accept(Some(" a/b:c ")), "a/b:c");
        let longest = "x".repeat(MAX_BYTES);
        assert_eq!(accept(Some(&longest)), longest);
    }

    #[test]
    fn anything_else_is_replaced() {
        assert_eq!(accept(None), "made");
        assert_eq!(accept(Some("")), "made");
        assert_eq!(accept(Some("   ")), "made");
        assert_eq!(accept(Some("two words")), "made");
        assert_eq!(accept(Some("bell\u{7}")), "made");
        assert_eq!(accept(Some("größe")), "made");
        assert_eq!(accept(Some(&"x".repeat(MAX_BYTES + 1))), "made");
    }
}
