//! Ten questions that operators ask, over what eleven real loggers wrote. What each must find was read from the loggers' own
//! calls: each logger is called once, by a request whose `x-correlation-id` is `trace-of-LOGGER`.
//!
//! One table for two systems: records that were captured, and the local runtime with the loggers in it.

use std::collections::BTreeMap;

use serde_json::Value;

/// A question, and its answer.
pub struct Question {
    /// In the words of whoever asks.
    pub asks: &'static str,
    /// As options of `tailrace logs`.
    arguments: &'static [&'static str],
    answer: Answer,
}

enum Answer {
    /// The number of records of each correlation id.
    Counts(&'static [(&'static str, usize)]),
    /// These messages, in any order; `*` stands for any text.
    Messages(&'static [&'static str]),
    /// These messages, in this order.
    InOrder(&'static [&'static str]),
    /// This text.
    Text(&'static str),
}

/// The fields of the last question.
const FIELDS: &str = "log_level,correlation_id,data.order.id";

#[rustfmt::skip]
pub const QUESTIONS: [Question; 10] = [
    Question {
        // The words are in messages, in the errors that were passed along, and in data.
        asks: "Whose card was declined?",
        arguments: &["--level", "error", "--grep", "card declined"],
        answer: Answer::Counts(&[
            ("trace-of-consola", 2), ("trace-of-console", 2), ("trace-of-evlog", 2), ("trace-of-loglevel", 1),
            ("trace-of-logtape", 3), ("trace-of-pino", 1), ("trace-of-pino-node", 2), ("trace-of-tslog", 4),
            ("trace-of-winston", 1),
        ]),
    },
    Question {
        asks: "What became of order 7, whichever logger told of it?",
        arguments: &["-q", "order.id:7"],
        answer: Answer::Counts(&[
            ("own-of-consola", 1), ("own-of-console", 3), ("own-of-debug", 1), ("own-of-evlog", 2),
            ("own-of-loglevel", 1), ("own-of-pino", 3), ("own-of-pino-node", 1), ("own-of-tslog", 1),
            ("own-of-winston", 4),
        ]),
    },
    Question {
        asks: "And where did it go wrong?",
        arguments: &["-q", "order.id:7 level>=warn -worker:cron"],
        answer: Answer::Messages(&["colour placed*", "warn: bright placed*", "ERROR order failed*"]),
    },
    Question {
        asks: "Which requests came to one path?",
        arguments: &["-q", "path:/pino kind:invocation"],
        answer: Answer::Messages(&["GET /pino 200 (* ms)", "GET /pino-node 200 (* ms)"]),
    },
    Question {
        asks: "Which lines did the requests behind it log that are not about an order?",
        arguments: &["--path", "/debug", "--kind", "log", "--grep", "PLACED", "-i", "-v"],
        answer: Answer::Counts(&[("trace-of-debug", 5)]),
    },
    Question {
        asks: "In which function was it thrown?",
        arguments: &["--grep", "at speak", "--path", "/console"],
        answer: Answer::InOrder(&["PaymentError: card declined", "payment failed PaymentError: card declined"]),
    },
    Question {
        asks: "Which orders, by a pattern?",
        arguments: &["--grep", r"order o-\d+ (placed|has)", "-E"],
        answer: Answer::Messages(&[
            "order o-7 has 2 items of 3, 1.5 kg: {\"a\":1}", "orders:api order o-7 has 2 items +*ms", "order o-7 placed",
        ]),
    },
    Question {
        // Half of an id is enough.
        asks: "Who asked for something that was moved?",
        arguments: &["-q", "id:trace-of-ho 302"],
        answer: Answer::Messages(&["--> GET /hono/moved 302 *ms"]),
    },
    Question {
        asks: "What happened around it?",
        arguments: &["-q", "\"/hono/moved 302\"", "-C", "2"],
        answer: Answer::InOrder(&[
            "--> GET /hono/broken 500 *ms", "<-- GET /hono/moved", "--> GET /hono/moved 302 *ms",
        ]),
    },
    Question {
        asks: "The same as a table, for a spreadsheet?",
        arguments: &["-q", "order.id:7 path:/winston level:warn", "-o", "csv", "--fields", FIELDS],
        answer: Answer::Text(
            "log_level,correlation_id,data.order.id\nwarn,own-of-winston,7\nwarn,own-of-winston,7\n",
        ),
    },
];

impl Question {
    /// Returns the command line that asks it of all records since a time.
    pub fn command_line<'a>(&self, since: &'a str) -> Vec<&'a str> {
        let form: &[&str] = match self.answer {
            Answer::Text(_) => &[],
            _ => &["--json"],
        };
        let head = ["logs", "-n", "all", "--since", since];
        [&head, form, self.arguments].concat()
    }

    /// Returns what is wrong with what was printed, if anything is.
    pub fn judge(&self, printed: &str) -> Option<String> {
        let is_right = match self.answer {
            Answer::Text(expected) => printed == expected,
            Answer::Counts(expected) => {
                let mut counts = BTreeMap::new();
                for id in column(printed, "correlation_id") {
                    *counts.entry(id).or_insert(0) += 1;
                }
                let expected = expected
                    .iter()
                    .map(|(id, count)| ((*id).to_owned(), *count));
                counts == expected.collect()
            }
            Answer::InOrder(expected) => {
                let found = column(printed, "message");
                found.len() == expected.len()
                    && found
                        .iter()
                        .zip(expected)
                        .all(|(found, one)| matches(found, one))
            }
            Answer::Messages(expected) => {
                let mut found = column(printed, "message");
                let are_found = expected.iter().all(|one| {
                    let at = found.iter().position(|found| matches(found, one));
                    at.map(|at| found.remove(at)).is_some()
                });
                are_found && found.is_empty()
            }
        };
        (!is_right).then(|| format!("{} {:?}: {printed}", self.asks, self.arguments))
    }
}

/// Returns a member of each record.
fn column(printed: &str, name: &str) -> Vec<String> {
    let records = printed
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let texts = records.filter_map(|record: Value| Some(record.get(name)?.as_str()?.to_owned()));
    texts.collect()
}

/// Returns whether `text` is `pattern`, in which `*` stands for any text.
pub fn matches(text: &str, pattern: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    text.strip_prefix(begin).is_some_and(|text| {
        (0..=text.len())
            .filter_map(|at| text.get(at..))
            .any(|tail| matches(tail, rest))
    })
}
