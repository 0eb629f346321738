//! The format specifiers of `console`: `%s %d %i %f %o %O %j %c %%`
//! (<https://console.spec.whatwg.org/#formatter>; `%j` is Node's).

/// Formats the arguments of a console call: the specifiers in `format` take the arguments behind it, one each. Returns
/// the text and the number of arguments taken. `show` returns the text of the argument at an index, from 0.
///
/// A specifier without an argument stays as it is, and so does a `%` that begins none. `%c` takes its CSS and shows
/// nothing.
pub(crate) fn format_arguments(
    format: &str,
    count: usize,
    mut show: impl FnMut(usize) -> String,
) -> (String, usize) {
    let mut out = String::with_capacity(format.len());
    let mut taken = 0;
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest.as_bytes()) {
        let (before, specifier) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let kind = specifier.as_bytes().get(1).copied().unwrap_or_default();
        let length = match kind {
            b'%' if count > 0 => {
                out.push('%');
                2
            }
            b's' | b'd' | b'i' | b'f' | b'o' | b'O' | b'j' | b'c' if taken < count => {
                if kind != b'c' {
                    let text = show(taken);
                    match kind {
                        b'd' | b'f' => out.push_str(&number_text(&text, false)),
                        b'i' => out.push_str(&number_text(&text, true)),
                        _ => out.push_str(&text),
                    }
                }
                taken += 1;
                2
            }
            _ => {
                out.push('%');
                1
            }
        };
        rest = specifier.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    (out, taken)
}

/// Returns the number that `text` begins with, as `parseFloat` and `parseInt` read it: `812` of `812ms`; else `NaN`.
fn number_text(text: &str, whole: bool) -> String {
    let text = text.trim();
    let mut seen_point = whole;
    let end = text
        .char_indices()
        .find(|(at, c)| match c {
            '0'..='9' => false,
            '-' | '+' => *at > 0,
            '.' => std::mem::replace(&mut seen_point, true),
            _ => true,
        })
        .map_or(text.len(), |(at, _)| at);
    let number = text.get(..end).unwrap_or_default();
    // An exponent is part of a number that is logged as one.
    if !whole && text.parse::<f64>().is_ok_and(f64::is_finite) {
        return text.to_owned();
    }
    if number.bytes().any(|byte| byte.is_ascii_digit()) {
        number.to_owned()
    } else {
        "NaN".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(arguments: &[&str]) -> (String, usize) {
        let (format, rest) = arguments.split_first().unwrap();
        format_arguments(format, rest.len(), |index| rest[index].to_owned())
    }

    #[test]
    fn specifiers_take_arguments_as_console_does() {
        for (arguments, text, taken) in [
            (
                &["%cdb%c took %sms", "color: red", "", "812"][..],
                "db took 812ms",
                3,
            ),
            (
                &["user %s has %d items: %o", "ada", "3", "{}"],
                "user ada has 3 items: {}",
                3,
            ),
            (&["%d %i %f", "3.5", "3.5", "x"], "3.5 3 NaN", 3),
            (&["%d", "1e21"], "1e21", 1),
            (&["100% done, %s left over"], "100% done, %s left over", 0),
            (&["50%", "next"], "50%", 0),
            (&["50%% of %s and %s", "a"], "50% of a and %s", 1),
            (&["%%"], "%%", 0),
            (&["%x %", "a"], "%x %", 0),
            (&["%j", "{\"a\":1}"], "{\"a\":1}", 1),
        ] {
            assert_eq!(
                formatted(arguments),
                (text.to_owned(), taken),
                "{arguments:?}"
            );
        }
    }
}
