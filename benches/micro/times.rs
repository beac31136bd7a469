//! Times of many runs of one thing: the median, and the least, which is what it takes where nothing else wants the machine.

use std::time::{Duration, Instant};

/// Some times.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Adds the time since then.
    pub(crate) fn add(&mut self, start: Instant) {
        self.0.push(start.elapsed());
    }

    /// The median, in milliseconds.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied().map_or(0.0, milliseconds)
    }

    /// The least, in milliseconds.
    pub(crate) fn least(&self) -> f64 {
        self.0.iter().min().copied().map_or(0.0, milliseconds)
    }
}

/// For a line of figures: microseconds are fine enough.
pub(crate) fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 1000.0).round() / 1000.0
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
