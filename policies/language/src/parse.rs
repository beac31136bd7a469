//! The text of a file becomes a document, or an error that points into the file.
//!
//! 1. `tree`: TOML with the place of every key and value; `canonical`: the form that signatures are made over.
//! 2. `words`: what the TOML reader complains of, in words for the people who write agreements.
//! 3. `check`: keys that no node enforces yet, contradictions, and then the [`Agreement`]; `csv`: lists of values that lie in a
//!    file of their own.
//! 4. `revise`: the beginning of the next version.

mod canonical;
mod check;
mod csv;
mod revise;
mod tree;
mod words;

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use ring::digest::{SHA256, digest};
use serde::Deserialize as _;

use crate::document::Agreement;
use crate::file::File;
use crate::id::AgreementHash;
pub use revise::{next as next_version, revise, succeed};
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

/// Bytes of one file beside an agreement.
pub const BESIDE_BYTES_MAX: usize = 4 << 20;

/// Gives the content of a file that lies beside an agreement, by its name and the SHA-256 that the agreement names; or says
/// why it cannot. Whether the content has that SHA-256 is checked here.
pub type Beside<'a> = &'a dyn Fn(&str, &str) -> Result<Vec<u8>, String>;

/// Reads an agreement that names no file beside it. `file` is the name that errors show.
///
/// # Errors
/// Where the text is no agreement, contradicts itself, has a rule that this version would not keep, or names a file. All
/// contradictions are found in one go.
pub fn parse(text: &str, file: &str) -> Result<Agreement, ParseError> {
    parse_beside(text, file, &|_, _| Err("files beside an agreement are not read here".to_owned()))
}

/// Reads an agreement, with the files that lie beside it.
///
/// # Errors
/// As [`parse`], and where a file is not there or is not the one that the parties agreed on.
pub fn parse_beside(text: &str, file: &str, beside: Beside<'_>) -> Result<Agreement, ParseError> {
    let tree = Tree::parse(text).map_err(|error| ParseError::from_toml(&error, text, file))?;
    let written = File::deserialize(tree.deserializer())
        .map_err(|error| ParseError::new(words::explain(&error, &tree), Vec::new(), text, file))?;
    check::check(written, &tree, beside).map_err(|problems| {
        let mut problems = problems.into_iter();
        let first = problems.next().unwrap_or_default();
        ParseError::new(first, problems.collect(), text, file)
    })
}

/// The name of the version that a text would be, were it an agreement: for texts of which the files beside them are elsewhere.
pub fn version_of(text: &str) -> Option<AgreementHash> {
    let canonical = Tree::parse(text).ok()?.canonical().ok()?;
    Some(AgreementHash::new(hex::encode(digest(&SHA256, &canonical))))
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
            Err(_) => words::syntax(error, text),
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
        if start < end && end <= text.len() {
            return self;
        }
        let last = text.char_indices().rev().find(|(at, c)| *at < text.len().min(end.max(1)) && *c != '\n');
        Self { span: last.map_or(0..0, |(at, c)| at..at + c.len_utf8()).into(), ..self }
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
