//! The beginning of the next version: a version's own text, remarks and all, with a number of its own and the name of the one
//! that it replaces.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tree::Tree;
use super::{ParseError, Problem, read, version_of};
use crate::file::Supersedes;
use crate::id::AgreementHash;

/// The text of a version that replaces the one given, for its author to edit. Nothing else in it is changed.
///
/// # Errors
/// Where the text is no agreement, or its keys are written in a way in which none can be added.
pub fn revise(text: &str, file: &str) -> Result<String, ParseError> {
    let version = next(&read(text, file)?.agreement.version);
    let before = version_of(text).into_iter().collect();
    succeed(text, file, &version, &before)
}

/// The same text as a version with that number, which replaces those.
///
/// # Errors
/// As [`revise`].
pub fn succeed(
    text: &str,
    file: &str,
    version: &str,
    replaces: &BTreeSet<AgreementHash>,
) -> Result<String, ParseError> {
    read(text, file)?;
    let tree = Tree::parse(text).map_err(|error| ParseError::from_toml(&error, text, file))?;
    let replaced: Vec<String> = replaces.iter().map(|hash| format!("sha256:{hash}")).collect();
    let supersedes = match <[String; 1]>::try_from(replaced) {
        Ok([hash]) => Supersedes::One(hash),
        Err(several) => Supersedes::Several(several),
    };
    let written = toml::Value::try_from(&supersedes).map(|it| it.to_string()).unwrap_or_default();
    let at = tree.span(&["agreement", "version"]);
    let mut edits = vec![(at.clone(), quoted(version))];
    if tree.has(&["agreement", "supersedes"]) {
        edits.push((tree.span(&["agreement", "supersedes"]), written.clone()));
    } else {
        let line = text.get(at.end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at.end + end);
        edits
            .push((line..line, format!("\nsupersedes = {written}  # E: the version that this one replaces")));
    }
    edits.sort_by_key(|(at, _)| std::cmp::Reverse(at.start));
    let revised = edits.into_iter().fold(text.to_owned(), |text, (at, new)| put(&text, at, &new));
    let good = read(&revised, file).is_ok_and(|now| {
        now.agreement.version == version && now.agreement.supersedes.as_ref() == Some(&supersedes)
    });
    if good {
        return Ok(revised);
    }
    let problem = Problem::new(
        "no line can be added here",
        format!("copy the file, count `version` up, and write `supersedes = {written}` beside it"),
        at,
    );
    Err(ParseError::new(problem, Vec::new(), text, file))
}

fn put(text: &str, at: Range<usize>, new: &str) -> String {
    let (before, after) = (text.get(..at.start).unwrap_or_default(), text.get(at.end..).unwrap_or_default());
    format!("{before}{new}{after}")
}

/// The number after one: `1.1.0` after `1.0.3`; of what counts in another way, the last number is counted up.
pub fn next(version: &str) -> String {
    let parts: Vec<Option<u64>> = version.split('.').map(|part| part.parse().ok()).collect();
    if let [Some(major), Some(minor), Some(_)] = parts.as_slice() {
        return format!("{major}.{}.0", minor.saturating_add(1));
    }
    let name = version.trim_end_matches(|c: char| c.is_ascii_digit());
    match version.get(name.len()..).and_then(|number| number.parse::<u64>().ok()) {
        Some(number) => format!("{name}{}", number.saturating_add(1)),
        None => format!("{version}.1"),
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
