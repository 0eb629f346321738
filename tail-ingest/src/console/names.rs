//! Names of members as loggers spell them: `correlation_id`, `correlationId` and `correlation.id` are one name.

/// The longest name that has a canonical form, in bytes: `logging.googleapis.com/trace` has 26 without its dots.
const LONGEST: usize = 32;

/// A name in lower case, without `_`, `-` and `.`; empty where it is longer than any name that means something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Canonical {
    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

/// Returns the canonical form of `name`.
pub(crate) fn canonical(name: &str) -> Canonical {
    let mut canonical = Canonical {
        bytes: [0; LONGEST],
        length: 0,
    };
    for byte in name
        .bytes()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b'.'))
    {
        let Some(slot) = canonical.bytes.get_mut(canonical.length) else {
            canonical.length = 0;
            return canonical;
        };
        *slot = byte.to_ascii_lowercase();
        canonical.length += 1;
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_the_same() {
        for name in [
            "correlation_id",
            "correlationId",
            "Correlation-ID",
            "correlation.id",
        ] {
            assert_eq!(canonical(name).as_str(), "correlationid");
        }
        assert_eq!(canonical(&"x".repeat(33)).as_str(), "");
        assert_eq!(canonical("ünder").as_str(), "ünder");
    }
}
