//! No key of the file and no word of its spelling is left in the words.

use std::collections::BTreeSet;

use liquid_policy::render::{html, plain, render};
use liquid_policy::schema::json_schema;
use serde_json::Value;

use super::leaves::{rich, tree, whole};

/// Keys that are plain English words as well, and mean in the words what any reader takes them to mean.
const ENGLISH: &[&str] = &[
    "agreement",
    "aggregates",
    "benefits",
    "bounds",
    "columns",
    "contact",
    "deputies",
    "disclosure",
    "domain",
    "expires",
    "file",
    "from",
    "history",
    "impossible",
    "join",
    "keys",
    "lead",
    "marking",
    "measure",
    "meeting",
    "missing",
    "models",
    "name",
    "outcome",
    "party",
    "privacy",
    "protection",
    "purposes",
    "reference",
    "references",
    "release",
    "required",
    "retention",
    "review",
    "role",
    "roles",
    "rows",
    "rule",
    "scope",
    "send",
    "table",
    "template",
    "termination",
    "title",
    "to",
    "unique",
    "unit",
    "use",
    "values",
    "version",
    "organisation",
    "recipient",
    "entity",
    "snapshot",
    "search",
    "reserve",
    "due",
    "share",
    "secondary",
    "transform",
    "history",
];

fn spelling(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().cloned());
    }
    if let Some(Value::String(word)) = schema.get("const") {
        found.insert(word.clone());
    }
    for word in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        found.insert(word.to_owned());
    }
    match schema {
        Value::Object(object) => object.values().for_each(|inner| spelling(inner, found)),
        Value::Array(list) => list.iter().for_each(|inner| spelling(inner, found)),
        _ => {}
    }
}

/// The words without what authors wrote: names, values, sentences.
fn ours(file: &liquid_policy::file::File) -> String {
    fn theirs(at: &toml::Value, found: &mut Vec<String>) {
        match at {
            toml::Value::String(text) => found.push(text.clone()),
            toml::Value::Array(list) => list.iter().for_each(|inner| theirs(inner, found)),
            toml::Value::Table(table) => table.iter().for_each(|(name, inner)| {
                found.push(name.clone());
                theirs(inner, found);
            }),
            _ => {}
        }
    }
    // Names of tables and columns are chosen by authors; all other keys are what is looked for, and stay.
    let mut found = Vec::new();
    for (name, table) in tree(file)["table"].as_table().expect("tables") {
        found.push(name.clone());
        theirs(&table["columns"], &mut found);
    }
    found.retain(|word| word.contains('_'));
    found.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let page = render(file);
    let mut text = format!("{}\n{}", plain(&page), html(&page).split("</style>").nth(1).expect("a body"));
    for word in found {
        text = text.replace(&word, "…");
    }
    text
}

#[test]
fn no_key_of_the_file_is_in_the_words() {
    let mut keys = BTreeSet::new();
    spelling(&json_schema(), &mut keys);
    assert!(keys.len() > 100);
    for file in rich() {
        let text = ours(file);
        let words: BTreeSet<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .collect();
        let snakes: Vec<_> = words.iter().filter(|word| word.contains('_')).collect();
        assert!(snakes.is_empty(), "{snakes:?}");
        for key in keys.iter().filter(|key| key.contains(['_', '-', '/']) && !theirs_too(file, key)) {
            assert!(!text.contains(key.as_str()), "`{key}` is in the words");
        }
    }
    // Lower case, as the file writes them: `DPIA` is a word of the trade.
    let text = ours(&whole());
    let odd =
        ["dpia", "signoff", "grain", "approvers", "combiner", "delta", "folds", "sha256", "probs", "onward"];
    for word in odd {
        assert!(keys.contains(word), "`{word}` is no key any more");
        assert!(!text.split(|c: char| !c.is_alphanumeric()).any(|w| w == word), "`{word}` is in the words");
    }
    let page = plain(&render(&whole()));
    let words: BTreeSet<&str> = page.split(|c: char| !c.is_alphanumeric()).collect();
    let listed: BTreeSet<&str> = ENGLISH.iter().copied().chain(odd).collect();
    let plain: Vec<_> = properties(&json_schema())
        .into_iter()
        .filter(|key| !key.contains('_') && !listed.contains(key.as_str()) && words.contains(key.as_str()))
        .collect();
    assert!(plain.is_empty(), "are these English words, or keys in the text? {plain:?}");
}

/// A key's spelling that an author chose as a name, too.
fn theirs_too(file: &liquid_policy::file::File, key: &str) -> bool {
    let values = toml::to_string(&tree(file)).expect("can be written");
    values.contains(&format!("\"{key}\""))
}

fn properties(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fn look(schema: &Value, found: &mut BTreeSet<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            found.extend(properties.keys().cloned());
        }
        match schema {
            Value::Object(object) => object.values().for_each(|inner| look(inner, found)),
            Value::Array(list) => list.iter().for_each(|inner| look(inner, found)),
            _ => {}
        }
    }
    look(schema, &mut found);
    found
}
