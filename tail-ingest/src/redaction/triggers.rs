//! The quick look: where in a text could a rule begin?

/// Rules as sets of bits, by the first, second and third byte of the text that they begin with.
///
/// A rule may begin at a place only if its bit is in all three sets of the bytes there. Nearly no
/// place in ordinary text passes, and a look at a place costs three reads.
pub(crate) struct Triggers {
    first: [u64; 256],
    second: [u64; 256],
    third: [u64; 256],
}

/// Upper and lower case of a letter differ in this bit.
const CASE: u8 = 0x20;

impl Triggers {
    /// Returns the table of up to 64 rules, each with the texts that it can begin with.
    #[expect(
        clippy::indexing_slicing,
        reason = "evaluated when the crate is compiled"
    )]
    pub(crate) const fn new(rules: &[&[&str]], ignore_case: bool) -> Self {
        assert!(rules.len() <= 64, "one bit for each rule");
        let mut table = [[0_u64; 256]; 3];
        let mut rule = 0;
        while rule < rules.len() {
            let mut start = 0;
            while start < rules[rule].len() {
                let bytes = rules[rule][start].as_bytes();
                let mut place = 0;
                while place < 3 {
                    let mut byte = 0;
                    while byte < 256 {
                        let fits = place >= bytes.len()
                            || bytes[place] as usize == byte
                            || ignore_case
                                && bytes[place].is_ascii_alphabetic()
                                && (bytes[place] ^ CASE) as usize == byte;
                        if fits {
                            table[place][byte] |= 1 << rule;
                        }
                        byte += 1;
                    }
                    place += 1;
                }
                start += 1;
            }
            rule += 1;
        }
        let [first, second, third] = table;
        Self {
            first,
            second,
            third,
        }
    }

    /// Returns the first place at or after `from` where some of the rules `among` could begin, and
    /// these rules.
    pub(super) fn find(&self, bytes: &[u8], from: usize, among: u64) -> Option<(usize, u64)> {
        let rest = bytes.get(from..)?;
        let three = rest.windows(3).enumerate();
        for (at, three) in three {
            if let &[first, second, third] = three {
                let rules = self.rules_at(first, second, third) & among;
                if rules != 0 {
                    return Some((from + at, rules));
                }
            }
        }
        // The last two bytes, as if the text went on.
        (rest.len().saturating_sub(2)..rest.len()).find_map(|at| {
            let byte = |at: usize| rest.get(at).copied().unwrap_or_default();
            let rules = self.rules_at(byte(at), byte(at + 1), byte(at + 2)) & among;
            (rules != 0).then_some((from + at, rules))
        })
    }

    /// Returns whether some rule could begin where `bytes` do.
    pub(crate) fn may_begin(&self, bytes: &[u8]) -> bool {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
        self.rules_at(byte(0), byte(1), byte(2)) != 0
    }

    fn rules_at(&self, first: u8, second: u8, third: u8) -> u64 {
        let rules = |table: &[u64; 256], byte: u8| {
            table.get(usize::from(byte)).copied().unwrap_or_default()
        };
        rules(&self.first, first) & rules(&self.second, second) & rules(&self.third, third)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Triggers = Triggers::new(&[&["abc", "xyz"], &["="], &["DE"]], false);

    #[test]
    fn places_are_found_with_their_rules() {
        let find = |text: &str| TABLE.find(text.as_bytes(), 0, u64::MAX);
        assert_eq!(find("..abc"), Some((2, 1)));
        assert_eq!(find("..xyz"), Some((2, 1)));
        assert_eq!(find("a="), Some((1, 2)));
        assert_eq!(find("a=b"), Some((1, 2)));
        assert_eq!(find("..DE"), Some((2, 4)));
        assert_eq!(find("..D"), None);
        assert_eq!(find(""), None);
        assert_eq!(find("ab"), None);
        assert_eq!(find("ABC de"), None);
        assert_eq!(TABLE.find(b"=.abc", 0, 1), Some((2, 1)));
        assert_eq!(TABLE.find(b"=.=", 1, u64::MAX), Some((2, 2)));
        assert_eq!(TABLE.find(b"=", 5, u64::MAX), None);
    }

    #[test]
    fn case_is_ignored_where_asked() {
        let table = Triggers::new(&[&["key"]], true);
        assert_eq!(table.find(b"xKeY", 0, 1), Some((1, 1)));
    }
}
