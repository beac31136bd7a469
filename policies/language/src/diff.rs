//! What one version of an agreement changes against another, clause by clause, and which way: `diff(old, new) → Diff`, pure.
//!
//! A node lets one controller alone apply a version that *tightens*, so that word is a proof and not a guess. Each key has an
//! order of its own in which *tighter* never lets anybody learn more, whatever the other keys say (`order`); a version
//! tightens where no key goes any other way. What has no such order, declared facts above all, is *neither*. The table of
//! all keys with the reasons is `policies/rationale/0007-what-tightens.md`.
//!
//! The structs of [`crate::file`] are taken apart without `..`, so a new key does not compile until it has a direction.
//!
//! 1. `order`: the ways in which one key can change.
//! 2. `head`, `people`, `tables`, `columns`, `rules`: each key of the file, in the file's order.
//! 3. `questions`, [`example`]: a question whose verdict changes, with both verdicts.

mod columns;
pub mod example;
mod head;
mod order;
mod people;
mod questions;
mod rules;
mod tables;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::Agreement;
use crate::file::File;
use crate::id::{ColumnName, OrganisationName, TableName};
use crate::key::{Class, Key};
use crate::unseen::marked;
pub use example::{Example, Question};

/// Takes a struct of the file apart, old beside new, each key once: `keys!(Head { id, title } of old, new)` binds `id` and
/// `title` to pairs. A key that is not named does not compile.
macro_rules! keys {
    ($kind:ident { $($key:ident),+ $(,)? } of $old:expr, $new:expr) => {
        let $kind { $($key),+ } = $old;
        let new: &$kind = $new;
        $(let $key = ($key, &new.$key);)+
    };
}
use keys;

/// Which way a clause, or a whole version, goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It says the same to machines: what anybody may learn does not hang on it.
    Same,
    /// Nobody learns more, whatever they ask and whatever the data.
    Tightens,
    /// Somebody may learn more, and nobody less by the same clause.
    Loosens,
    /// Some may learn more and others less, or it cannot be told: a declared fact, a word without an order.
    Neither,
}

impl Direction {
    /// Of several parts of one clause: what all of them do, where they go the same way.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Same, way) | (way, Self::Same) => way,
            (one, other) if one == other => one,
            _ => Self::Neither,
        }
    }

    /// The effect in a sentence's second half.
    fn effect(self) -> &'static str {
        match self {
            Self::Same => "nobody learns more or less by it",
            Self::Tightens => "recipients learn less",
            Self::Loosens => "recipients learn more",
            Self::Neither => "this can tell more in one place and less in another",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Tightens => "tightens",
            Self::Loosens => "loosens",
            Self::Neither => "neither",
        })
    }
}

/// All that a version changes against another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    changes: Vec<Change>,
}

impl Diff {
    /// The verdict over the whole: *same* where nothing changes for machines; *tightens* only if every clause tightens or is
    /// without effect; *loosens* if one loosens and each of the others has a direction too; else *neither*.
    pub fn verdict(&self) -> Direction {
        let has = |way| self.changes.iter().any(|change| change.direction == way);
        if has(Direction::Neither) {
            Direction::Neither
        } else if has(Direction::Loosens) {
            Direction::Loosens
        } else if has(Direction::Tightens) {
            Direction::Tightens
        } else {
            Direction::Same
        }
    }

    /// Every clause that changes, in the order of the file. Comments, order and spacing are no changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

/// One clause that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    clause: String,
    direction: Direction,
    sentence: String,
    about: About,
    example: Option<Example>,
}

impl Change {
    /// The clause, as a path into the file, for example `table.cardiac.columns.age.use`. Parties, recipients and templates go by their
    /// names.
    pub fn clause(&self) -> &str {
        &self.clause
    }

    /// Who keeps what the clause says.
    pub fn class(&self) -> Class {
        // A section that comes or goes as a whole has what is enforced in it.
        Key::of(&generic(&self.clause)).map_or(Class::Enforced, |key| key.class)
    }

    /// Which way it goes.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Who learns more or less, in a sentence without full stop.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// A question that is answered under one version and refused under the other, or the cells that are shown or withheld,
    /// where there is one that this clause alone decides.
    pub fn example(&self) -> Option<&Example> {
        self.example.as_ref()
    }
}

/// A clause as the list of keys writes it: without the names that agreements choose.
fn generic(clause: &str) -> String {
    let mut quoted = false;
    let steps = clause.split(|letter: char| {
        quoted ^= letter == '"';
        letter == '.' && !quoted
    });
    let steps: Vec<&str> = steps.collect();
    let named = |at: usize| match (steps.first().copied(), steps.get(2).copied()) {
        (Some("party" | "recipient" | "template"), _) => at == 1,
        (Some("table"), Some("columns")) => at == 1 || at == 3,
        (Some("table"), _) => at == 1,
        _ => false,
    };
    let table = steps.first() == Some(&"table");
    let kept = steps.iter().enumerate().filter_map(|(at, step)| match named(at) {
        true => table.then_some("*"),
        false => Some(*step),
    });
    kept.collect::<Vec<_>>().join(".")
}

/// What a clause speaks of, for finding a question that it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// Nothing that a question could show.
    Nothing,
    /// Who may ask for what; of one organisation, or of all.
    Callers(Option<OrganisationName>),
    /// On which days.
    Days,
    /// A whole table.
    Table(TableName),
    /// One of its columns.
    Column(TableName, ColumnName),
    /// How a table may be joined.
    Join(TableName),
    /// The minimum, before and after.
    Minimum(u32, u32),
    /// The rows of an answer, before and after.
    Rows(u64, u64),
}

/// Compares two versions of one agreement, and finds questions that show what changes.
pub fn diff(old: &Agreement, new: &Agreement) -> Diff {
    let mut diff = compare(old.file(), new.file());
    for change in &mut diff.changes {
        change.example = example::find(old, new, change);
    }
    diff
}

/// Whether nobody learns more under the new version than under the old one, and somebody may learn less: the verdict that lets a
/// controller go ahead alone.
pub fn tightens(old: &Agreement, new: &Agreement) -> bool {
    compare(old.file(), new.file()).verdict() == Direction::Tightens
}

/// Compares two files key by key, also such as this version of the node would not enforce.
pub fn compare(old: &File, new: &File) -> Diff {
    keys!(File {
        schema, agreement, party, signoff, recipient, table, disclosure, history, privacy, models, template, release,
    } of old, new);
    let mut changes = Changes::default();
    changes.value("schema", order::neither(schema), "the language of the file", schema);
    head::head(&mut changes, agreement);
    people::parties(&mut changes, party);
    people::signoff(&mut changes, signoff);
    people::recipients(&mut changes, recipient);
    tables::tables(&mut changes, table);
    rules::disclosure(&mut changes, disclosure);
    rules::history(&mut changes, history);
    rules::privacy(&mut changes, privacy);
    rules::models(&mut changes, models);
    rules::templates(&mut changes, template);
    rules::release(&mut changes, release);
    Diff { changes: changes.0 }
}

/// The changes found so far.
#[derive(Debug, Default)]
struct Changes(Vec<Change>);

impl Changes {
    /// Takes down a change; none where the key says what it said.
    fn add(
        &mut self,
        clause: impl Into<String>,
        step: Option<Direction>,
        about: About,
        sentence: impl FnOnce(Direction) -> String,
    ) {
        if let Some(direction) = step {
            // Names and texts of authors stand in both, and each is one line.
            let (clause, sentence) = (marked(&clause.into()), marked(&sentence(direction)));
            self.0.push(Change { clause, direction, sentence, about, example: None });
        }
    }

    /// Takes down a key of which both values are best just said.
    fn value<T: Serialize>(
        &mut self,
        clause: impl Into<String>,
        step: Option<Direction>,
        subject: &str,
        (old, new): (&T, &T),
    ) {
        self.add(clause, step, About::Nothing, |way| {
            format!("{subject}: {} before, {} now; {}", written(old), written(new), way.effect())
        });
    }
}

/// Order is of no matter in lists.
fn sorted<T: Ord + Clone>(items: &[T]) -> BTreeSet<T> {
    items.iter().cloned().collect()
}

/// A value as a reader would say it.
fn written<T: Serialize>(value: &T) -> String {
    fn say(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Null => "nothing".to_owned(),
            serde_json::Value::Bool(true) => "yes".to_owned(),
            serde_json::Value::Bool(false) => "no".to_owned(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::String(text) => format!("`{text}`"),
            serde_json::Value::Array(list) if list.is_empty() => "nothing".to_owned(),
            serde_json::Value::Array(list) => {
                let shown: Vec<_> = list.iter().take(SHOWN).map(say).collect();
                let more = list.len().saturating_sub(SHOWN);
                if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
            }
            serde_json::Value::Object(keys) => {
                keys.iter().map(|(key, value)| format!("{key} {}", say(value))).collect::<Vec<_>>().join(", ")
            }
        }
    }
    serde_json::to_value(value).map_or_else(|_| "another value".to_owned(), |value| say(&value))
}

/// Items of a list that a sentence shows.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_without_its_names_is_a_key() {
        for (clause, expected) in [
            ("agreement.title", "agreement.title"),
            ("recipient.institute.residency", "recipient.residency"),
            ("party.\"St. Ann\".role", "party.role"),
            ("table.t", "table.*"),
            ("table.t.join.keys", "table.*.join.keys"),
            ("table.\"a.b\".columns.\"c d\".use", "table.*.columns.*.use"),
        ] {
            assert_eq!(generic(clause), expected);
        }
    }
}
