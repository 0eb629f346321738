//! A program that is stopped when nobody needs it any more.

use std::process::Child;

/// A running program; dropping it stops it.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
