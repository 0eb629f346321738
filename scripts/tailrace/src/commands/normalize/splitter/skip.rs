//! The text that is left out after a fault: up to the next value's beginning.

/// The text that is left out after a fault, up to the next value's beginning.
#[derive(Debug, Default)]
pub(super) struct Skip {
    indent: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Skip {
    /// Returns a skip of a value with this indentation; `depth` of its brackets are open.
    pub(super) fn new(indent: usize, depth: usize) -> Self {
        Self {
            indent,
            depth,
            ..Self::default()
        }
    }

    /// The whitespace bytes before the value on its line.
    pub(super) fn indent(&self) -> usize {
        self.indent
    }

    /// Takes one byte; returns whether it closes what is skipped.
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// Returns whether a value begins at `line` after exactly `indent` whitespace bytes; `None` where it is too short to
/// tell.
pub(super) fn begins_value(line: &[u8], indent: usize) -> Option<bool> {
    match line.iter().position(|byte| !matches!(byte, b' ' | b'\t')) {
        Some(at) => Some(at == indent && line.get(at) == Some(&b'{')),
        None if line.len() > indent => Some(false),
        None => None,
    }
}

/// Returns the place in `bytes`, after the first line, where a value begins with this indentation.
pub(super) fn next_value(bytes: &[u8], indent: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes)
        .find(|end| begins_value(bytes.get(end + 1..).unwrap_or_default(), indent) == Some(true))
        .map(|end| end + 1)
}
