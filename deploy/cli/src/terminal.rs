//! Standard output and standard error: data to the one, all else to the other; colour and progress on a terminal alone.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether to colour, decided once for each stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    /// No colour at all.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { colour: false }
    }

    /// Colour if standard output is a terminal and `NO_COLOR` is not set.
    pub(crate) fn stdout() -> Self {
        Self { colour: io::stdout().is_terminal() && colour_wanted() }
    }

    /// Colour if standard error is a terminal and `NO_COLOR` is not set.
    pub(crate) fn stderr() -> Self {
        Self { colour: io::stderr().is_terminal() && colour_wanted() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.style(text, "1")
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.style(text, "2")
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.style(text, "32")
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.style(text, "33")
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.style(text, "31")
    }

    pub(crate) fn code(self, text: &str) -> String {
        self.style(text, "36")
    }

    fn style(self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// `NO_COLOR`, set and not empty, means none.
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How wide standard output's terminal is; none where it is no terminal.
pub(crate) fn width() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns.into())
}

/// Writes a line of data. A closed pipe ends the output, not the command.
pub(crate) fn say(line: &str) {
    let _closed_pipe = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line for people.
pub(crate) fn note(line: &str) {
    let _closed_pipe = writeln!(io::stderr().lock(), "{line}");
}

/// What is being waited for: a spinner on a terminal, one plain line elsewhere.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Starts to wait for something.
    pub(crate) fn start(what: &str) -> Self {
        if !io::stderr().is_terminal() {
            note(what);
            return Self(None);
        }
        let template = if colour_wanted() { "{spinner:.cyan} {msg}" } else { "{spinner} {msg}" };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    /// Ends the wait; the spinner leaves no trace.
    pub(crate) fn end(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
