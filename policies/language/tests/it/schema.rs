//! The published JSON Schema is the one that the code has. To publish a new one:
//! `LIQUID_PUBLISH=1 cargo test -p liquid-policy --test it schema`.

use std::collections::BTreeSet;

use liquid_policy::key::{KEYS, Key, Support};
use liquid_policy::parse;
use liquid_policy::schema::{json_schema, json_schema_text};
use serde_json::Value;

use crate::support::SMALL;

#[test]
fn schema_is_published() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    if std::env::var_os("LIQUID_PUBLISH").is_some() {
        std::fs::write(path, json_schema_text()).expect("the schema can be written");
    }
    let published = std::fs::read_to_string(path).expect("the schema is published");
    assert!(published == json_schema_text(), "schema.json is out of date; see the head of this test");
}

/// Every path that the schema knows, down to the keys of the list.
fn paths(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for inner in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { inner.0.clone() } else { format!("{path}.{}", inner.0) };
        if Key::of(&path).is_some() || !has_keys(inner.1) {
            found.insert(path);
        } else {
            paths(inner.1, &path, found);
        }
    }
    paths_if(&schema["additionalProperties"], &format!("{path}.*"), found);
    paths_if(&schema["items"], path, found);
}

fn paths_if(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if schema.is_object() {
        paths(schema, path, found);
    }
}

fn has_keys(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => object.contains_key("properties") || object.values().any(has_keys),
        Value::Array(list) => list.iter().any(has_keys),
        _ => false,
    }
}

#[test]
fn every_key_has_a_class() {
    let mut found = BTreeSet::new();
    paths(&json_schema(), "", &mut found);
    let listed: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(found, listed);
}

/// An omitted key that is not enforced yet must be off: it has no default, or the empty one.
#[test]
fn omitted_keys_that_nobody_enforces_are_off() {
    fn look(schema: &Value, seen: &mut usize) {
        if schema["x-enforced"].as_str().is_some_and(|s| s.starts_with("not yet")) {
            let default = &schema["default"];
            assert!(default.is_null() || *default == serde_json::json!([]), "{schema:#}");
            *seen += 1;
        }
        match schema {
            Value::Object(object) => object.values().for_each(|inner| look(inner, seen)),
            Value::Array(list) => list.iter().for_each(|inner| look(inner, seen)),
            _ => {}
        }
    }
    let mut seen = 0;
    look(&json_schema(), &mut seen);
    assert_eq!(seen, KEYS.iter().filter(|key| key.support == Support::None).count());
}

/// A key that is enforced as one value only has that value as its default.
#[test]
fn fixed_keys_have_their_value_as_default() {
    let schema = json_schema();
    let mut seen = 0;
    for key in KEYS {
        let Support::Only(fixed) = key.support else { continue };
        let pointer = format!("/properties/{}", key.path.replace('.', "/properties/"));
        let pointer = pointer.replace("/properties/*", "/additionalProperties");
        let pointer = pointer.replace("/template/", "/template/items/");
        let property = schema.pointer(&pointer).expect("the key is in the schema");
        assert_eq!(property["default"].to_string(), fixed.to_string(), "{}", key.path);
        seen += 1;
    }
    assert!(seen > 5);
}

/// A name that an agreement chooses is a name, whatever it looks like: no key below it goes unseen.
#[test]
fn names_that_look_like_keys_hide_no_key() {
    for (table, column) in [
        ("t", "*.use"),
        ("t", "*.grain"),
        ("t", "use"),
        ("t", "*"),
        ("t", "x.use"),
        ("*.entity", "c"),
        ("*.columns.*.use", "c"),
        ("agreement.id", "c"),
    ] {
        let written = format!("'{column}' = {{ transform = \"token\" }}\n");
        let text = match table {
            "t" => SMALL.replace("person = { use = [] }\n", &format!("person = {{ use = [] }}\n{written}")),
            _ => format!("{SMALL}[table.'{table}'.columns]\n{written}"),
        };
        let path = format!("`table.{table}.columns.{column}.transform` is not enforced");
        let error = parse(&text, "test.toml").expect_err(&text);
        assert!(error.problems().any(|problem| problem.message().starts_with(&path)), "{path}: {error:?}");
    }
}
