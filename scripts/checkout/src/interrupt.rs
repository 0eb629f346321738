//! The answer to SIGINT, SIGTERM and SIGHUP: everything that was started is ended, every temporary folder is removed,
//! and then the process ends of the signal.

use std::sync::Once;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::registry;

/// Watches for signals from now on. Starting a process or making a temporary folder does this, too; a command that wants
/// nothing else of this crate need not.
pub fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // Without a watcher a signal ends the process at once, and the guards of its process groups end these.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
            return;
        };
        thread::spawn(move || {
            let first = signals.forever().next();
            if let Some(signal) = first {
                // A second signal means that somebody has lost patience.
                registry::clean_up(|| signals.pending().next().is_some());
                let _ = emulate_default_handler(signal);
                std::process::exit(128 + signal);
            }
        });
    });
}
