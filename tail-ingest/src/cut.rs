//! Cutting a record that no queue message can take: its longest parts are shortened, visibly, and their original
//! lengths are kept in `context.cut`. `normalize` calls this for the rare row over the limit.

use log_record::limits::RECORD_BYTES;

use crate::json;

/// What stands at the end of a part that was cut.
pub(crate) const MARK: &str = "… [cut]";

/// Room for `,"cut":{…}`: names and lengths of the parts that were cut.
const CUT_BYTES: usize = 2_000;

/// The most parts whose lengths are noted; the rest are only marked.
const CUT_NOTES: usize = 20;

/// Where the message and the context stand in a row.
const MESSAGE: usize = 5;
const CONTEXT: usize = 6;

/// `row`, a wire array over [`RECORD_BYTES`], cut to fit. The message and the members of the context share the room:
/// those that are longer than their share lose their ends.
pub(crate) fn cut(row: &[u8]) -> Vec<u8> {
    let row = str::from_utf8(row).unwrap_or_default();
    let elements: Vec<&str> = json::elements(row).collect();
    let message = elements.get(MESSAGE).copied().unwrap_or(r#""""#);
    let members: Vec<(&str, &str)> =
        json::members(elements.get(CONTEXT).copied().unwrap_or("{}")).collect();

    let parts = || std::iter::once(message).chain(members.iter().map(|(_, value)| *value));
    let variable: usize = parts().map(str::len).sum();
    let fixed = row.len() - variable;
    let room = RECORD_BYTES.saturating_sub(fixed + CUT_BYTES);
    let share = share(parts().map(str::len).collect(), room);

    let mut out = Vec::with_capacity(RECORD_BYTES);
    let mut cuts: Vec<(&str, usize)> = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        match index {
            MESSAGE => write_cut(&mut out, message, share, "message", &mut cuts),
            CONTEXT => {
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push(if index == 0 { b'{' } else { b',' });
                    out.extend_from_slice(key.as_bytes());
                    out.push(b':');
                    write_cut(&mut out, value, share, json::unquoted(key), &mut cuts);
                }
                out.push(if members.is_empty() { b'{' } else { b',' });
                write_notes(&mut out, &cuts);
                out.push(b'}');
            }
            _ => out.extend_from_slice(element.as_bytes()),
        }
    }
    out.push(b']');
    out
}

/// The length `share` at which parts of these `lengths`, each cut to at most `share`, fit into `room`.
fn share(mut lengths: Vec<usize>, room: usize) -> usize {
    lengths.sort_unstable();
    let mut left = room;
    let mut share = 0;
    for (index, length) in lengths.iter().enumerate() {
        share = left / (lengths.len() - index);
        if *length > share {
            break;
        }
        left -= length;
    }
    share
}

/// Appends `token`, if it is longer than `share` as a string of at most `share` bytes with [`MARK`] at its end.
fn write_cut<'a>(
    out: &mut Vec<u8>,
    token: &str,
    share: usize,
    name: &'a str,
    cuts: &mut Vec<(&'a str, usize)>,
) {
    if token.len() <= share {
        out.extend_from_slice(token.as_bytes());
        return;
    }
    let text = json::display(token);
    cuts.push((name, text.len()));
    // Quotes and the mark; what is left is filled with as much text as fits once escaped.
    let room = share.saturating_sub(2 + MARK.len());
    let mut escaped = Vec::with_capacity(room);
    let mut buffer = [0; 4];
    out.push(b'"');
    let start = out.len();
    for char in text.chars() {
        escaped.clear();
        json::write_escaped(&mut escaped, char.encode_utf8(&mut buffer));
        if out.len() - start + escaped.len() > room {
            break;
        }
        out.extend_from_slice(&escaped);
    }
    out.extend_from_slice(MARK.as_bytes());
    out.push(b'"');
}

/// Appends `"cut":{"message":200000}`: the lengths before cutting, in bytes of text.
fn write_notes(out: &mut Vec<u8>, cuts: &[(&str, usize)]) {
    out.extend_from_slice(b"\"cut\":{");
    for (index, (name, length)) in cuts.iter().take(CUT_NOTES).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        json::write_whole(out, u64::try_from(*length).unwrap_or(u64::MAX));
    }
    out.push(b'}');
}
