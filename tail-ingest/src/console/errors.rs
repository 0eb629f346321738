//! Errors as the runtime reports them: `errorInfo` of a console line, and exceptions.

use crate::json::Json;
use crate::json_writer::{ObjectWriter, redact_text};

/// Returns `Name: message` of an error.
pub(crate) fn error_title(error: Json<'_>) -> String {
    let part = |name| {
        let text = error.get_some(name)?.display();
        (!text.is_empty()).then_some(text)
    };
    match (part("name"), part("message")) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.into_owned(),
        (None, None) => "Error".to_owned(),
    }
}

/// Returns the stack of an error, if it has one. The runtime gives the frames alone: the first line is put back.
pub(crate) fn full_stack(error: Json<'_>) -> Option<String> {
    let frames = error.get("stack")?.as_text()?;
    let title = error_title(error);
    Some(if frames.starts_with(&title) {
        frames.into_owned()
    } else {
        format!("{title}\n{}", frames.trim_start_matches('\n'))
    })
}

/// Adds `errors`: one object for each argument that is an error, with everything that the runtime knows of it.
pub(super) fn write_errors(out: &mut ObjectWriter<'_>, errors: &[Json<'_>]) {
    let errors = || errors.iter().copied().filter(|error| error.is_object());
    if errors().next().is_none() {
        return;
    }
    out.add_array("errors", errors(), |out, redactor, error| {
        let mut object = ObjectWriter::new(redactor);
        for name in ["name", "message"] {
            if let Some(value) = error.get_some(name) {
                object.add_text(name, &redact_text(&value.display(), redactor));
            }
        }
        if let Some(stack) = full_stack(error) {
            object.add_text("stack", &redact_text(&stack, redactor));
        }
        // `cause`, `errors`, `code` and whatever else the runtime comes to report.
        for (name, value) in error.members() {
            let is_written = matches!(name.as_ref(), "name" | "message")
                || (name == "stack" && value.is_string());
            if !is_written && !value.is_null() {
                object.add_logged(&name, value);
            }
        }
        out.push_str(&object.finish());
    });
}
