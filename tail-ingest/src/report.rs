//! What the Worker says about itself: one structured line, only when something went wrong. Never a payload.

use crate::json;
use crate::send::Delivery;
use crate::settings::Malformed;

/// A line and how loud it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Every record found a place, but not the first one.
    Warn(String),
    /// Records were lost, or will be unless someone acts.
    Error(String),
}

/// The line for a delivery; none if the queue took everything at once or after a retry.
#[must_use]
pub fn delivery(delivery: &Delivery) -> Option<Line> {
    let queue_error = delivery.queue_error.as_deref()?;
    let mut out = Vec::new();
    let lost = delivery.lost > 0;
    let error = lost || delivery.misconfigured;
    begin(
        &mut out,
        if error { "error" } else { "warn" },
        &if lost {
            format!(
                "{} log records lost: neither the queue nor KV took them",
                delivery.lost
            )
        } else {
            format!(
                "the queue refused {} log records: kept in KV",
                delivery.kept
            )
        },
    );
    for (name, count) in [
        ("queued", delivery.queued),
        ("kept", delivery.kept),
        ("lost", delivery.lost),
    ] {
        key(&mut out, name);
        json::write_whole(&mut out, u64::try_from(count).unwrap_or(u64::MAX));
    }
    key(&mut out, "queue_error");
    json::write_string(&mut out, queue_error);
    if let Some(error) = &delivery.kv_error {
        key(&mut out, "kv_error");
        json::write_string(&mut out, error);
    }
    let line = end(out);
    Some(if error {
        Line::Error(line)
    } else {
        Line::Warn(line)
    })
}

/// The warning for a malformed setting.
#[must_use]
pub fn malformed(malformed: &Malformed) -> String {
    let mut out = Vec::new();
    begin(&mut out, "warn", &malformed.to_string());
    key(&mut out, "setting");
    json::write_string(&mut out, malformed.name);
    end(out)
}

fn begin(out: &mut Vec<u8>, level: &str, message: &str) {
    out.extend_from_slice(b"{\"level\":");
    json::write_string(out, level);
    out.extend_from_slice(b",\"message\":");
    json::write_string(out, message);
    out.extend_from_slice(b",\"context\":{\"worker\":\"tail-ingest\"");
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    json::write_string(out, name);
    out.push(b':');
}

fn end(mut out: Vec<u8>) -> String {
    out.extend_from_slice(b"}}");
    // Made of text only.
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_unless_the_queue_refused_for_good() {
        let fine = Delivery {
            queued: 5,
            ..Delivery::default()
        };
        assert_eq!(super::delivery(&fine), None);
    }

    #[test]
    fn lines_are_json_and_say_what_became_of_the_records() {
        let kept = Delivery {
            kept: 5,
            queue_error: Some("down \"now\"".to_owned()),
            ..Delivery::default()
        };
        let Some(Line::Warn(line)) = super::delivery(&kept) else {
            panic!("no warning")
        };
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read["message"],
            "the queue refused 5 log records: kept in KV"
        );
        assert_eq!(read["context"]["queue_error"], "down \"now\"");

        let lost = Delivery {
            lost: 2,
            kv_error: Some("full".to_owned()),
            ..kept
        };
        let Some(Line::Error(line)) = super::delivery(&lost) else {
            panic!("no error")
        };
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["context"]["lost"], 2);
        assert_eq!(read["context"]["kv_error"], "full");
    }
}
