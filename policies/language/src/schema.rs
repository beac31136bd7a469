//! The published JSON Schema of agreement files, made from [`crate::file`] and [`mod@crate::key`].

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::file::File;
use crate::key::{Class, Key, Support};

/// The schema. What an omitted key means is its `default`; `x-class` says who keeps a key (E: the node enforces it, P: the
/// recipient promises it, R: for the record), and `x-enforced` how far this version enforces one of class E.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>().to_value();
    without_null(&mut schema);
    annotate(&mut schema, "");
    schema
}

/// The schema as it is published.
pub fn json_schema_text() -> String {
    format!("{:#}\n", json_schema())
}

/// Writes class and support beside each key, down to the keys that [`crate::key::KEYS`] names.
fn annotate(schema: &mut Value, path: &str) {
    let Some(schema) = schema.as_object_mut() else { return };
    let required = schema.get("required").cloned().unwrap_or_default();
    let required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|n| n == name));
    for (word, inner) in schema.iter_mut() {
        match (word.as_str(), inner) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties.iter_mut() {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    match (Key::of(&path), property.as_object_mut()) {
                        (Some(key), Some(property)) => describe(property, key, required(name)),
                        _ => annotate(property, &path),
                    }
                }
            }
            ("additionalProperties", inner) => annotate(inner, &format!("{path}.*")),
            ("items", inner) => annotate(inner, path),
            _ => {}
        }
    }
}

fn describe(property: &mut Map<String, Value>, key: &Key, required: bool) {
    property.insert("x-class".into(), key.class.letter().into());
    if key.class == Class::Enforced {
        let enforced = match key.support {
            Support::Full => "yes".to_owned(),
            Support::Only(fixed) => format!("only as {fixed}"),
            Support::None => "not yet: an agreement that writes this key is refused".to_owned(),
        };
        property.insert("x-enforced".into(), enforced.into());
        if !required && !property.contains_key("default") {
            property.insert("x-omitted".into(), "off".into());
        }
    }
}

/// TOML has no null: a key that may be left out is simply not there.
fn without_null(schema: &mut Value) {
    let null = Value::from("null");
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(without_null);
            if let Some(Value::Array(kinds)) = object.get_mut("type") {
                kinds.retain(|kind| *kind != null);
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    object.insert("type".into(), kind);
                }
            }
            if let Some(Value::Array(options)) = object.get_mut("anyOf") {
                options.retain(|option| option.get("type") != Some(&null));
                if let [Value::Object(only)] = options.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    only.into_iter().for_each(|(word, inner)| {
                        object.entry(word).or_insert(inner);
                    });
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}
