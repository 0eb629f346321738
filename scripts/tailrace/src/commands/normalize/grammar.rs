//! The outline of one JSON object or array, byte by byte: where its strings and brackets begin and end. Numbers and
//! literals are left to the parser that reads the whole value.

/// Depth beyond which a value is not followed.
const DEPTH_MAX: usize = 10_000;

/// A bracket that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Object,
    Array,
}

/// The tokens that may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A value.
    Value,
    /// A value, or the end of an array that has none.
    FirstValue,
    /// A member's name.
    Key,
    /// A member's name, or the end of an object that has none.
    FirstKey,
    /// The colon after a name.
    Colon,
    /// A comma or the end.
    Comma,
    /// The rest of a string; after it, `Colon` for a name and `Comma` for a value.
    Text { is_key: bool, escaped: bool },
    /// The rest of a number or a literal.
    Scalar,
}

/// The place where a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// All bytes are read and the value goes on.
    More,
    /// The value ended with the last byte read.
    Done,
    /// The value of a member of the outermost object begins with the next byte.
    OuterValue,
    /// The next byte cannot stand where it does.
    Wrong(&'static str),
}

/// Progress of reading one value.
#[derive(Debug)]
pub(super) struct Grammar {
    open: Vec<Open>,
    next: Next,
    /// The name of the outermost object's member that was read last.
    outer_key: Vec<u8>,
    /// True if the outermost value that begins has been announced.
    announced: bool,
}

impl Grammar {
    /// Returns a grammar that expects an object or an array.
    pub(super) fn new() -> Self {
        Self {
            open: Vec::new(),
            next: Next::Value,
            outer_key: Vec::new(),
            announced: false,
        }
    }

    /// The name of the outermost object's last member, as it is written.
    pub(super) fn outer_key(&self) -> &[u8] {
        &self.outer_key
    }

    /// Returns how many brackets are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Counts the outermost member's value, which somebody else has read, as read.
    pub(super) fn skip_value(&mut self) {
        self.next = Next::Comma;
        self.announced = false;
    }

    /// Reads on; returns how many of `bytes` were read, and why it stopped.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> (usize, Stop) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let Next::Text { is_key, escaped } = self.next {
                let rest = bytes.get(at..).unwrap_or_default();
                let (read, stop) = self.scan_text(rest, is_key, escaped);
                at += read;
                if let Some(stop) = stop {
                    return (at, stop);
                }
                continue;
            }
            match self.step(byte) {
                Ok(true) => {}
                // A scalar ends where something else begins: that byte is looked at again.
                Ok(false) => continue,
                Err(stop) => return (at, stop),
            }
            at += 1;
            if self.open.is_empty() {
                return (at, Stop::Done);
            }
        }
        (at, Stop::More)
    }

    /// Reads on in a string.
    fn scan_text(&mut self, bytes: &[u8], is_key: bool, escaped: bool) -> (usize, Option<Stop>) {
        let kept = |grammar: &mut Self, text: &[u8]| {
            if is_key && grammar.open.len() == 1 {
                grammar.outer_key.extend_from_slice(text);
            }
        };
        if escaped {
            kept(self, bytes.get(..1).unwrap_or_default());
            self.next = Next::Text {
                is_key,
                escaped: false,
            };
            return (1, None);
        }
        let Some(end) = memchr::memchr3(b'"', b'\\', b'\n', bytes) else {
            kept(self, bytes);
            return (bytes.len(), None);
        };
        kept(self, bytes.get(..end).unwrap_or_default());
        match bytes.get(end) {
            Some(b'\n') => (end, Some(Stop::Wrong("a line ends inside a string"))),
            Some(b'"') => {
                self.next = if is_key { Next::Colon } else { Next::Comma };
                (end + 1, None)
            }
            _ => {
                self.next = Next::Text {
                    is_key,
                    escaped: true,
                };
                (end + 1, None)
            }
        }
    }

    /// Takes one byte outside of strings; returns whether it is used up.
    fn step(&mut self, byte: u8) -> Result<bool, Stop> {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match (self.next, byte) {
            (Next::Scalar, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-') => {}
            (Next::Scalar, _) => {
                self.next = Next::Comma;
                return Ok(false);
            }
            (_, _) if is_space => {}
            (Next::FirstKey | Next::Comma, b'}') if self.open.last() == Some(&Open::Object) => {
                self.close();
            }
            (Next::FirstValue | Next::Comma, b']') if self.open.last() == Some(&Open::Array) => {
                self.close();
            }
            (Next::FirstKey | Next::Key, b'"') => {
                if self.open.len() == 1 {
                    self.outer_key.clear();
                }
                self.next = Next::Text {
                    is_key: true,
                    escaped: false,
                };
            }
            (Next::Colon, b':') => self.next = Next::Value,
            (Next::Comma, b',') => {
                self.next = match self.open.last() {
                    Some(Open::Object) => Next::Key,
                    _ => Next::Value,
                };
            }
            (Next::Value | Next::FirstValue, _) => self.begin_value(byte)?,
            (Next::FirstKey | Next::Key, _) => {
                return Err(Stop::Wrong("a member's name is missing"));
            }
            (Next::Colon, _) => {
                return Err(Stop::Wrong("a colon is missing after a member's name"));
            }
            _ => return Err(Stop::Wrong("a comma or a closing bracket is missing")),
        }
        Ok(true)
    }

    fn begin_value(&mut self, byte: u8) -> Result<(), Stop> {
        if self.open.as_slice() == [Open::Object] && !self.announced {
            self.announced = true;
            return Err(Stop::OuterValue);
        }
        self.announced = false;
        match byte {
            b'{' => self.open(Open::Object, Next::FirstKey)?,
            b'[' => self.open(Open::Array, Next::FirstValue)?,
            b'"' => {
                self.next = Next::Text {
                    is_key: false,
                    escaped: false,
                };
            }
            b'0'..=b'9' | b'-' | b'a'..=b'z' | b'A'..=b'Z' => self.next = Next::Scalar,
            _ => return Err(Stop::Wrong("a value is missing")),
        }
        Ok(())
    }

    fn open(&mut self, bracket: Open, next: Next) -> Result<(), Stop> {
        if self.open.len() == DEPTH_MAX {
            return Err(Stop::Wrong("it is nested more than 10,000 levels deep"));
        }
        self.open.push(bracket);
        self.next = next;
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        self.next = Next::Comma;
    }
}
