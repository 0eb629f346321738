//! Ctrl-C. From the moment it is listened to, none is missed that comes between two looks.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// The Ctrl-Cs of this process.
pub struct Interrupts {
    #[cfg(unix)]
    received: Signal,
    #[cfg(windows)]
    received: CtrlC,
}

impl Interrupts {
    /// Listens from now on: Ctrl-C no longer ends the process.
    ///
    /// # Errors
    /// Fails if the system does not let it.
    pub fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        let received = signal(SignalKind::interrupt())?;
        #[cfg(windows)]
        let received = ctrl_c()?;
        Ok(Self { received })
    }

    /// Waits for the next one. Returns whether one came; if not, none will.
    pub async fn next(&mut self) -> bool {
        self.received.recv().await.is_some()
    }
}
