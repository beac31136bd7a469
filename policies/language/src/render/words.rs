//! Words for values: names as their authors wrote them, lists, days, numbers, times, codes of law.

use std::fmt::Display;

use chrono::Datelike;
use serde::Serialize;

use super::page::MARKS;
use crate::file::Date;
use crate::unseen;

/// What an author wrote, marked as such. Characters that cannot be seen, or that turn the direction of what follows, are
/// written out: nobody signs what they cannot see.
pub(crate) fn said(words: impl Display) -> String {
    let [open, close] = MARKS;
    let mut marked = String::from(open);
    marked.push_str(&unseen::marked(&words.to_string()).replace(['“', '”'], "\""));
    marked.push(close);
    marked
}

/// The word by which a file writes a value, whatever its type: a text, an enum.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn all(items: impl IntoIterator<Item = impl Display>) -> String {
    joined(items, "and")
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn any(items: impl IntoIterator<Item = impl Display>) -> String {
    joined(items, "or")
}

fn joined(items: impl IntoIterator<Item = impl Display>, last: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.split_last() {
        None => "nothing".into(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// Authors' names, all of them.
pub(crate) fn names(items: impl IntoIterator<Item = impl Display>) -> String {
    all(items.into_iter().map(said))
}

/// `1 day`, `10 days`.
pub(crate) fn count(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", whole(number), if number == 1 { one } else { many })
}

/// `10,000`.
pub(crate) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `90 per cent`, or the plain number where that would be another one.
pub(super) fn percent(share: f64) -> String {
    let hundredfold = (share * 100.0 * 1e9).round() / 1e9;
    if hundredfold / 100.0 == share {
        format!("{hundredfold} per cent")
    } else {
        format!("a share of {share}")
    }
}

/// `1 in 1,000`, or the plain number where that would be another one.
pub(super) fn chance(share: f64) -> String {
    let times = format!("{:.0}", 1.0 / share);
    match times.parse::<u64>() {
        Ok(whole_times) if times.parse() == Ok(1.0 / share) => format!("1 in {}", whole(whole_times)),
        _ => share.to_string(),
    }
}

/// `1 January 2026`.
pub(crate) fn day(date: Date) -> String {
    let Date(day) = date;
    format!("{} {} {}", day.day(), day.format("%B"), day.year())
}

/// `30 days` for `P30D`; another text as it was written.
pub(super) fn duration(text: &str) -> String {
    in_words(text).unwrap_or_else(|| said(text))
}

fn in_words(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix('P')?;
    let mut parts = Vec::new();
    let mut units =
        [('Y', "year", "years"), ('M', "month", "months"), ('W', "week", "weeks"), ('D', "day", "days")]
            .into_iter();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(end)?;
        let letter = unit.chars().next()?;
        let (_, one, many) = units.find(|(known, ..)| *known == letter)?;
        // Only what can be written in one way: `P030D` stays as it is.
        let value: u64 = number.parse().ok().filter(|value: &u64| value.to_string() == number)?;
        parts.push(count(value, one, many));
        rest = unit.get(1..)?;
    }
    (!parts.is_empty()).then(|| all(parts))
}

/// A code of law in words where it is one of data protection law, and the code.
pub(super) fn legal_basis(code: &str) -> String {
    let known = [("UKGDPR-", "the UK GDPR"), ("GDPR-", "the GDPR")]
        .into_iter()
        .find_map(|(start, law)| Some((law, code.strip_prefix(start)?)))
        .and_then(|(law, article)| Some((law, ARTICLES.iter().find(|(known, ..)| *known == article)?)));
    match known {
        Some((law, (_, article, words))) => format!("{}: {words} (article {article} of {law})", said(code)),
        None => said(code),
    }
}

/// Whether a code stands for a basis to use special categories of data.
pub(crate) fn is_for_special_categories(code: &str) -> bool {
    code.contains("GDPR-9-")
}

/// What the letters of articles 6(1) and 9(2) stand for.
const ARTICLES: [(&str, &str, &str); 16] = [
    ("6-1-a", "6(1)(a)", "people have agreed"),
    ("6-1-b", "6(1)(b)", "it is needed for a contract with the person"),
    ("6-1-c", "6(1)(c)", "a law requires it"),
    ("6-1-d", "6(1)(d)", "it protects someone's life"),
    ("6-1-e", "6(1)(e)", "it is a task in the public interest"),
    ("6-1-f", "6(1)(f)", "it is a fair interest that does not outweigh people's rights"),
    ("9-2-a", "9(2)(a)", "people have clearly agreed that sensitive data is used"),
    ("9-2-b", "9(2)(b)", "sensitive data may be used for the law of work or social care"),
    ("9-2-c", "9(2)(c)", "sensitive data may be used to protect someone's life"),
    ("9-2-d", "9(2)(d)", "sensitive data may be used by a body that works not for profit"),
    ("9-2-e", "9(2)(e)", "sensitive data may be used that people have made public"),
    ("9-2-f", "9(2)(f)", "sensitive data may be used for claims in court"),
    ("9-2-g", "9(2)(g)", "sensitive data may be used for a strong public interest"),
    ("9-2-h", "9(2)(h)", "sensitive data may be used for health or social care"),
    ("9-2-i", "9(2)(i)", "sensitive data may be used for public health"),
    ("9-2-j", "9(2)(j)", "sensitive data may be used for research, archives or statistics"),
];
