//! Standard output and standard error: data to the one, all else to the other; colour and progress on a terminal alone.
//!
//! All texts go out here, and here they are made fit to be seen: what others wrote moves no cursor, wipes no line, and
//! hides nothing.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use console::measure_text_width;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use liquid_policy::unseen::{is_unseen, mark};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

/// How wide reports are where nobody's terminal says it.
const WIDTH: usize = 100;

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

/// Shows an error or a piece of advice with the place that it points to. `plain` is how it looks without colour.
pub(crate) fn report(
    error: &dyn Diagnostic,
    paint: Paint,
    plain: GraphicalTheme,
    width: Option<usize>,
) -> String {
    let theme = if paint.colour { GraphicalTheme::unicode() } else { plain };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(width.unwrap_or(WIDTH)).with_links(false);
    let mut out = String::new();
    match handler.render_report(&mut out, error) {
        Ok(()) => out,
        Err(_) => error.to_string(),
    }
}

/// How wide standard output's terminal is; none where it is no terminal.
pub(crate) fn width() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns.into())
}

/// The same of standard error's.
pub(crate) fn width_aside() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(_, columns)| columns.into())
}

/// Breaks a line at spaces; what follows is indented as the line is.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(text.len() - text.trim_start().len());
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

/// The codes of the styles that this program and its reports of errors use: reset, weight, underline, and colours that are
/// seen on any ground. None hides what it is put on or what was there before.
const STYLES: [&str; 9] = ["0", "1", "2", "4", "31", "32", "33", "35", "36"];

/// A text in which everything can be seen: lines stay lines, and where there is colour, our colours stay.
fn clean(text: &str, Paint { colour }: Paint) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    loop {
        let style = style(rest.as_str()).filter(|_| colour);
        match (style, rest.next()) {
            (_, None) => return out,
            (Some(style), Some(_)) => {
                out.push_str(style);
                rest = rest.as_str().get(style.len() - 1..).unwrap_or_default().chars();
            }
            (None, Some(c)) if is_unseen(c) && !matches!(c, '\n' | '\t') => out.push_str(&mark(c)),
            (None, Some(c)) => out.push(c),
        }
    }
}

/// The style with which a text begins, if it is one of ours.
fn style(text: &str) -> Option<&str> {
    let codes = text.strip_prefix("\u{1b}[")?.split_once('m')?.0;
    let known = codes.split(';').all(|code| STYLES.contains(&code));
    text.get(..codes.len() + 3).filter(|_| known)
}

/// Writes a line of data. A closed pipe ends the output, not the command.
pub(crate) fn say(line: &str) {
    let _closed_pipe = writeln!(io::stdout().lock(), "{}", clean(line, Paint::stdout()));
}

/// The same, in lines that fit where it is a terminal.
pub(crate) fn say_wrapped(line: &str) {
    match width() {
        Some(width) if measure_text_width(line) > width => {
            wrapped(line, width).iter().for_each(|line| say(line))
        }
        _ => say(line),
    }
}

/// Writes a line of JSON: what cannot be seen stands only in its texts, which have a way to write it.
pub(crate) fn say_json(json: &str) {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            c if is_unseen(c) => {
                let units = c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>();
                out.push_str(&units);
            }
            c => out.push(c),
        }
    }
    let _closed_pipe = writeln!(io::stdout().lock(), "{out}");
}

/// Writes a text to standard output as it is, but for what cannot be seen. A reader that goes ends the output, not the command.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn put(text: &str) -> io::Result<()> {
    let mut out = Pipe::new(io::stdout().lock());
    out.write_all(clean(text, Paint::stdout()).as_bytes()).and_then(|()| out.flush())
}

/// A pipe whose reader may go, as `head` does: it has what it wanted, so the rest is dropped, and that is no error.
pub(crate) struct Pipe<W> {
    out: W,
    closed: bool,
}

impl<W: Write> Pipe<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, closed: false }
    }

    fn unless_closed<T>(&mut self, done: io::Result<T>, dropped: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(dropped)
            }
            done => done,
        }
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.unless_closed(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.unless_closed(flushed, ())
    }
}

/// Writes a line for people.
pub(crate) fn note(line: &str) {
    let _closed_pipe = writeln!(io::stderr().lock(), "{}", clean(line, Paint::stderr()));
}

/// The same, in lines that fit where it is a terminal.
pub(crate) fn note_wrapped(line: &str) {
    match width_aside() {
        Some(width) if measure_text_width(line) > width => {
            wrapped(line, width).iter().for_each(|line| note(line))
        }
        _ => note(line),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes, then its reader is gone.
    struct Head(usize);

    impl Write for Head {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0 {
                0 => Err(io::ErrorKind::BrokenPipe.into()),
                left => {
                    let taken = left.min(bytes.len());
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            if self.0 == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_reader_that_goes_is_no_error_and_any_other_is() {
        let mut pipe = Pipe::new(Head(3));
        pipe.write_all(b"many words").unwrap();
        pipe.flush().unwrap();
        assert!(pipe.closed);
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(Pipe::new(Full).write_all(b"words").is_err());
    }

    #[test]
    fn nothing_that_others_wrote_steers_a_terminal() {
        let (plain, coloured) = (Paint { colour: false }, Paint { colour: true });
        let ours = coloured.bad("stop") + &coloured.dim("at north");
        assert_eq!(clean(&ours, coloured), ours);
        let theirs = "a\u{1b}[2J\u{1b}[H\u{1b}[8mb\u{1b}]0;T\u{7}\u{202e}c\u{2066}\u{200b}\r\u{1b}[38;2;0;0;0m\u{9b}8m\n\td\u{1b}[m";
        for paint in [plain, coloured] {
            let shown = clean(theirs, paint);
            assert!(!shown.chars().any(|c| is_unseen(c) && c != '\n' && c != '\t'), "{shown:?}");
            assert!(
                shown.starts_with("a[U+001B][2J[U+001B][H[U+001B][8mb") && shown.contains("\n\td"),
                "{shown:?}"
            );
        }
        assert_eq!(clean(&ours, plain), "[U+001B][31mstop[U+001B][0m[U+001B][2mat north[U+001B][0m");
        let error = liquid_policy::parse("schema = \u{1b}[2J", "a.toml").unwrap_err();
        let shown = report(&error, coloured, GraphicalTheme::none(), None);
        assert!(shown.contains("\u{1b}[31m") && shown.contains("\u{1b}[2J"), "{shown:?}");
        assert_eq!(clean(&shown, coloured), shown.replace("\u{1b}[2J", "[U+001B][2J"), "its colours stay");
    }

    #[test]
    fn lines_break_at_spaces_and_keep_their_indent() {
        assert_eq!(wrapped("  fix: ask for less", 11), ["  fix: ask", "  for less"]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
    }
}
