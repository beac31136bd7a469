//! What the TOML reader complains of, in words for the people who write agreements: no type names, and what to write.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Problem;
use super::tree::Tree;
use crate::key::KEYS;
use crate::refusal::list;

/// An error of text that is not TOML at all.
pub(super) fn syntax(error: &toml::de::Error, text: &str) -> Problem {
    let span = span(error);
    let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let value =
        line.split_once('=').map_or(line, |(_, value)| value).split('#').next().unwrap_or_default().trim();
    let outside = |at: usize| line.get(..at).is_some_and(|before| before.matches('"').count() % 2 == 0);
    if let Some((at, quote)) = line.char_indices().find(|(at, c)| CURLY.contains(c) && outside(*at)) {
        let at = start + at;
        return Problem::new(
            format!("`{quote}` is a curly quote, as word processors write them"),
            "write straight quotes, `\"`, with an editor for plain text",
            at..at + quote.len_utf8(),
        );
    }
    if is_a_day(value) {
        let at = start + line.find(value).unwrap_or_default();
        return Problem::new(
            format!("`{value}` is not how a day is written here"),
            "write year, month and day as 2026-10-01, without quotes",
            at..at + value.len(),
        );
    }
    Problem::new(
        format!("the file cannot be read as TOML: {}", lower(error.message())),
        "check quotes, brackets and commas here, and that no key stands there twice",
        span,
    )
}

/// Quotes that TOML does not know.
const CURLY: [char; 6] = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}'];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Three numbers, or two and the name of a month, as people write days.
fn is_a_day(value: &str) -> bool {
    let parts: Vec<&str> = value.split(['-', '/', '.', ' ', ',']).filter(|part| !part.is_empty()).collect();
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let month =
        |part: &str| part.get(..3).is_some_and(|start| MONTHS.contains(&start.to_lowercase().as_str()));
    parts.len() == 3
        && parts.iter().all(|part| number(part) || month(part))
        && parts.iter().filter(|part| number(part)).count() >= 2
        && parts.iter().any(|part| part.len() == 4 && number(part))
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
        "missing field" => missing_key(rest, place, if span.is_empty() { tree.first_line() } else { span }),
        _ if message.starts_with("invalid type: ") || message.starts_with("invalid value: ") => {
            wrong_type(message, place, span)
        }
        _ if message.starts_with("a day is expected") => Problem::new(
            format!("{} must be a day", subject(place)),
            "write year, month and day as 2026-10-01, without quotes",
            span,
        ),
        _ if message.starts_with("wanted string or table") => {
            Problem::new(format!("{} must be a word in quotes", subject(place)), "put it in quotes", span)
        }
        _ => Problem::new(lower(message), "compare with the examples and the published schema", span),
    }
}

fn unknown_key(rest: &str, span: Range<usize>) -> Problem {
    let (key, known) = quoted(rest);
    let message = format!("`{key}` is not a key that can stand here");
    let help = match (home(&key), nearest(&key, &known)) {
        (Some(home), _) => format!("it stands {home}"),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) if known.is_empty() => "no key can stand here".to_owned(),
        (None, None) => format!("the keys that can stand here are {}", list(&known)),
    };
    Problem::new(message, help, span)
}

/// Where a key of this name belongs, in words; none where there is no such key, or several.
fn home(key: &str) -> Option<String> {
    let homes: BTreeSet<&str> = KEYS
        .iter()
        .filter_map(|known| match known.path.rsplit_once('.') {
            Some((above, last)) if last == key => Some(above),
            None if known.path == key => Some(""),
            _ => None,
        })
        .collect();
    let mut homes = homes.into_iter();
    let (Some(home), None) = (homes.next(), homes.next()) else { return None };
    Some(match home {
        "" => "at the top of the file, above all sections".to_owned(),
        "party" | "recipient" | "template" => format!("below a line `[[{home}]]`"),
        "table.*.columns.*.domain" => "between the braces of `domain`, in the line of a column".to_owned(),
        "table.*.columns.*" => "in the line of a column, between its braces".to_owned(),
        home if home.contains('.') && !home.starts_with("table") => {
            let (section, key) = home.split_once('.').unwrap_or_default();
            format!("between the braces of `{key}`, below `[{section}]`")
        }
        home => format!("below a line `[{}]`", home.replace('*', "NAME")),
    })
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
