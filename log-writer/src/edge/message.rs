//! [`MessageSource`] over the batch that the queue delivered, and the way back: the verdicts.

use std::borrow::Cow;

use js_sys::{Array, ArrayBuffer, JSON, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use worker::worker_sys::{self, MessageBatch};
use worker_runtime::CallError;
use worker_runtime::edge::refused;

use crate::batch::Verdict;
use crate::message::{Body, Message, MessageSource};

/// The messages of a batch, which the runtime holds until the handler ends.
pub(crate) struct Messages(Vec<worker_sys::Message>);

impl Messages {
    /// Reads the list of messages, not the messages.
    ///
    /// # Errors
    /// The runtime does not hand it out.
    pub(crate) fn new(batch: &MessageBatch) -> Result<Self, JsValue> {
        let messages = batch.messages()?;
        Ok(Self(messages.iter().map(JsCast::unchecked_into).collect()))
    }

    /// Tells the queue the verdicts, which are in the order of the messages.
    ///
    /// # Errors
    /// One was not taken; those after it were told nevertheless.
    pub(crate) fn give_verdicts(&self, verdicts: &[Verdict]) -> Result<(), JsValue> {
        let mut result = Ok(());
        for (message, verdict) in self.0.iter().zip(verdicts) {
            result = give_verdict(message, *verdict).and(result);
        }
        result
    }
}

fn give_verdict(message: &worker_sys::Message, verdict: Verdict) -> Result<(), JsValue> {
    match verdict {
        Verdict::Ack => message.ack(),
        Verdict::Retry { delay_seconds } => {
            let options = Object::new();
            Reflect::set(&options, &"delaySeconds".into(), &delay_seconds.into())?;
            message.retry(options.into())
        }
    }
}

impl MessageSource for Messages {
    fn count(&self) -> usize {
        self.0.len()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and deliveries are at most 101"
    )]
    fn attempts(&self, index: usize) -> u32 {
        // Neither `worker` nor `worker_sys` has this property.
        let attempts = self
            .0
            .get(index)
            .and_then(|message| Reflect::get(message, &"attempts".into()).ok()?.as_f64());
        attempts.unwrap_or(1.0) as u32
    }

    fn read(&self, index: usize) -> Result<Cow<'_, Message>, CallError> {
        let message = self
            .0
            .get(index)
            .ok_or_else(|| CallError::Refused(format!("there is no message {index}")))?;
        let read = || -> Result<Message, JsValue> {
            Ok(Message {
                id: message.id()?.into(),
                timestamp: message.timestamp()?.to_iso_string().into(),
                attempts: self.attempts(index),
                body: to_body(&message.body()?)?,
            })
        };
        read().map(Cow::Owned).map_err(|thrown| refused(&thrown))
    }
}

fn to_body(value: &JsValue) -> Result<Body, JsValue> {
    if let Some(text) = value.as_string() {
        return Ok(Body::Text(text));
    }
    if value.is_instance_of::<ArrayBuffer>() {
        // Sent as bytes, which JSON does not have: as text if they are text, else as numbers.
        let bytes = Uint8Array::new(value);
        return match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(Body::Text(text)),
            Err(_) => to_json(&Array::from(&bytes)),
        };
    }
    to_json(value)
}

fn to_json(value: &JsValue) -> Result<Body, JsValue> {
    // `undefined` and functions have no JSON.
    let json = JSON::stringify(value)?.as_string();
    Ok(Body::Other(json.unwrap_or_else(|| format!("{value:?}"))))
}
