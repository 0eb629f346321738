//! [`Clock`] by the Workers runtime.

use js_sys::Promise;
use wasm_bindgen_futures::JsFuture;

use crate::bindings::set_timeout;
use crate::ports::Clock;

/// The runtime's clock and timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuntimeClock;

impl Clock for RuntimeClock {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970, far below 2^53"
    )]
    fn now_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    async fn sleep_ms(&self, ms: u64) {
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        let timer = Promise::new(&mut |done, _| set_timeout(&done, ms));
        // It cannot fail, and a delay cut short would do no harm.
        let _done = JsFuture::from(timer).await;
    }
}
