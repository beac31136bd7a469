//! `liquid audit verify`: an independent reading of a node's log.

use std::path::Path;

use liquid_node::audit::{Summary, is_public_key, verify_file};

use crate::failure::Failure;
use crate::terminal::{Paint, say};

/// Checks a log and says what it holds.
///
/// # Errors
/// Where the file cannot be read, or holds a bad record.
pub(crate) fn run(file: &Path, key: Option<&str>) -> Result<(), Failure> {
    let key = key.map(public_key).transpose()?;
    let summary = verify_file(file, key.as_deref()).map_err(|bad| match bad.record {
        0 => Failure::here(bad, "name a node's log, with the file that the node writes beside it, `.head`"),
        _ => Failure::here(
            format!("{}: {bad}", file.display()),
            "keep the file as evidence; every record before this one is good",
        ),
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
    let records = if summary.records == 1 { "record" } else { "records" };
    format!(
        "{} {records}: {} released, {} refused{other}{open}; head {head}…",
        summary.records, summary.released, summary.refused
    )
}

/// The key itself, or what the file of that name holds.
fn public_key(given: &str) -> Result<String, Failure> {
    let held = std::fs::read_to_string(given);
    let key = held.as_deref().unwrap_or(given).trim();
    if is_public_key(key) {
        return Ok(key.to_owned());
    }
    let problem = match held {
        Ok(_) => format!("`{given}` holds no public key"),
        Err(_) if Path::new(given).exists() => format!("`{given}` holds no public key, or cannot be read"),
        Err(_) => format!("`{given}` is neither a file nor a public key"),
    };
    Err(Failure::here(problem, "give the site's `audit.pub`, or the 32 bytes in base64 that it holds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_is_one() {
        let summary = Summary { records: 1, ..Summary::default() };
        assert!(describe(&summary).starts_with("1 record: 0 released"));
        assert!(describe(&Summary::default()).starts_with("0 records:"));
    }
}
