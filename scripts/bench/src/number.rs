//! Numbers as tables show them.

/// A number with three or four digits that matter, thousands apart.
#[must_use]
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size.fract() < 1e-9 => 0,
        size if size < 0.1 => 4,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), ""), |parts| parts);
    let digits = whole.trim_start_matches('-').len();
    let mut out = String::new();
    for (index, digit) in whole.trim_start_matches('-').chars().enumerate() {
        if index > 0 && (digits - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{out}")
    } else {
        format!("{sign}{out}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        let numbers = [0.0, 6.0, 0.012_34, 1.234, 45.67, 1_234_567.8, -2.5].map(number);
        assert_eq!(
            numbers,
            ["0", "6", "0.0123", "1.23", "45.7", "1,234,568", "-2.50"]
        );
    }
}
