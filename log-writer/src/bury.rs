//! Dead letters on their way: cut to fit a message, sent to the queue, or put in KV where the queue refuses. Their form
//! is `log_record::dead_letter`; who becomes one is decided in `settle`.

use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{DeadLetterHead, Reason, WIRE_VERSION, fallback};

use crate::ports::{DeadLetterQueue, Fallback, Ports, Refused};
use crate::settings::{Route, Settings};
use crate::tally::Tally;

/// Where the records of a dead letter came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The message's id, unique to it.
    pub id: &'a str,
    /// When it was sent: ISO-8601, UTC, milliseconds.
    pub timestamp: &'a str,
    /// How often it was delivered.
    pub attempts: u32,
}

/// Buries what one message leaves behind.
#[derive(Debug)]
pub struct Burial<'a, P> {
    ports: &'a P,
    settings: &'a Settings,
    origin: Origin<'a>,
    failed_at: &'a str,
    tally: &'a mut Tally,
    keys: usize,
}

impl<'a, P: Ports> Burial<'a, P> {
    /// For one message, given up at `failed_at` (ISO-8601, UTC, milliseconds).
    pub fn new(
        ports: &'a P,
        settings: &'a Settings,
        origin: Origin<'a>,
        failed_at: &'a str,
        tally: &'a mut Tally,
    ) -> Self {
        Self {
            ports,
            settings,
            origin,
            failed_at,
            tally,
            keys: 0,
        }
    }

    /// Buries `records`, each one wire array, in as few letters as fit.
    ///
    /// # Errors
    /// Neither the queue nor KV took a letter; those before it are buried.
    pub async fn records(
        &mut self,
        reason: Reason,
        detail: &str,
        records: &[&str],
    ) -> Result<(), Refused> {
        let mut letter = Vec::new();
        let mut bytes = 0;
        for record in records {
            if record.len() > RECORD_BYTES {
                // It filled a message alone, and leaves no room for the letter's own frame.
                let body = format!(r#"{{"v":{WIRE_VERSION},"records":[{record}]}}"#);
                self.large_body(reason, detail, &body).await?;
                self.tally.dead_letter_records += 1;
                continue;
            }
            if bytes + record.len() + 1 > RECORD_BYTES {
                self.some_records(reason, detail, &letter).await?;
                letter.clear();
                bytes = 0;
            }
            bytes += record.len() + 1;
            letter.push(*record);
        }
        if letter.is_empty() {
            return Ok(());
        }
        self.some_records(reason, detail, &letter).await
    }

    async fn some_records(
        &mut self,
        reason: Reason,
        detail: &str,
        records: &[&str],
    ) -> Result<(), Refused> {
        let text = self.head(reason, detail).with_records(records);
        self.send(reason, &written(text)?).await?;
        self.tally.dead_letter_records += records.len() as u64;
        Ok(())
    }

    /// Buries a message body as it came.
    ///
    /// # Errors
    /// Neither the queue nor KV took it.
    pub async fn body(&mut self, reason: Reason, detail: &str, body: &str) -> Result<(), Refused> {
        let text = written(self.head(reason, detail).with_body(body))?;
        if text.len() <= MESSAGE_BODY_BYTES {
            return self.send(reason, &text).await;
        }
        self.large_body(reason, detail, body).await
    }

    /// Puts a body in KV and buries a letter that names its key.
    async fn large_body(
        &mut self,
        reason: Reason,
        detail: &str,
        body: &str,
    ) -> Result<(), Refused> {
        let key = self.key(fallback::BODIES);
        // (1) If the process dies in here, the body may lie in KV without a letter. The message is not acked: it comes
        // again, and the same key is written again.
        self.put(&key, body, self.settings.body_ttl_seconds())
            .await?;
        let text = self.head(reason, detail).with_body_key(&key);
        self.send(reason, &written(text)?).await
    }

    /// Sends one letter, or keeps it in KV.
    async fn send(&mut self, reason: Reason, text: &str) -> Result<(), Refused> {
        let mut sent = false;
        if self.settings.dead_letters == Route::Queue {
            // (2) If the process dies in here, the letter may be on the queue while the message is not acked: the
            // message comes again and may leave the letter twice. Replaying both stores each record once, by its key.
            // The same holds when the queue took the letter but its answer was lost, and KV keeps it as well.
            sent = self.ports.queue().send(text).await.is_ok();
            self.tally.queue_refusals += u64::from(!sent);
        }
        if !sent {
            let key = self.key(fallback::DEAD_LETTERS);
            // (3) If the process dies in here, the message comes again, and the same key is written again.
            self.put(&key, text, self.settings.fallback_ttl_seconds())
                .await?;
        }
        self.tally.dead_letters.add(reason);
        Ok(())
    }

    async fn put(&mut self, key: &str, value: &str, ttl_seconds: u64) -> Result<(), Refused> {
        let kept = self.ports.kv().put(key, value, ttl_seconds).await;
        match kept {
            Ok(()) => self.tally.fallback_writes += 1,
            Err(_) => self.tally.kv_refusals += 1,
        }
        kept
    }

    fn head<'d>(&self, reason: Reason, detail: &'d str) -> DeadLetterHead<'d>
    where
        'a: 'd,
    {
        DeadLetterHead::new(reason, detail, self.origin.attempts, self.failed_at)
    }

    /// A key made of what the message is and nothing else: burying it again writes the same keys, not more.
    fn key(&mut self, prefix: &str) -> String {
        let unique = format!("{}-{}", self.origin.id, self.keys);
        self.keys += 1;
        fallback::key(prefix, self.origin.timestamp, &unique)
    }
}

fn written(letter: serde_json::Result<String>) -> Result<String, Refused> {
    letter.map_err(|_| Refused("a dead letter cannot be written".to_owned()))
}
