//! Rows that an engine produced and that nobody may look at yet.

use std::fmt;

/// A value that must not leave: anyone may wrap one, only this crate's disclosure code can look inside.
///
/// It is neither `Clone` nor serialisable, and its `Debug` shows nothing.
pub struct Withheld<T>(T);

impl<T> Withheld<T> {
    /// Wraps a value. There is no way back but [`crate::disclose`].
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Opens the wrapping, for the disclosure rules alone.
    pub(crate) fn unwrap_for_disclosure(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Withheld<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Withheld")
    }
}
