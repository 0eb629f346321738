//! Steps over JSON text, each of them checked: what envelopes are read with in one pass, and tail-ingest's lines. A step
//! gives `None` where the text is not what it steps over; `Scan::position` then says where.
//!
//! By hand, because `serde_json` walks a body once for its frame, once for its records and once more for the elements of
//! each; and because its errors print the numbers they find, which is a quarter of a Worker.

#![expect(
    clippy::inline_always,
    reason = "left to the compiler, tail-ingest takes 8% longer for a log"
)]

/// A place in a text.
#[derive(Debug)]
pub struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// At the start of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where this is.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes on elsewhere.
    pub fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text from here on.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Whether this is the end of the text.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.at == self.text.len()
    }

    /// The line and column, from 1, of the byte that a step refused.
    pub(crate) fn position(&self) -> (usize, usize) {
        let bytes = self.text.as_bytes();
        let read = bytes.get(..=self.at).unwrap_or(bytes);
        let mut lines = read.split(|byte| *byte == b'\n');
        let column = lines.next_back().map_or(0, <[u8]>::len);
        (1 + lines.count(), column)
    }

    /// Refuses what was stepped over last: its last byte is the position.
    pub(crate) fn refuse<T>(&mut self) -> Option<T> {
        self.at = self.at.saturating_sub(1);
        None
    }

    /// Refuses a value for its kind: one that is no object and no array at its end.
    pub(crate) fn other_kind<T>(&mut self) -> Option<T> {
        if !matches!(self.peek(), b'{' | b'[') {
            self.value()?;
        }
        self.refuse()
    }

    /// The text from `start` to here.
    #[inline(always)]
    #[must_use]
    pub fn since(&self, start: usize) -> Option<&'a str> {
        self.text.get(start..self.at)
    }

    /// The byte here; at the end 0, which no JSON holds.
    #[must_use]
    pub fn peek(&self) -> u8 {
        let byte = self.text.as_bytes().get(self.at);
        byte.copied().unwrap_or_default()
    }

    /// Steps over `byte`.
    pub fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then_some(())?;
        self.at += 1;
        Some(())
    }

    /// Steps over an opening bracket, and over white space behind it.
    pub(crate) fn open(&mut self, bracket: u8) -> Option<()> {
        self.byte(bracket)?;
        self.space();
        Some(())
    }

    /// Steps over what lies between brackets, of which `open` is the first, with commas between its `element`s.
    pub(crate) fn list(
        &mut self,
        open: u8,
        mut element: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        if self.peek() != open {
            return self.other_kind();
        }
        let close = open + 2; // in ASCII
        self.open(open)?;
        let mut more = self.peek() != close;
        while more {
            element(self)?;
            self.space();
            more = self.peek() == b',';
            if more {
                self.mark(b',')?;
            }
        }
        self.byte(close)
    }

    /// Steps over a comma or a colon, and over white space around it.
    pub(crate) fn mark(&mut self, mark: u8) -> Option<()> {
        self.space();
        self.byte(mark)?;
        self.space();
        Some(())
    }

    /// Steps over a closing bracket, and over white space before it.
    pub(crate) fn close(&mut self, bracket: u8) -> Option<()> {
        self.space();
        self.byte(bracket)
    }

    /// Steps over white space.
    pub fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Steps over any value, however deep.
    pub(crate) fn value(&mut self) -> Option<()> {
        // What is open around this place, the innermost lowest: a set bit is an object, one that is not an array. What
        // is further out than 64 levels waits in `outer`.
        let mut objects = 0_u64;
        let mut outer = Vec::new();
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.string()?;
                }
                open @ (b'{' | b'[') => {
                    self.open(open)?;
                    if self.peek() == open + 2 {
                        // Closed at once, in ASCII.
                        self.at += 1;
                    } else {
                        if depth > 0 && depth.is_multiple_of(64) {
                            outer.push(objects);
                        }
                        depth += 1;
                        objects = objects << 1 | u64::from(open == b'{');
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            // A value has ended, and with it whatever it is the last of.
            loop {
                if depth == 0 {
                    return Some(());
                }
                self.space();
                let object = objects & 1 == 1;
                match self.peek() {
                    b',' => {
                        self.mark(b',')?;
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return None,
                }
                self.at += 1;
                depth -= 1;
                objects >>= 1;
                if depth > 0 && depth.is_multiple_of(64) {
                    objects = outer.pop().unwrap_or_default();
                }
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.mark(b':')
    }

    /// Steps over a string; gives what is between its quotes, and whether that holds escapes.
    pub fn string(&mut self) -> Option<(&'a str, bool)> {
        self.byte(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = plain_end(self.text.as_bytes(), self.at);
            match self.peek() {
                b'"' => {
                    let content = self.since(start)?;
                    self.at += 1;
                    return Some((content, escaped));
                }
                b'\\' => self.escape()?,
                _ if self.is_over() => return None,
                _ => return self.refuse(), // a control character, and what it follows
            }
            escaped = true;
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.byte(b'\\')?;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                self.at = (self.at + 5).min(self.text.len());
                if !digits?.iter().all(u8::is_ascii_hexdigit) {
                    return self.refuse();
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Steps over a number.
    pub fn number(&mut self) -> Option<()> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Steps over `word`.
    pub fn word(&mut self, word: &str) -> Option<()> {
        word.bytes()
            .try_for_each(|byte| self.byte(byte).ok_or(()))
            .ok()
    }
}

/// Where the first byte stands, at or after `at`, that a JSON string cannot hold as it is: a quote, a backslash or a
/// control character. The end, if there is none. Eight bytes at a time.
#[must_use]
pub fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let chunk = u64::from_le_bytes(*chunk);
        // What is subtracted borrows from the top bit of a smaller byte. A borrow can run on into higher bytes, but the
        // lowest mark is right. Flipping bit 1 puts the quote right behind the control characters.
        let quotes = (chunk ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
        let backslashes = (chunk ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let found = (quotes | backslashes) & !chunk & TOPS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    at + rest.iter().position(special).unwrap_or(rest.len())
}
