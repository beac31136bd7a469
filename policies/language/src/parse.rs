//! The text of a file becomes a document, or an error that points into the file.
//!
//! 1. `tree`: TOML with the place of every key and value, and the canonical form.
//! 2. `words`: what the TOML reader complains of, in words for the people who write agreements.
//! 3. `check`: keys that no node enforces yet, contradictions, and then the [`Agreement`].

mod check;
mod tree;
mod words;

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::Deserialize as _;

use crate::document::Agreement;
use crate::file::File;
use tree::Tree;

/// Reads what a file says, key by key, and no more: it may contradict itself, and have rules that this version would not
/// keep. For those who work on a draft.
///
/// # Errors
/// Where the text has other keys or values than an agreement can have.
pub fn read(text: &str, file: &str) -> Result<File, ParseError> {
    let tree = Tree::parse(text).map_err(|error| ParseError::from_toml(&error, text, file))?;
    File::deserialize(tree.deserializer())
        .map_err(|error| ParseError::new(words::explain(&error, &tree), Vec::new(), text, file))
}

/// Where a key stands in a text, in bytes, or where it would: the first line of the nearest section above it, and of a
/// section that is not there the first line of `[agreement]`. Steps through lists are numbers.
pub fn place(text: &str, path: &[&str]) -> Range<usize> {
    let Ok(tree) = Tree::parse(text) else { return 0..0 };
    let known = path.first().is_some_and(|section| tree.has(&[section]));
    let span = tree.span(if known { path } else { &["agreement"] });
    let Range { start, end } = Problem::new("", "", span).within(text).span();
    let first =
        text.get(start..end).and_then(|part| part.lines().next()).map_or(end, |line| start + line.len());
    start..first.max(start)
}

/// Reads an agreement. `file` is the name that errors show.
///
/// # Errors
/// Where the text is no agreement, contradicts itself, or has a rule that this version would not keep. All
/// contradictions are found in one go.
pub fn parse(text: &str, file: &str) -> Result<Agreement, ParseError> {
    let tree = Tree::parse(text).map_err(|error| ParseError::from_toml(&error, text, file))?;
    let written = File::deserialize(tree.deserializer())
        .map_err(|error| ParseError::new(words::explain(&error, &tree), Vec::new(), text, file))?;
    check::check(written, &tree).map_err(|problems| {
        let mut problems = problems.into_iter();
        let first = problems.next().unwrap_or_default();
        ParseError::new(first, problems.collect(), text, file)
    })
}

/// Why a file is no agreement: what is wrong, where, and what to write instead.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{}", first.message)]
#[diagnostic(help("{}", first.help))]
pub struct ParseError {
    #[source_code]
    source_code: Arc<NamedSource<String>>,
    #[label("here")]
    span: SourceSpan,
    first: Problem,
    #[related]
    others: Vec<Problem>,
}

impl ParseError {
    fn new(first: Problem, others: Vec<Problem>, text: &str, file: &str) -> Self {
        let first = first.within(text);
        let others = others.into_iter().map(|problem| problem.within(text)).collect();
        let source_code = Arc::new(NamedSource::new(file, text.to_owned()));
        Self { source_code, span: first.span, first, others }
    }

    /// Puts an error of the TOML reader into words.
    pub(crate) fn from_toml(error: &toml::de::Error, text: &str, file: &str) -> Self {
        let problem = match Tree::parse(text) {
            Ok(tree) => words::explain(error, &tree),
            Err(_) => words::syntax(error),
        };
        Self::new(problem, Vec::new(), text, file)
    }

    /// Every problem that was found, the first one first.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("{message}")]
#[diagnostic(help("{help}"))]
pub struct Problem {
    message: String,
    help: String,
    #[label("here")]
    span: SourceSpan,
}

impl Problem {
    fn new(message: impl Into<String>, help: impl Into<String>, span: impl Into<SourceSpan>) -> Self {
        Self { message: message.into(), help: help.into(), span: span.into() }
    }

    /// Points at a character that there is: an error at the end of a line or of the file points at the last one before.
    fn within(self, text: &str) -> Self {
        let Range { start, end } = self.span();
        let last = text.char_indices().rev().find(|(at, c)| *at < text.len().min(end.max(1)) && *c != '\n');
        let last = last.map_or(0..0, |(at, c)| at..at + c.len_utf8());
        let inside = start < end && end <= text.len();
        Self { span: if inside { start..end } else { last }.into(), ..self }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Where it is, in bytes from the start of the file.
    pub fn span(&self) -> Range<usize> {
        self.span.offset()..self.span.offset() + self.span.len()
    }
}

impl Default for Problem {
    fn default() -> Self {
        Self::new("the file is no agreement", "start from one of the examples", 0..0)
    }
}
