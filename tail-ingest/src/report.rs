//! The line that the Worker writes about a delivery: one, and only when something went wrong. Never a payload.

use log_record::Level;
use serde::Serialize;
use worker_runtime::{CallError, LogLine};

use crate::deliver::Delivery;
use crate::input::InputError;
use crate::normalize::Counts;

#[derive(Serialize)]
struct Fields {
    queued: usize,
    fallback: usize,
    not_confirmed: usize,
    queue_error: Option<String>,
    fallback_error: Option<String>,
}

/// Returns the line for a delivery; `None` where the queue took everything, at once or after a retry.
#[must_use]
pub fn delivery_line(delivery: &Delivery) -> Option<LogLine> {
    if delivery.fallback == 0 && delivery.not_confirmed == 0 {
        return None;
    }
    // A missing binding is an error even where KV took everything: only a person can mend it.
    let missing = matches!(delivery.queue_error, Some(CallError::MissingBinding(_)));
    let (level, message) = match delivery.not_confirmed {
        0 => {
            let level = if missing { Level::Error } else { Level::Warn };
            let records = delivery.fallback;
            (
                level,
                format!("the queue did not take {records} log records: KV keeps them"),
            )
        }
        records => (
            Level::Error,
            format!(
                "{records} log records not confirmed: neither the queue nor KV said that it took them"
            ),
        ),
    };
    let text = |error: &Option<CallError>| error.as_ref().map(ToString::to_string);
    let fields = Fields {
        queued: delivery.queued,
        fallback: delivery.fallback,
        not_confirmed: delivery.not_confirmed,
        queue_error: text(&delivery.queue_error),
        fallback_error: text(&delivery.fallback_error),
    };
    Some(LogLine::new(level, "delivery", &message, &fields))
}

/// Returns the line for records that could not be written or packed; `None` where there are none, which is always so as far
/// as is known. A record is never dropped without a count.
#[must_use]
pub fn unwritable_line(counts: &Counts) -> Option<LogLine> {
    #[derive(Serialize)]
    struct Fields {
        not_confirmed: usize,
    }
    let fields = Fields {
        not_confirmed: counts.unwritable,
    };
    let message = format!("{} log records could not be written", counts.unwritable);
    (counts.unwritable > 0)
        .then(|| LogLine::new(Level::Error, "unwritable_records", &message, &fields))
}

/// Returns the line for a call whose events could not be read: their number is not known. The glue writes JSON whatever
/// an event holds, so this would be a bug.
#[must_use]
pub fn unreadable_line(error: &InputError) -> LogLine {
    #[derive(Serialize)]
    struct Fields {
        error: String,
    }
    let fields = Fields {
        error: error.to_string(),
    };
    let message = "the trace events of one call could not be read and are not stored";
    LogLine::new(Level::Error, "unreadable_events", message, &fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_could_not_be_written_are_counted() {
        assert_eq!(unwritable_line(&Counts::default()), None);
        let counts = Counts {
            unwritable: 2,
            ..Counts::default()
        };
        let line = unwritable_line(&counts).unwrap();
        assert_eq!(line.level, Level::Error);
        assert!(line.json.contains(r#""not_confirmed":2"#), "{}", line.json);
    }

    #[test]
    fn a_queue_that_takes_everything_gets_no_line() {
        let fine = Delivery {
            queued: 5,
            queue_error: Some(CallError::Refused("once".to_owned())),
            ..Delivery::default()
        };
        assert_eq!(delivery_line(&fine), None);
    }

    #[test]
    fn a_line_says_where_the_records_are() {
        let kept = Delivery {
            fallback: 5,
            queue_error: Some(CallError::Refused("down \"now\"".to_owned())),
            ..Delivery::default()
        };
        let line = delivery_line(&kept).unwrap();
        assert_eq!(line.level, Level::Warn);
        assert_eq!(
            line.json,
            r#"{"level":"warn","event":"delivery","message":"the queue did not take 5 log records: KV keeps them","queued":0,"fallback":5,"not_confirmed":0,"queue_error":"down \"now\"","fallback_error":null}"#
        );

        let missing = Delivery {
            queue_error: Some(CallError::MissingBinding("TAIL_LOGS")),
            ..kept
        };
        assert_eq!(delivery_line(&missing).unwrap().level, Level::Error);
    }

    #[test]
    fn records_not_confirmed_are_counted_in_an_error() {
        let lost = Delivery {
            not_confirmed: 2,
            queue_error: Some(CallError::TimedOut { limit_ms: 5_000 }),
            fallback_error: Some(CallError::Refused("full".to_owned())),
            ..Delivery::default()
        };
        let line = delivery_line(&lost).unwrap();
        assert_eq!(line.level, Level::Error);
        let read: serde_json::Value = serde_json::from_str(&line.json).unwrap();
        assert_eq!(
            read["message"],
            "2 log records not confirmed: neither the queue nor KV said that it took them"
        );
        assert_eq!(read["not_confirmed"], 2);
        assert_eq!(read["queue_error"], "no answer within 5000 ms");
        assert_eq!(read["fallback_error"], "full");
    }
}
