//! Progress with things that are counted.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// The time between two lines where nobody watches a bar.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// A progress bar on a terminal, else a line now and then.
pub struct Counter {
    /// The things: one, and several.
    names: [&'static str; 2],
    bar: ProgressBar,
    said: Instant,
}

impl Counter {
    /// Shows a bar, where somebody watches, until [`output::unwatch`].
    #[must_use]
    pub fn start(names: [&'static str; 2]) -> Self {
        // It draws on a terminal alone.
        let bar = ProgressBar::new(0);
        let form = format!(
            "{{bar:30.green}} {{human_pos}}/{{human_len}} {}  {{elapsed}}",
            names[1]
        );
        if let Ok(style) = ProgressStyle::with_template(&form) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_secs(1));
        output::watch(&bar);
        Self {
            names,
            bar,
            said: Instant::now(),
        }
    }

    /// Notes how many there are, as far as is known.
    pub fn expect(&self, count: usize) {
        let known = self.bar.length().unwrap_or(0);
        self.bar.set_length(known.max(count as u64));
    }

    /// Notes how many are done.
    pub fn set_done(&mut self, done: usize) {
        self.bar.set_position(done as u64);
        if self.bar.is_hidden() && self.said.elapsed() > SAY_EVERY {
            self.said = Instant::now();
            let [one, many] = self.names;
            output::note(&format!(
                "{} so far",
                output::counted(done as u64, one, many)
            ));
        }
    }
}
