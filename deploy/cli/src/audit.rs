//! `liquid audit verify`: an independent reading of a node's log.

use std::path::Path;

use liquid_node::audit::{Summary, verify};

use crate::failure::Failure;
use crate::terminal::{Paint, say};

/// Checks a log and says what it holds.
///
/// # Errors
/// Where the file cannot be read, or holds a bad record.
pub(crate) fn run(file: &Path, key: Option<&str>) -> Result<(), Failure> {
    let log = std::fs::read(file).map_err(|error| {
        Failure::here(format!("`{}` cannot be read: {error}", file.display()), "name an audit log")
    })?;
    let key = key.map(key_text);
    let summary = verify(&log, key.as_deref()).map_err(|bad| {
        Failure::here(
            format!("{}: {bad}", file.display()),
            "keep the file as evidence; every record before this one is good",
        )
    })?;
    say(&format!("{} {}", Paint::stdout().good("verified"), describe(&summary)));
    if key.is_none() {
        say(
            "no key was given: the chain is whole, but only a key that you know proves who made it (`--key`)",
        );
    }
    Ok(())
}

/// What a good log holds, in one line.
pub(crate) fn describe(summary: &Summary) -> String {
    let some = |number: usize, what: &str| match number {
        0 => String::new(),
        number => format!(", {number} {what}"),
    };
    let other = some(usize::try_from(summary.other).unwrap_or(usize::MAX), "failed or cut off");
    let open = some(summary.open.len(), "without an outcome yet");
    let head: String = summary.head.chars().take(12).collect();
    format!(
        "{} records: {} released, {} refused{other}{open}; head {head}…",
        summary.records, summary.released, summary.refused
    )
}

/// The key itself, or what the file of that name holds.
fn key_text(key: &str) -> String {
    std::fs::read_to_string(key).unwrap_or_else(|_| key.to_owned()).trim().to_owned()
}
