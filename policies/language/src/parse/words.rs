//! What the TOML reader complains of, in words for the people who write agreements: no type names, and what to write.

use std::ops::Range;

use super::Problem;
use super::tree::Tree;
use crate::refusal::list;

/// An error of text that is not TOML at all.
pub(super) fn syntax(error: &toml::de::Error) -> Problem {
    Problem::new(
        format!("the file cannot be read as TOML: {}", lower(error.message())),
        "check quotes, brackets and commas here, and that no key stands there twice",
        span(error),
    )
}

/// An error of text that is TOML, but has the wrong keys or values.
pub(super) fn explain(error: &toml::de::Error, tree: &Tree<'_>) -> Problem {
    let message = error.message();
    let span = span(error);
    let place = tree.path(&span);
    let (said, rest) = message.split_once(" `").unwrap_or((message, ""));
    match said {
        "unknown field" => unknown_key(rest, span),
        "unknown variant" => unknown_word(rest, place, span),
        "missing field" => missing_key(rest, place, span),
        _ if message.starts_with("invalid type: ") || message.starts_with("invalid value: ") => {
            wrong_type(message, place, span)
        }
        _ if message.starts_with("wanted string or table") => {
            Problem::new(format!("{} must be a word in quotes", subject(place)), "put it in quotes", span)
        }
        _ => Problem::new(lower(message), "compare with the examples and the published schema", span),
    }
}

fn unknown_key(rest: &str, span: Range<usize>) -> Problem {
    let (key, known) = quoted(rest);
    let help = match nearest(&key, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "no key can stand here".to_owned(),
        None => format!("the keys that can stand here are {}", list(&known)),
    };
    Problem::new(format!("`{key}` is not a key that can stand here"), help, span)
}

fn unknown_word(rest: &str, place: Option<String>, span: Range<usize>) -> Problem {
    let (word, known) = quoted(rest);
    let help = match nearest(&word, &known) {
        Some(near) => format!("did you mean `{near}`? the words are {}", list(&known)),
        None => format!("write one of {}", list(&known)),
    };
    let of = place.map(|place| format!(" for `{place}`")).unwrap_or_default();
    Problem::new(format!("`{word}` is not a word that this version knows{of}"), help, span)
}

fn missing_key(rest: &str, place: Option<String>, span: Range<usize>) -> Problem {
    let (key, _) = quoted(rest);
    let below = place.map(|place| format!(" in `{place}`")).unwrap_or_default();
    Problem::new(format!("the key `{key}` is missing{below}"), example(&key), span)
}

fn wrong_type(message: &str, place: Option<String>, span: Range<usize>) -> Problem {
    let (_, message) = message.split_once(": ").unwrap_or(("", message));
    let (found, expected) = message.rsplit_once(", expected ").unwrap_or((message, ""));
    let expected = match expected {
        "u32" | "u64" => "a whole number from 0 up",
        "i64" => "a whole number",
        "f64" => "a number",
        "a string" => "a text in quotes",
        "a boolean" => "`true` or `false`, without quotes",
        "a sequence" => "a list in square brackets",
        "a map" => "a table of keys",
        "an array of length 2" => "a list of two numbers",
        other => other,
    };
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {}", text.replace('"', "`")),
        Some(("integer" | "boolean", value)) => value.to_owned(),
        Some(("floating", value)) => value.trim_start_matches("point ").to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        _ if found == "map" => "a table of keys or a day".to_owned(),
        _ => "what stands here".to_owned(),
    };
    Problem::new(
        format!("{} must be {expected}, not {found}", subject(place)),
        format!("write {expected}"),
        span,
    )
}

fn subject(place: Option<String>) -> String {
    place.map_or_else(|| "this".to_owned(), |place| format!("`{place}`"))
}

/// What a key that is missing could look like.
fn example(key: &str) -> String {
    let text = match key {
        "schema" => "schema = \"liquid/agreement/1\"",
        "agreement" => "[agreement]",
        "disclosure" => "[disclosure]",
        "id" => "id = \"ABC-2026-01\"",
        "version" => "version = \"1.0.0\"",
        "purposes" => "purposes = [\"service-planning\"]",
        "in_force" => "in_force = 2026-01-01",
        "expires" => "expires = 2026-12-31",
        "due" => "due = 2026-06-30",
        "organisation" => "organisation = \"north-hospital\"",
        "role" => "role = \"controller\"",
        "roles" => "roles = [\"analyst\"]",
        "minimum_contributors" => "minimum_contributors = 10",
        _ => return format!("add `{key} = …`"),
    };
    format!("add it, for example `{text}`")
}

/// The first name in backticks, and those after it.
fn quoted(rest: &str) -> (String, Vec<String>) {
    let mut names = rest.split('`').step_by(2).map(str::to_owned);
    let first = names.next().unwrap_or_default();
    (first, names.filter(|name| !name.is_empty()).collect())
}

/// The known name that is one or two slips of the pen away.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let close = |other: &&String| distance(name, other) <= 2 && other.len() > 2;
    known.iter().filter(close).min_by_key(|other| distance(name, other))
}

/// Levenshtein's.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let above = *cell;
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn span(error: &toml::de::Error) -> Range<usize> {
    error.span().unwrap_or(0..0)
}

fn lower(message: &str) -> String {
    let mut chars = message.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
