//! Advice on an agreement that a site would take: what is still to fill in, what says nothing, what is weak, what is missing.
//!
//! Whatever a site refuses is an error of [`mod@crate::parse`]. Advice is for the board to weigh, and it is measured by the
//! presets of [`mod@crate::preset`].

mod data;
mod governance;
mod people;
mod settings;
mod templates;

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use miette::{Diagnostic, NamedSource, SourceSpan};

use crate::file::File;
use crate::parse;
pub use settings::standing;

/// Everything that there is to say on a day, in the order of the sections.
pub fn lint(file: &File, today: NaiveDate) -> Vec<Advice> {
    let mut advice = Vec::new();
    governance::fill_in(file, &mut advice);
    governance::missing(file, &mut advice);
    governance::special(file, &mut advice);
    governance::times(file, today, &mut advice);
    people::parties(file, &mut advice);
    people::signoff(file, &mut advice);
    people::recipients(file, &mut advice);
    data::tables(file, &mut advice);
    settings::settings(file, &mut advice);
    templates::templates(file, &mut advice);
    advice
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Of what kind.
    pub kind: Kind,
    /// The key that it is about, step by step; places in lists are numbers. Where the key is not written, the section in
    /// which it would stand comes first on the way.
    pub path: Vec<String>,
    /// What is so.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Advice {
    fn new(kind: Kind, path: &[&str], message: impl Into<String>, help: impl Into<String>) -> Self {
        let path = path.iter().map(|step| (*step).to_owned()).collect();
        Self { kind, path, message: message.into(), help: help.into() }
    }

    /// The same with its place in the text, to be shown there.
    pub fn placed(&self, text: &str, file: &str) -> Placed {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        Placed {
            advice: self.clone(),
            source_code: Arc::new(NamedSource::new(file, text.to_owned())),
            span: parse::place(text, &path).into(),
        }
    }
}

/// Of what kind a piece of advice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A placeholder stands where somebody has to decide.
    FillIn,
    /// Two things do not fit together, or one says nothing.
    Contradiction,
    /// It protects less than it could.
    Weak,
    /// A board would look for it and not find it.
    Missing,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FillIn => "to fill in",
            Self::Contradiction => "does not fit",
            Self::Weak => "weak",
            Self::Missing => "missing",
        })
    }
}

/// A piece of advice with its place in a file.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{}: {}", advice.kind, advice.message)]
#[diagnostic(severity(Warning), help("{}", advice.help))]
pub struct Placed {
    advice: Advice,
    #[source_code]
    source_code: Arc<NamedSource<String>>,
    #[label("here")]
    span: SourceSpan,
}
