//! Whatever changes in an agreement changes its words, and every key has some.

use std::collections::BTreeSet;

use liquid_policy::file::File;
use liquid_policy::key::{Class, KEYS, Key};
use liquid_policy::parse;
use liquid_policy::render::page::{Block, Kept};
use liquid_policy::render::{html, markdown, plain, render};
use liquid_policy::schema::json_schema;
use proptest::prelude::*;
use serde_json::Value;

use super::leaves::{Path, at, file, leaves, members, others, read, rich, tree, whole, with, without};

/// Every way in which an agreement is put into words.
fn words(file: &File) -> [String; 3] {
    let page = render(file);
    [plain(&page), markdown(&page), html(&page)]
}

/// Keys that have one word today.
const ONE_WORD: [&str; 5] = [
    "schema",
    "signoff.rule",
    "history.scope",
    "privacy.measure",
    "table.referrals.columns.person.transform",
];

fn text(file: &File) -> String {
    plain(&render(file))
}

#[test]
fn changing_any_value_changes_the_words() {
    let mut changes = 0;
    for original in rich() {
        let (tree, before) = (tree(original), text(original));
        assert_eq!(file(&tree).as_ref(), Some(original), "what is written is read again");
        // The last two are long and have many columns that are alike.
        let step = if original.table.len() > 4 { 3 } else { 1 };
        for path in leaves(&tree).into_iter().step_by(step) {
            let value = at(&tree, &path);
            let mut changed = 0;
            for other in others(value) {
                let Some(new) = file(&with(&tree, &path, other.clone())) else { continue };
                if new != *original {
                    assert!(
                        text(&new) != before,
                        "{} = {other} changes nothing in the words",
                        path.join(".")
                    );
                    changed += 1;
                }
            }
            // A word that has no other beside it cannot be changed, nor what is empty.
            let only_one =
                ONE_WORD.contains(&path.join(".").as_str()) || value.is_array() || value.is_table();
            assert!(changed > 0 || only_one, "{} could not be changed", path.join("."));
            changes += changed;
        }
    }
    assert!(changes > 1500, "only {changes} changes were tried");
}

#[test]
fn leaving_out_what_means_something_changes_the_words() {
    let mut changes = 0;
    for original in rich() {
        let (tree, before) = (tree(original), text(original));
        for path in members(&tree) {
            let Some(new) = file(&without(&tree, &path)) else { continue };
            // A key that says what its absence says too is no change: the file that is read is the same.
            if new != *original {
                assert!(text(&new) != before, "without {} the words are the same", path.join("."));
                changes += 1;
            }
        }
    }
    assert!(changes > 300, "only {changes} were left out");
}

fn any_text() -> impl Strategy<Value = toml::Value> {
    "[A-Za-z0-9]{1,8}( [A-Za-z0-9.,]{1,8}){0,3}".prop_map(toml::Value::String)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn any_other_value_gives_other_words(
        which in 0..rich().len(), at in any::<prop::sample::Index>(), text in any_text(),
        number in 0_i64..1_000_000_000, real in 0.0..1e6_f64, day in 0_i64..20_000,
    ) {
        let original = &rich()[which];
        let tree = tree(original);
        let leaves: Vec<Path> = leaves(&tree);
        let path = &leaves[at.index(leaves.len())];
        let day = chrono::DateTime::from_timestamp(day * 86_400, 0).expect("a day").date_naive().to_string();
        let day = toml::Value::Datetime(day.parse().expect("a day"));
        for other in [text, toml::Value::Integer(number), toml::Value::Float(real), day] {
            if let Some(new) = file(&with(&tree, path, other)) && new != *original {
                for (old, new) in words(original).iter().zip(words(&new)) {
                    prop_assert!(*old != new, "{}", path.join("."));
                }
            }
        }
    }
}

/// Every path of the schema that leads to a value, as [`KEYS`] would write it.
fn values_of(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let properties = schema["properties"].as_object();
    for (name, inner) in properties.into_iter().flatten() {
        values_of(inner, &below(name), found);
    }
    let others = &schema["additionalProperties"];
    if others.is_object() {
        values_of(others, &below("*"), found);
    } else if properties.is_none() {
        match &schema["items"] {
            Value::Object(_) => values_of(&schema["items"], path, found),
            _ => {
                found.insert(path.to_owned());
            }
        }
    }
}

/// The paths that a file writes, with `*` for the names that it chooses.
fn written(file: &File) -> BTreeSet<String> {
    let pattern = |path: &Path| {
        let mut names = Vec::new();
        for (at, step) in path.iter().enumerate() {
            let chosen = match names.as_slice() {
                ["table"] | ["table", "*", "columns"] | ["table", "*", "join", "references"] => true,
                ["table", "*", "impossible"] => path[at - 1].parse::<usize>().is_ok(),
                _ => false,
            };
            match step.parse::<usize>() {
                Ok(_) => {}
                Err(_) if chosen => names.push("*"),
                Err(_) => names.push(step.as_str()),
            }
        }
        names.join(".")
    };
    leaves(&tree(file)).iter().map(pattern).collect()
}

#[test]
fn the_whole_example_writes_every_key() {
    let mut all = BTreeSet::new();
    values_of(&json_schema(), "", &mut all);
    assert!(all.len() > 90, "{all:#?}");
    let written = written(&whole());
    let missing: Vec<_> = all.difference(&written).collect();
    assert!(missing.is_empty(), "add these to whole.toml: {missing:#?}");
    for key in KEYS {
        assert!(written.iter().any(|path| Key::of(path) == Some(key)), "add `{}` to whole.toml", key.path);
    }
}

#[test]
fn every_key_has_a_clause_of_its_class() {
    let page = render(&whole());
    let told: BTreeSet<&str> = page.clauses().flat_map(|clause| clause.keys.iter().copied()).collect();
    let known: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(told, known);
    for clause in page.clauses() {
        for key in &clause.keys {
            let class = Key::of(key).expect("a key").class;
            let right = match clause.kept {
                Kept::ForTheRecord => class == Class::Recorded,
                Kept::ByTheRecipient => class == Class::Promised,
                Kept::ByTheSite | Kept::NotYet => class == Class::Enforced,
                Kept::LeftOpen => true,
            };
            assert!(right, "{key} is {class:?}, and its clause says {:?}", clause.kept);
        }
    }
}

/// What is marked as not kept is what a site refuses, and nothing else.
#[test]
fn the_words_say_not_kept_where_a_site_refuses() {
    let mut seen = [0, 0];
    for original in rich().iter().take(1) {
        let bare = tree(&bare(original));
        let full = tree(original);
        for path in leaves(&full).into_iter().filter(|path| path.len() > 1) {
            // A key of the whole example, or another value of it, put into an agreement that a site takes.
            let value = at(&full, &path);
            let mut candidates = others(value);
            candidates.push(value.clone());
            for candidate in candidates {
                let Some(file) = graft(&bare, &full, &path, candidate.clone()).and_then(|tree| file(&tree))
                else {
                    continue;
                };
                let refused = unkept(&tree(&file)) > Some(0);
                let told = render(&file).not_kept_yet() > 0;
                let why = || {
                    render(&file).clauses().filter(|c| c.kept == Kept::NotYet).cloned().collect::<Vec<_>>()
                };
                assert_eq!(told, refused, "{} = {candidate}: {:#?}", path.join("."), why());
                seen[usize::from(refused)] += 1;
            }
        }
    }
    assert!(seen[0] > 400 && seen[1] > 200, "{seen:?}");
}

/// Whether a message says that this version does not enforce something; others say that something is wrong.
fn refused(message: &str) -> bool {
    message.contains("so the agreement cannot be used with it")
        || message.contains("enforced by this version as")
}

/// Problems of rules that this version does not keep. An empty list that means the same as none is not written.
fn unkept(tree: &toml::Value) -> Option<usize> {
    let same = file(tree)?;
    let mut tree = tree.clone();
    let empty = |path: &&Path| matches!(at(&tree, path), toml::Value::Array(list) if list.is_empty());
    for path in leaves(&tree.clone()).iter().filter(empty).cloned().collect::<Vec<_>>().iter().rev() {
        let shorter = without(&tree, path);
        if file(&shorter).as_ref() == Some(&same) {
            tree = shorter;
        }
    }
    let text = toml::to_string(&tree).expect("can be written");
    Some(match parse(&text, "test.toml") {
        Ok(_) => 0,
        Err(error) => error.problems().filter(|p| refused(p.message())).count(),
    })
}

/// The file without anything that this version does not keep.
fn bare(file: &File) -> File {
    let mut bare = tree(file);
    let mut problems = unkept(&bare);
    for path in members(&bare).into_iter().rev() {
        let shorter = without(&bare, &path);
        let fewer = unkept(&shorter);
        if fewer.is_some() && fewer < problems {
            (bare, problems) = (shorter, fewer);
        }
    }
    assert_eq!(problems, Some(0), "nothing more can be left out");
    super::leaves::file(&bare).expect("still a file")
}

/// The bare tree with one more value; none where a list or table on the way has no such place.
fn graft(bare: &toml::Value, full: &toml::Value, path: &Path, value: toml::Value) -> Option<toml::Value> {
    let mut tree = bare.clone();
    for end in 1..path.len() {
        if super::leaves::at_mut(&mut tree, &path[..end]).is_none() {
            // A section that is not there comes whole, from the rich file.
            let mut full = full.clone();
            let section = super::leaves::at_mut(&mut full, &path[..end])?.clone();
            if let toml::Value::Table(table) = super::leaves::at_mut(&mut tree, &path[..end - 1])? {
                table.insert(path[end - 1].clone(), section);
            }
            break;
        }
    }
    let (last, above) = path.split_last()?;
    match super::leaves::at_mut(&mut tree, above)? {
        toml::Value::Table(table) => {
            table.insert(last.clone(), value);
        }
        toml::Value::Array(list) => {
            let at: usize = last.parse().ok()?;
            match list.get_mut(at) {
                Some(place) => *place = value,
                None => list.push(value),
            }
        }
        _ => return None,
    }
    Some(tree)
}

/// Who stops reading early has read what no rule guards against.
#[test]
fn what_nothing_guards_against_stands_before_the_rules() {
    let page = render(&read(crate::support::SMALL));
    let section = page.sections.iter().find(|it| it.heading.plain() == "What each figure must keep to");
    let first = &section.expect("the section").blocks[0];
    let Block::List { intro, items } = first else { panic!("{first:?}") };
    assert_eq!(intro.plain(), "The agreement has no rule against the following:");
    assert!(items.iter().any(|item| item.plain().starts_with("Two answers can be compared")), "{items:?}");
}
