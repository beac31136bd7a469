//! An agreement as a tree of values, and each of its values changed to others that can stand in its place.

use std::sync::OnceLock;

use liquid_policy::file::File;
use liquid_policy::schema::json_schema;
use serde_json::Value;

/// Where a value stands: names of keys, and places in lists.
pub(crate) type Path = Vec<String>;

/// The example that writes every key.
pub(crate) fn whole() -> File {
    read(include_str!("whole.toml"))
}

/// A file that need not be one that a site takes.
pub(crate) fn read(text: &str) -> File {
    liquid_policy::parse::read(text, "test.toml").unwrap_or_else(|e| panic!("{:?}", miette::Report::new(e)))
}

/// Agreements rich enough that changes to them mean something.
pub(crate) fn rich() -> &'static [File] {
    static RICH: OnceLock<Vec<File>> = OnceLock::new();
    RICH.get_or_init(|| {
        let examples =
            ["heart", "wellbeing", "customers", "open"].map(|example| read(&example_text(example)));
        std::iter::once(whole()).chain(examples).collect()
    })
}

pub(crate) fn example_text(example: &str) -> String {
    let path = format!("{}/../examples/{example}/agreement.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the example is there")
}

/// The file as a tree. It is TOML's tree, so that days can be told from texts.
pub(crate) fn tree(file: &File) -> toml::Value {
    let mut tree = toml::Value::try_from(file).expect("a file can be written");
    for day in [&["agreement", "in_force"][..], &["agreement", "expires"], &["agreement", "review", "due"]] {
        let day = at_mut(&mut tree, &day.iter().map(|step| (*step).to_owned()).collect::<Path>());
        if let Some(value) = day
            && let Some(text) = value.as_str()
        {
            *value = toml::Value::Datetime(text.parse().expect("a day"));
        }
    }
    tree
}

/// The tree as a file, where it is one.
pub(crate) fn file(tree: &toml::Value) -> Option<File> {
    let text = toml::to_string(tree).ok()?;
    liquid_policy::parse::read(&text, "changed.toml").ok()
}

/// Every value that is no table and no list with something in it.
pub(crate) fn leaves(tree: &toml::Value) -> Vec<Path> {
    fn walk(at: &toml::Value, path: &mut Path, found: &mut Vec<Path>) {
        let below: Vec<(String, &toml::Value)> = match at {
            toml::Value::Table(table) => table.iter().map(|(name, value)| (name.clone(), value)).collect(),
            toml::Value::Array(list) => {
                list.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
            }
            _ => Vec::new(),
        };
        if below.is_empty() {
            found.push(path.clone());
        }
        for (step, value) in below {
            path.push(step);
            walk(value, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    walk(tree, &mut Vec::new(), &mut found);
    found
}

/// What stands there.
pub(crate) fn at<'t>(tree: &'t toml::Value, path: &[String]) -> &'t toml::Value {
    path.iter().fold(tree, |at, step| match at {
        toml::Value::Array(list) => &list[step.parse::<usize>().expect("a place")],
        other => &other[step.as_str()],
    })
}

/// Every table and every key of it, and every member of a list.
pub(crate) fn members(tree: &toml::Value) -> Vec<Path> {
    let mut all: std::collections::BTreeSet<Path> = leaves(tree).into_iter().collect();
    for path in all.clone() {
        for end in 1..path.len() {
            all.insert(path[..end].to_vec());
        }
    }
    all.into_iter().filter(|path| !path.is_empty()).collect()
}

pub(crate) fn at_mut<'t>(tree: &'t mut toml::Value, path: &[String]) -> Option<&'t mut toml::Value> {
    path.iter().try_fold(tree, |at, step| match at {
        toml::Value::Table(table) => table.get_mut(step),
        toml::Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The tree with another value there.
pub(crate) fn with(tree: &toml::Value, path: &[String], value: toml::Value) -> toml::Value {
    let mut tree = tree.clone();
    *at_mut(&mut tree, path).expect("the path leads somewhere") = value;
    tree
}

/// The tree without what stands there.
pub(crate) fn without(tree: &toml::Value, path: &[String]) -> toml::Value {
    let mut tree = tree.clone();
    let (last, above) = path.split_last().expect("not the root");
    match at_mut(&mut tree, above).expect("the path leads somewhere") {
        toml::Value::Table(table) => {
            table.remove(last);
        }
        toml::Value::Array(list) => {
            list.remove(last.parse().expect("a place"));
        }
        _ => panic!("only tables and lists have members"),
    }
    tree
}

/// Values that could stand in the place of one, of its own kind. Those that cannot are found out by reading the file.
pub(crate) fn others(value: &toml::Value) -> Vec<toml::Value> {
    let mut others: Vec<toml::Value> = match value {
        toml::Value::String(text) => {
            let mut texts: Vec<String> =
                enums().iter().filter(|words| words.contains(text)).flatten().cloned().collect();
            texts.extend([
                format!("{text}x"),
                "other".into(),
                "P3M".into(),
                "UKGDPR-6-1-c".into(),
                "2025-05".into(),
            ]);
            texts.into_iter().map(toml::Value::String).collect()
        }
        toml::Value::Integer(number) => {
            [0, 1, 2, 7, 1_000_000, number + 1, number - 1].map(toml::Value::Integer).into()
        }
        toml::Value::Float(number) => {
            [0.0, 0.5, 1.0, 0.123_456_789, 1e-12, number * 2.0, number + 1e-9].map(toml::Value::Float).into()
        }
        toml::Value::Boolean(flag) => vec![toml::Value::Boolean(!flag)],
        toml::Value::Datetime(_) => {
            ["2026-02-28", "2031-12-01"].map(|day| toml::Value::Datetime(day.parse().expect("a day"))).into()
        }
        toml::Value::Array(_) => [
            vec!["other"].into(),
            vec!["measure"].into(),
            vec!["output"].into(),
            toml::Value::Array(vec![toml::Value::Integer(3)]),
        ]
        .into(),
        toml::Value::Table(_) => Vec::new(),
    };
    others.retain(|other| other != value);
    others
}

/// The words that the schema lists, each list by itself.
fn enums() -> &'static [Vec<String>] {
    fn look(schema: &Value, found: &mut Vec<Vec<String>>) {
        let constant = |option: &Value| option["const"].as_str().map(str::to_owned);
        found.push(schema["oneOf"].as_array().into_iter().flatten().filter_map(constant).collect());
        found.push(schema["enum"].as_array().into_iter().flatten().filter_map(constant_text).collect());
        match schema {
            Value::Object(object) => object.values().for_each(|inner| look(inner, found)),
            Value::Array(list) => list.iter().for_each(|inner| look(inner, found)),
            _ => {}
        }
    }
    fn constant_text(word: &Value) -> Option<String> {
        word.as_str().map(str::to_owned)
    }
    static ENUMS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    ENUMS.get_or_init(|| {
        let mut found = Vec::new();
        look(&json_schema(), &mut found);
        found.retain(|words| !words.is_empty());
        found.sort();
        found.dedup();
        assert!(found.len() > 8, "{found:?}");
        found
    })
}
