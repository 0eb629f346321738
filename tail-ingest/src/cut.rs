//! Cutting a record that no queue message can take: its longest parts are shortened, visibly, and their original
//! lengths are kept in `context.cut`. `pack` calls this for the rare row over the limit.

use log_record::limits::RECORD_BYTES;
use log_record::write_string;

use crate::json::Json;

/// The end of a part that was cut.
const MARK: &str = "… [cut]";

/// Room for `,"cut":{…}`: names and lengths of the parts that were cut.
const CUT_BYTES: usize = 2_000;

/// The most parts whose lengths are noted; the rest are only marked.
const CUT_NOTES: usize = 20;

/// The positions of the message and the context in a row.
const MESSAGE: usize = 5;
const CONTEXT: usize = 6;

/// Returns `row`, a wire array over [`RECORD_BYTES`], cut to fit. The message and the members of the context share the
/// room: those that are longer than their share lose their ends.
pub(crate) fn cut_row(row: &str) -> String {
    let elements: Vec<Json<'_>> = Json::first_of(row).elements().collect();
    let message = elements.get(MESSAGE).copied().unwrap_or(Json::NULL);
    let members: Vec<_> = elements
        .get(CONTEXT)
        .map_or(Vec::new(), |context| context.members().collect());

    let lengths: Vec<usize> = std::iter::once(message)
        .chain(members.iter().map(|(_, value)| *value))
        .map(|value| value.text().len())
        .collect();
    let fixed = row.len() - lengths.iter().sum::<usize>();
    let share = fair_share(lengths, RECORD_BYTES.saturating_sub(fixed + CUT_BYTES));

    let mut out = String::with_capacity(RECORD_BYTES);
    let mut cuts: Vec<(String, usize)> = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        out.push(if index == 0 { '[' } else { ',' });
        match index {
            MESSAGE => write_cut(&mut out, message, share, "message", &mut cuts),
            CONTEXT => {
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    write_string(&mut out, name);
                    out.push(':');
                    write_cut(&mut out, *value, share, name, &mut cuts);
                }
                out.push(if members.is_empty() { '{' } else { ',' });
                write_notes(&mut out, &cuts);
                out.push('}');
            }
            _ => out.push_str(element.text()),
        }
    }
    out.push(']');
    out
}

/// Returns the length at which parts of these `lengths`, each cut to at most that, fit into `room`.
fn fair_share(mut lengths: Vec<usize>, room: usize) -> usize {
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

/// Appends `value`; if it is longer than `share`, as a string of at most `share` bytes with [`MARK`] at its end.
fn write_cut(
    out: &mut String,
    value: Json<'_>,
    share: usize,
    name: &str,
    cuts: &mut Vec<(String, usize)>,
) {
    if value.text().len() <= share {
        out.push_str(value.text());
        return;
    }
    let text = value.display();
    cuts.push((name.to_owned(), text.len()));
    // Quotes and the mark; the rest is filled with as much text as fits once escaped.
    let mut room = share.saturating_sub(r#""""#.len() + MARK.len());
    let end = text
        .char_indices()
        .find(|(_, c)| {
            let length = escaped_length(*c);
            let fits = length <= room;
            room = room.saturating_sub(length);
            !fits
        })
        .map_or(text.len(), |(at, _)| at);
    let kept = text.get(..end).unwrap_or_default();
    write_string(out, &format!("{kept}{MARK}"));
}

/// Returns the length of a character in a JSON string, in bytes.
fn escaped_length(c: char) -> usize {
    match c {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        c => c.len_utf8(),
    }
}

/// Appends `"cut":{"message":200000}`: the lengths before cutting, in bytes of text.
fn write_notes(out: &mut String, cuts: &[(String, usize)]) {
    out.push_str("\"cut\":{");
    for (index, (name, length)) in cuts.iter().take(CUT_NOTES).enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        out.push_str(&length.to_string());
    }
    out.push('}');
}
