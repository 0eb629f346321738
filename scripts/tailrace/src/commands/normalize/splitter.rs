//! JSON text into single values, as it arrives: values one after the other (one a line, or indented over several), and
//! the elements of arrays, wherever those are nested in arrays or in an object that only wraps them. What is not JSON
//! costs itself alone.

mod skip;

use super::grammar::{Grammar, Stop};
use skip::{Skip, begins_value, next_value};

/// The largest value that is read, in bytes. The runtime keeps 256 KiB of one run, which JSON may write at six times
/// the length.
pub(super) const LARGEST_VALUE_BYTES: usize = 16 << 20;
/// Members under which trace events are wrapped.
const WRAPPERS: [&[u8]; 2] = [b"events", b"traces"];
/// Members that a trace event has, and what wraps trace events has not.
const EVENT_MEMBERS: [&[u8]; 4] = [b"event", b"outcome", b"logs", b"exceptions"];

/// A position in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// From 1.
    pub(super) line: u64,
    /// From 0, after unpacking.
    pub(super) byte: u64,
}

/// The content of the input at one position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// One JSON object, in outline.
    Object(Vec<u8>),
    /// A line, or a JSON value, that is not an object.
    Other(Vec<u8>),
    /// The beginning of an object that cannot be followed to its end, with the reason.
    Broken(String),
}

/// The arrays and wrappers that are open around the next value.
#[derive(Debug)]
enum Container {
    Array,
    Wrapper(Scan),
}

/// An object that is being read.
#[derive(Debug)]
struct Scan {
    grammar: Grammar,
    begin: Position,
    /// Bytes of whitespace before it on its line; 0 where something else is before it.
    indent: usize,
    /// Bytes after the splitter's `start` that are read.
    scanned: usize,
    /// True if it has a member that trace events have.
    is_event: bool,
    /// True if it only wraps trace events; its other members are left out.
    is_wrapper: bool,
}

/// Splits what it is fed.
#[derive(Debug)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are used up.
    start: usize,
    position: Position,
    /// Whitespace bytes before `start` on its line; `None` after something else.
    indent: Option<usize>,
    has_ended: bool,
    containers: Vec<Container>,
    scan: Option<Scan>,
    skip: Option<Skip>,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            position: Position { line: 1, byte: 0 },
            indent: Some(0),
            has_ended: false,
            containers: Vec::new(),
            scan: None,
            skip: None,
        }
    }

    /// Takes more of the input.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Notes that nothing more comes.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Returns the next piece with its position; `None` where more input is needed, or all is read.
    pub(super) fn next(&mut self) -> Option<(Position, Piece)> {
        loop {
            if let Some(skip) = self.skip.take() {
                self.skip = self.skip_on(skip);
                if self.skip.is_some() {
                    return None;
                }
            } else if let Some(scan) = self.scan.take() {
                match self.scan_on(scan) {
                    Scanned::Piece(begin, piece) => return Some((begin, piece)),
                    Scanned::Again => {}
                    Scanned::Wait => return None,
                }
            } else {
                match self.begin_piece() {
                    Scanned::Piece(begin, piece) => return Some((begin, piece)),
                    Scanned::Again => {}
                    Scanned::Wait => return None,
                }
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Uses up `count` bytes.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let end = self.buffer.len().min(self.start + count);
        let taken = self
            .buffer
            .get(self.start..end)
            .unwrap_or_default()
            .to_vec();
        self.start = end;
        self.position.byte += taken.len() as u64;
        self.position.line += memchr::memchr_iter(b'\n', &taken).count() as u64;
        let line = memchr::memrchr(b'\n', &taken).map_or(&taken[..], |end| {
            self.indent = Some(0);
            taken.get(end + 1..).unwrap_or_default()
        });
        self.indent = self
            .indent
            .filter(|_| line.iter().all(u8::is_ascii_whitespace))
            .map(|indent| indent + line.len());
        taken
    }

    /// Looks at what begins here, outside of objects.
    fn begin_piece(&mut self) -> Scanned {
        let space = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.take(space);
        let begin = self.position;
        let Some(&byte) = self.rest().first() else {
            return self.end_piece(begin);
        };
        match (byte, self.containers.last()) {
            (b'{', _) => {
                self.scan = Some(Scan {
                    grammar: Grammar::new(),
                    begin,
                    indent: self.indent.unwrap_or_default(),
                    scanned: 0,
                    is_event: false,
                    is_wrapper: false,
                });
                Scanned::Again
            }
            (b'[', _) => match self.begins_array() {
                None => Scanned::Wait,
                Some(true) => {
                    self.take(1);
                    self.containers.push(Container::Array);
                    Scanned::Again
                }
                Some(false) => self.other_piece(begin),
            },
            (b',', _) => {
                self.take(1);
                Scanned::Again
            }
            (b']', Some(Container::Array)) => {
                self.take(1);
                self.containers.pop();
                // Back to the object around it, if there is one.
                if let Some(Container::Wrapper(_)) = self.containers.last()
                    && let Some(Container::Wrapper(mut scan)) = self.containers.pop()
                {
                    scan.grammar.skip_value();
                    scan.scanned = 0;
                    self.scan = Some(scan);
                }
                Scanned::Again
            }
            _ => self.other_piece(begin),
        }
    }

    /// Says what is open where the input ends.
    fn end_piece(&mut self, begin: Position) -> Scanned {
        if !self.has_ended || self.containers.is_empty() {
            return Scanned::Wait;
        }
        self.containers.clear();
        let reason = "the input ends inside an array".to_owned();
        Scanned::Piece(begin, Piece::Broken(reason))
    }

    /// Returns whether the `[` here begins an array rather than a line of text (`[wrangler:warn] …`); `None` where
    /// more input must tell.
    fn begins_array(&self) -> Option<bool> {
        // Within an array it cannot be text.
        if matches!(self.containers.last(), Some(Container::Array)) {
            return Some(true);
        }
        let within = self.rest().get(1..).unwrap_or_default();
        match within.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(byte) => Some(matches!(byte, b'{' | b'[' | b']' | b'"')),
            None => self.has_ended.then_some(true),
        }
    }

    /// Takes what is neither an object nor an array: up to the end of the line, or of the element.
    fn other_piece(&mut self, begin: Position) -> Scanned {
        let in_array = matches!(self.containers.last(), Some(Container::Array));
        let rest = self.rest();
        let end = if in_array && rest.first() == Some(&b'"') {
            text_end(rest)
        } else if in_array {
            memchr::memchr3(b',', b']', b'\n', rest)
        } else {
            memchr::memchr(b'\n', rest)
        };
        let end = match end {
            Some(end) => end,
            None if self.has_ended || rest.len() > LARGEST_VALUE_BYTES => rest.len(),
            None => return Scanned::Wait,
        };
        let mut text = self.take(end);
        text.truncate(text.trim_ascii_end().len());
        Scanned::Piece(begin, Piece::Other(text))
    }

    /// Reads on in an object.
    fn scan_on(&mut self, mut scan: Scan) -> Scanned {
        let bytes = self.rest().get(scan.scanned..).unwrap_or_default();
        let (read, stop) = scan.grammar.scan(bytes);
        let next = bytes.get(read).copied();
        scan.scanned += read;
        match stop {
            Stop::Done => {
                let text = self.take(scan.scanned);
                if scan.is_wrapper {
                    return Scanned::Again;
                }
                Scanned::Piece(scan.begin, Piece::Object(text))
            }
            Stop::OuterValue => {
                let key = scan.grammar.outer_key();
                scan.is_event |= EVENT_MEMBERS.contains(&key);
                if next == Some(b'[') && !scan.is_event && WRAPPERS.contains(&key) {
                    self.take(scan.scanned + 1);
                    scan.is_wrapper = true;
                    self.containers.push(Container::Wrapper(scan));
                    self.containers.push(Container::Array);
                } else {
                    self.scan = Some(scan);
                }
                Scanned::Again
            }
            Stop::Wrong(reason) => self.give_up(&scan, reason.to_owned()),
            Stop::More if self.has_ended => {
                self.give_up(&scan, "the input ends inside it".to_owned())
            }
            Stop::More if scan.scanned > LARGEST_VALUE_BYTES => {
                let reason = format!("it is larger than {} MiB", LARGEST_VALUE_BYTES >> 20);
                self.give_up(&scan, reason)
            }
            Stop::More => {
                if scan.is_wrapper {
                    scan.scanned -= self.take_lines(scan.scanned);
                }
                self.scan = Some(scan);
                Scanned::Wait
            }
        }
    }

    /// Uses up `count` bytes, but for a line end with nothing but whitespace after it: whether a value begins on the
    /// next line is seen there. Returns how many were used up.
    fn take_lines(&mut self, count: usize) -> usize {
        let bytes = self.rest().get(..count).unwrap_or(self.rest());
        let end = memchr::memrchr(b'\n', bytes)
            .filter(|end| {
                bytes
                    .get(*end..)
                    .is_some_and(|rest| rest.iter().all(u8::is_ascii_whitespace))
            })
            .unwrap_or(bytes.len());
        self.take(end);
        end
    }

    /// Ends an object that cannot be read: the next value begins on a later line with the same indentation, if one that
    /// was swallowed does, else after the bracket that closes this one.
    fn give_up(&mut self, scan: &Scan, reason: String) -> Scanned {
        if scan.is_wrapper {
            self.take_lines(scan.scanned);
            self.skip = Some(Skip::new(scan.indent, scan.grammar.depth()));
            return Scanned::Piece(scan.begin, Piece::Broken(reason));
        }
        // With the byte that does not fit, which may begin the next value.
        let bytes = self.rest().get(..=scan.scanned).unwrap_or(self.rest());
        if let Some(end) = next_value(bytes, scan.indent) {
            self.take(end);
        } else {
            self.skip = Some(Skip::new(scan.indent, 0));
        }
        Scanned::Piece(scan.begin, Piece::Broken(reason))
    }

    /// Skips on; returns the skip again where it needs more input.
    fn skip_on(&mut self, mut skip: Skip) -> Option<Skip> {
        let mut at = 0;
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let mut is_over = false;
        while let Some(&byte) = rest.get(at) {
            if byte == b'\n' {
                let line = rest.get(at + 1..).unwrap_or_default();
                is_over = match begins_value(line, skip.indent()) {
                    // The next bytes must tell.
                    None if !self.has_ended => break,
                    begins => begins == Some(true),
                };
                if is_over {
                    at += 1;
                    break;
                }
            }
            at += 1;
            if skip.takes(byte) {
                is_over = true;
                break;
            }
        }
        self.take(at);
        (!is_over && !self.has_ended).then_some(skip)
    }
}

/// Result of reading on.
enum Scanned {
    Piece(Position, Piece),
    Again,
    Wait,
}

/// The length of the JSON string at the beginning of `bytes`.
fn text_end(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return Some(at + 1),
            b'\n' => return Some(at),
            _ => escaped = !escaped && *byte == b'\\',
        }
    }
    None
}

#[cfg(test)]
mod tests;
