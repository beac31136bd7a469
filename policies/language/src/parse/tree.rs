//! TOML with the place of every key and value.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue, Deserializer};

use super::{Problem, canonical};
use crate::key::{Fixed, Step, Support};

pub(super) struct Tree<'t> {
    text: &'t str,
    root: Spanned<DeValue<'t>>,
}

impl<'t> Tree<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, toml::de::Error> {
        let table = DeTable::parse(text)?;
        let span = table.span();
        Ok(Self { text, root: Spanned::new(span, DeValue::Table(table.into_inner())) })
    }

    pub(super) fn deserializer(&self) -> Deserializer<'t> {
        let table = self.root.get_ref().as_table().cloned().unwrap_or_default();
        Deserializer::from(Spanned::new(self.root.span(), table))
    }

    /// Where a value stands; steps through lists are numbers. Where the path leads nowhere, the place it comes nearest to.
    pub(super) fn span(&self, path: &[&str]) -> Range<usize> {
        let mut at = &self.root;
        for step in path {
            match child(at.get_ref(), step) {
                Some(next) => at = next,
                None => break,
            }
        }
        at.span()
    }

    /// The first line that says anything.
    pub(super) fn first_line(&self) -> Range<usize> {
        let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let line = self.text.lines().find(says).unwrap_or_default();
        let start = self.text.find(line).unwrap_or_default();
        start..start + line.len()
    }

    /// Where a part of a text value stands; the whole of it where it is not written as it is read.
    pub(super) fn span_within(&self, path: &[&str], part: Range<usize>) -> Range<usize> {
        let span = self.span(path);
        let value = path.iter().try_fold(&self.root, |at, step| child(at.get_ref(), step));
        let read = value.and_then(|value| value.get_ref().as_str());
        let written = self.text.get(span.clone()).unwrap_or_default();
        match read {
            Some(read) if written.len() == read.len() + 2 && written.get(1..=read.len()) == Some(read) => {
                span.start + 1 + part.start..span.start + 1 + part.end
            }
            _ => span,
        }
    }

    /// Whether a path leads anywhere.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        path.iter().try_fold(&self.root, |at, step| child(at.get_ref(), step)).is_some()
    }

    /// The path to the key or value that stands exactly here, as a reader would write it.
    pub(super) fn path(&self, span: &Range<usize>) -> Option<String> {
        fn search(at: &Spanned<DeValue<'_>>, path: &str, span: &Range<usize>) -> Option<String> {
            let own = (at.span() == *span && !path.is_empty()).then(|| path.to_owned());
            let below = match at.get_ref() {
                DeValue::Table(table) => table.iter().find_map(|(name, value)| {
                    let path = join(path, name.get_ref());
                    if name.span() == *span { Some(path) } else { search(value, &path, span) }
                }),
                DeValue::Array(list) => list.iter().find_map(|value| search(value, path, span)),
                _ => None,
            };
            below.or(own)
        }
        search(&self.root, "", span)
    }

    /// Every written key that this version does not enforce as written.
    pub(super) fn unsupported(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        walk(&self.root, Step::first(), &mut Vec::new(), &mut problems);
        problems
    }

    /// The document as signatures are made over it.
    pub(super) fn canonical(&self) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::with_capacity(self.text.len());
        canonical::write(&self.root, &mut out)?;
        Ok(out)
    }
}

fn child<'a, 't>(value: &'a DeValue<'t>, step: &str) -> Option<&'a Spanned<DeValue<'t>>> {
    match value {
        DeValue::Table(table) => table.get(step),
        DeValue::Array(list) => list.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `known` is what the language has at `path`.
fn walk<'a>(
    at: &'a Spanned<DeValue<'_>>,
    known: &Step,
    path: &mut Vec<&'a str>,
    problems: &mut Vec<Problem>,
) {
    match at.get_ref() {
        DeValue::Table(table) => {
            for (name, value) in table {
                let Some(known) = known.below(name.get_ref()) else { continue };
                path.push(name.get_ref());
                match known.key.map(|key| key.support) {
                    Some(Support::None) => problems.push(Problem::new(
                        format!(
                            "`{}` is not enforced by this version, so the agreement cannot be used with it",
                            path.join(".")
                        ),
                        "remove the key if the parties agree without it, or wait for a version that enforces it",
                        name.span(),
                    )),
                    Some(Support::Only(fixed)) if !fixed.is(value.get_ref()) => problems.push(Problem::new(
                        format!("`{}` is enforced by this version as `{fixed}` only", path.join(".")),
                        format!("write `{} = {fixed}`, or leave the key out: it means the same", name.get_ref()),
                        value.span(),
                    )),
                    _ => walk(value, known, path, problems),
                }
                path.pop();
            }
        }
        DeValue::Array(list) => list.iter().for_each(|value| walk(value, known, path, problems)),
        _ => {}
    }
}

impl Fixed {
    fn is(self, value: &DeValue<'_>) -> bool {
        match (self, value) {
            (Self::Word(word), DeValue::String(text)) => word == text.as_ref(),
            (Self::Flag(flag), DeValue::Boolean(written)) => flag == *written,
            (Self::Whole(number), DeValue::Integer(written)) => whole(written) == Some(number),
            (Self::EmptyList, DeValue::Array(list)) => list.is_empty(),
            _ => false,
        }
    }
}

pub(super) fn whole(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}
