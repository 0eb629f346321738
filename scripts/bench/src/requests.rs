//! Trace events of requests as production has them, for counting what a log takes: ids, addresses and amounts that no other
//! line has, and contexts of differing shape. gzip finds in them what it finds in real logs, and not more.

use serde_json::{Value, json};

use crate::rows::Random;

/// The time of the first request.
const FIRST_MS: u64 = 1_795_468_384_480;

/// The time between two requests.
const REQUEST_MS: u64 = 100;

/// Requests with `lines` console lines each; of all lines, one in `one_in` is a warning or an error.
#[derive(Clone, Debug)]
pub struct Requests {
    lines: u64,
    one_in: u64,
    next: u64,
    random: Random,
}

/// One request: its trace event, and the bytes of the text of its lines.
#[derive(Clone, Debug)]
pub struct Request {
    /// The events of a call of tail-ingest, as JSON.
    pub events: Vec<u8>,
    /// Bytes that the Worker wrote to the console.
    pub text_bytes: usize,
}

impl Requests {
    /// Returns requests without an end.
    #[must_use]
    pub fn new(lines: u64, one_in: u64) -> Self {
        Self {
            lines,
            one_in,
            next: 0,
            random: Random(1),
        }
    }

    /// Returns the text of the line `index`, about 250 bytes.
    fn write_line(&mut self, index: u64, correlation_id: &str) -> String {
        let [a, b, c] = [
            self.random.next_number(),
            self.random.next_number(),
            self.random.next_number(),
        ];
        let level = match index % self.one_in {
            0 if (index / self.one_in).is_multiple_of(2) => "warn",
            0 => "error",
            _ => "info",
        };
        let order = 100_000 + a % 900_000;
        let customer = b % 100_000;
        let (message, fields) = match index % 4 {
            0 => (
                format!("order {order} was priced for customer {customer}"),
                json!({"order_id": order, "customer": format!("c-{customer}"), "amount_cents": c % 90_000,
                       "currency": pick_text(&["EUR", "USD", "GBP"], a), "retries": b % 3, "cached": c.is_multiple_of(2)}),
            ),
            1 => (
                format!("cache miss for product {order} after {} ms", c % 40),
                json!({"product": format!("p-{order}"), "shard": b % 16, "ttl_s": 300, "size_bytes": c % 20_000,
                       "region": pick_text(&["weur", "enam", "apac"], b)}),
            ),
            2 => (
                format!(
                    "payment {} was authorised by the provider",
                    self.random.random_uuid()
                ),
                json!({"provider": pick_text(&["acquirer-a", "acquirer-b"], a), "latency_ms": b % 800,
                       "risk": c % 100}),
            ),
            _ => (
                format!("inventory answered 200 in {} ms", a % 300),
                json!({"host": "inventory.internal.example.com", "attempt": 1 + b % 2, "items": c % 30,
                       "ip": format!("10.{}.{}.{}", a % 256, b % 256, c % 256)}),
            ),
        };
        json!({"level": level, "message": message, "correlation_id": correlation_id,
               "tenant": format!("t-{}", c % 500), "elapsed_ms": b % 900, "context": fields})
        .to_string()
    }
}

/// Returns one of `texts`.
fn pick_text<'t>(texts: &[&'t str], random: u64) -> &'t str {
    let index = usize::try_from(random % 1_000_003).unwrap_or(0) % texts.len().max(1);
    texts.get(index).copied().unwrap_or_default()
}

impl Iterator for Requests {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let request = self.next;
        self.next += 1;
        let at_ms = FIRST_MS + request * REQUEST_MS;
        let correlation_id = self.random.random_uuid();
        let mut text_bytes = 0;
        let logs: Vec<Value> = (0..self.lines)
            .map(|n| {
                let line = self.write_line(request * self.lines + n + 1, &correlation_id);
                text_bytes += line.len();
                json!({"timestamp": at_ms + n, "level": "log", "message": [line]})
            })
            .collect();
        let order = self.random.next_number() % 1_000_000;
        let ray = format!("{:016x}-FRA", self.random.next_number());
        let events = json!([{
            "event": {
                "request": {
                    "url": format!("https://orders.example.com/orders/{order}"), "method": "POST",
                    "headers": {
                        "accept": "*/*", "accept-encoding": "gzip, br", "cf-ray": ray, "content-type": "application/json",
                        "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", "x-correlation-id": correlation_id,
                    },
                },
                "response": {"status": 202},
            },
            "eventTimestamp": at_ms, "scriptName": "orders-api", "outcome": "ok", "cpuTime": self.random.next_number() % 20,
            "wallTime": self.random.next_number() % 400, "truncated": false, "executionModel": "stateless", "logs": logs,
            "exceptions": [], "diagnosticsChannelEvents": [],
        }]);
        Some(Request {
            events: events.to_string().into_bytes(),
            text_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_length_that_the_pages_speak_of() {
        let bytes: usize = Requests::new(10, 10)
            .take(200)
            .map(|request| request.text_bytes)
            .sum();
        let average = bytes / 2_000;
        assert!((240..=260).contains(&average), "{average} bytes a line");
    }
}
