//! What the TOML reader complains of, in words for the people who write agreements: no type names, and what to write.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Problem;
use super::tree::Tree;
use crate::key::KEYS;
use crate::refusal::list;
use crate::spelling::nearest;

/// An error of text that is not TOML at all.
pub(super) fn syntax(error: &toml::de::Error, text: &str) -> Problem {
    let span = span(error);
    let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let typed = typed(line);
    let at = |part: &str| {
        let at = start + line.find(part).unwrap_or_default();
        at..at + part.len()
    };
    if error.message().contains("duplicate") {
        let twice = text.get(span.clone()).unwrap_or_default();
        let (what, help) = match typed.trim_start().starts_with('[') {
            true => {
                ("the section ", "put what stands below both of them below the first, and delete the second")
            }
            false => ("", "keep one of the two lines, and delete the other"),
        };
        return Problem::new(format!("{what}`{twice}` stands there twice"), help, span);
    }
    let (key, value) = match typed.split_once('=') {
        Some((key, value)) => (key.trim(), value.trim()),
        None => ("", typed.trim()),
    };
    foreign(line, typed.len(), start)
        .or_else(|| key.is_empty().then(|| no_equals(value, at(value))).flatten())
        .or_else(|| (!key.is_empty()).then(|| one_quote(key, line, at)).flatten())
        .or_else(|| (!key.is_empty()).then(|| bare(key, value, at)).flatten())
        .unwrap_or_else(|| {
            Problem::new(
                format!("the file cannot be read as TOML: {}", lower(error.message())),
                "check quotes, brackets and commas here",
                span,
            )
        })
}

/// A line without the remark at its end.
fn typed(line: &str) -> &str {
    let mut quoted = false;
    let end = line.find(|c| {
        quoted ^= c == '"';
        c == '#' && !quoted
    });
    end.and_then(|end| line.get(..end)).unwrap_or(line)
}

/// A character that a word processor puts where a plain one belongs.
fn foreign(line: &str, length: usize, start: usize) -> Option<Problem> {
    let mut quoted = false;
    for (at, c) in line.char_indices().take_while(|(at, _)| *at < length) {
        quoted ^= c == '"';
        let (message, help) = match c {
            _ if quoted => continue,
            c if CURLY.contains(&c) => (
                format!("`{c}` is a curly quote, as word processors write them"),
                "write straight quotes, `\"`, with an editor for plain text",
            ),
            c if DASHES.contains(&c) => (
                format!("`{c}` is a long dash, as word processors write them"),
                "write the short one, `-`, with an editor for plain text: a day is 2026-10-01",
            ),
            c if c.is_whitespace() && !c.is_ascii() => (
                "a space of a word processor stands here, which only looks like a plain one".to_owned(),
                "delete it, and type a plain space",
            ),
            _ => continue,
        };
        return Some(Problem::new(message, help, start + at..start + at + c.len_utf8()));
    }
    None
}

/// Words that no bracket and no quote holds together.
fn is_sentence(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(char::is_alphabetic) && !text.ends_with([',', ']', '}'])
}

/// A line with neither a value nor brackets.
fn no_equals(line: &str, place: Range<usize>) -> Option<Problem> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().trim_start_matches(':').trim_start();
    let name = word.trim_end_matches(':');
    let is_key = KEYS.iter().any(|known| known.path.rsplit('.').next() == Some(name));
    if is_key && !rest.is_empty() {
        return Some(Problem::new(
            format!("no `=` stands between `{name}` and its value"),
            format!("write `{name} = {rest}`"),
            place,
        ));
    }
    is_sentence(line).then(|| {
        Problem::new(
            "this line is neither a key with its value nor the name of a section",
            "write `key = value`, or put `#` before a remark",
            place,
        )
    })
}

/// A text of which one quote is missing.
fn one_quote(key: &str, line: &str, at: impl Fn(&str) -> Range<usize>) -> Option<Problem> {
    let value = line.split_once('=')?.1.split('#').next()?.trim();
    if value.starts_with(['[', '{']) || value.matches('"').count() != 1 {
        return None;
    }
    Some(Problem::new(
        "one of the two quotes around the text is missing",
        format!("write `{key} = \"{}\"`", value.trim_matches('"')),
        at(value),
    ))
}

/// A value without quotes that is no number, no day and no `true`.
fn bare(key: &str, value: &str, at: impl Fn(&str) -> Range<usize>) -> Option<Problem> {
    if is_a_day(value) {
        return Some(Problem::new(
            format!("`{value}` is not how a day is written here"),
            "write year, month and day as 2026-10-01, without quotes",
            at(value),
        ));
    }
    let is_yes = ["yes", "no", "on", "off", "true", "false"].contains(&value.to_lowercase().as_str());
    if is_yes {
        return Some(Problem::new(
            format!("`{value}` is not how yes and no are written here"),
            "write `true` or `false`, in small letters and without quotes",
            at(value),
        ));
    }
    if value.is_empty() {
        return Some(Problem::new(
            format!("nothing stands behind the `=` of `{key}`"),
            format!("write its value there, or delete the line of `{key}`"),
            at(key),
        ));
    }
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.' | b'\''));
    if is_number(value) {
        return Some(Problem::new(
            format!("`{value}` is not how a number is written here"),
            "write a thousand as 1000, and a half as 0.5",
            at(value),
        ));
    }
    if let Some(inside) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return in_a_list(key, inside, at(value));
    }
    let (first, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    if first.bytes().all(|b| b.is_ascii_digit()) && rest.trim().starts_with(char::is_alphabetic) {
        return Some(Problem::new(
            format!("after the number `{first}` stands `{}`", rest.trim()),
            format!("write the number alone, `{key} = {first}`; a remark goes behind a `#`"),
            at(value),
        ));
    }
    is_sentence(value).then(|| {
        Problem::new(
            format!("`{value}` stands there without quotes"),
            format!("write a number in digits, as `{key} = 20`, and a text in straight quotes, as `{key} = \"{value}\"`"),
            at(value),
        )
    })
}

/// A list of texts with a quote or a comma missing.
fn in_a_list(key: &str, inside: &str, place: Range<usize>) -> Option<Problem> {
    let words: Vec<&str> = inside
        .split(|c: char| c == ',' || c == '"' || c.is_whitespace())
        .filter(|it| !it.is_empty())
        .collect();
    let plain = |it: &&str| it.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    (!words.is_empty() && words.iter().all(plain)).then(|| {
        let right: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        Problem::new(
            "a quote or a comma is missing in this list",
            format!(
                "write each text in straight quotes, with commas between them: `{key} = [{}]`",
                right.join(", ")
            ),
            place,
        )
    })
}

/// Quotes that TOML does not know.
const CURLY: [char; 6] = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}'];

/// Dashes that are no hyphen.
const DASHES: [char; 6] = ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}'];

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
    let text = found.strip_prefix("the text `").and_then(|text| text.strip_suffix('`'));
    let help = match text {
        Some(text) if expected.contains("number") && text.parse::<f64>().is_ok() => {
            format!("write `{text}`, without quotes")
        }
        Some(text) if expected.starts_with("a list in") => format!("write `[\"{text}\"]`"),
        _ => format!("write {expected}"),
    };
    Problem::new(format!("{} must be {expected}, not {found}", subject(place)), help, span)
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

fn span(error: &toml::de::Error) -> Range<usize> {
    error.span().unwrap_or(0..0)
}

fn lower(message: &str) -> String {
    let mut chars = message.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
