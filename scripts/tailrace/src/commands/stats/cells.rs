//! Cells of D1's answers.

use serde_json::Value;

/// A cell as text; empty for NULL.
pub(super) fn text(cells: &[Value], index: usize) -> String {
    match cells.get(index) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// A cell as a whole number; `None` for NULL and below zero.
pub(super) fn number(cells: &[Value], index: usize) -> Option<u64> {
    let value = cells.get(index)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates"
    )]
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|value| *value >= 0.0)
            .map(|value| value as u64)
    })
}
