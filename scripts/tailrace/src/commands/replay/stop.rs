//! Ctrl-C: the first finishes the batch in hand, the second stops as soon as nothing is lost by it, the third at once.

use std::time::Duration;

use tokio::sync::watch;

use crate::interrupts::Interrupts;
use crate::output;

/// Tells whether somebody pressed Ctrl-C.
#[derive(Clone, Default)]
pub(super) struct Stop {
    asked: watch::Sender<bool>,
    /// Tells that letters are in hand that would be lost if the process ended: neither published nor put back.
    holds_last: watch::Sender<bool>,
}

impl Stop {
    /// Returns whether to begin nothing new.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Notes whether letters on their last delivery are in hand: a second Ctrl-C waits for them.
    pub(super) fn hold_last(&self, holds: bool) {
        self.holds_last.send_replace(holds);
    }

    /// Sleeps, unless or until stopping is asked for.
    pub(super) async fn sleep(&self, duration: Duration) {
        let mut asked = self.asked.subscribe();
        // Woken up or not: the caller looks.
        let _ = tokio::time::timeout(duration, asked.wait_for(|asked| *asked)).await;
    }

    /// Listens for Ctrl-C until the process ends.
    pub(super) fn listen(&self) {
        let stop = self.clone();
        let Ok(mut interrupts) = Interrupts::listen() else {
            return;
        };
        tokio::spawn(async move {
            interrupts.next().await;
            stop.asked.send_replace(true);
            output::note(
                "finishing the batch in hand; Ctrl-C again stops at once, but for dead letters on their last delivery, \
                 which are published or put back first",
            );
            interrupts.next().await;
            // What is leased comes back by itself, but for what is on its last delivery.
            let mut holds_last = stop.holds_last.subscribe();
            if *holds_last.borrow() {
                output::note(
                    "dead letters are on the last delivery: a third Ctrl-C waits for nothing and may lose them",
                );
            }
            tokio::select! {
                biased;
                _ = holds_last.wait_for(|holds| !holds) => {}
                _ = interrupts.next() => {}
            }
            output::unwatch();
            output::note(
                "stopped; what was in hand stays (in a queue unseen until --lease is over)",
            );
            // As shells count a Ctrl-C.
            std::process::exit(130);
        });
    }
}
