//! `liquid policy register`.

use std::fs;
use std::path::{Path, PathBuf};

use liquid_node_api::governance::TEXT_BYTES_MAX;
use liquid_policy::parse::{read, version_of};
use liquid_policy::render::{Entry, html, plain, register};

use super::text::{is_agreement, read_text};
use super::{put, unusable};
use crate::args::{PageFormat, Register};
use crate::failure::Failure;
use crate::terminal::note;

/// Prints a register of the agreements that are there. One that cannot be read ends it: a register from which one is
/// missing would say that it does not exist. What only looks like one is named.
///
/// # Errors
/// Where something cannot be read, or there is no agreement.
pub(crate) fn run(command: &Register) -> Result<(), Failure> {
    let mut agreements: Vec<Entry> = Vec::new();
    let (mut skipped, mut unreadable) = (Vec::new(), Ok(()));
    for place in &command.places {
        for path in files(place, &mut skipped)? {
            let (text, name) = (read_text(&path)?, path.display().to_string());
            let hash = version_of(&text).unwrap_or_else(|| "none".into());
            match read(&text, &name) {
                // Sites of one folder hold the same agreement, each its own copy.
                Ok(file) => match agreements.iter_mut().find(|it| it.file == file) {
                    Some(known) => known.places.push(name),
                    None => agreements.push(Entry { file, hash, places: vec![name] }),
                },
                Err(error) => unreadable = Err(unusable(error)),
            }
        }
    }
    unreadable?;
    for it in &mut agreements {
        it.places.dedup();
    }
    if !skipped.is_empty() {
        let files = if skipped.len() == 1 { "1 file".to_owned() } else { format!("{} files", skipped.len()) };
        note(&format!(
            "{files} skipped: {}; an agreement ends in `.toml` and begins with its `schema`",
            skipped.join(", ")
        ));
    }
    if agreements.is_empty() {
        return Err(Failure::here(
            "there is no agreement in what was named",
            "name agreements, or a folder that holds them: files that end in `.toml` and begin with their `schema`",
        ));
    }
    let page = register(&agreements, chrono::Utc::now().date_naive());
    put(&match command.format {
        PageFormat::Text => plain(&page),
        PageFormat::Html => html(&page),
    })
}

/// A file as it is; of a folder its agreements, and `agreement.toml` of each folder in it. What looks like an agreement and is
/// passed over is `skipped`.
fn files(place: &Path, skipped: &mut Vec<String>) -> Result<Vec<PathBuf>, Failure> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(place).map_err(|error| unlisted(place, &error))? {
        entries.push(entry.map_err(|error| unlisted(place, &error))?.path());
    }
    entries.sort();
    for entry in entries {
        let own = entry.join("agreement.toml");
        if entry.is_dir() {
            found.extend(own.is_file().then_some(own));
            continue;
        }
        let is_toml = entry.extension().is_some_and(|ending| ending == "toml");
        if is_toml && is_agreement(&read_text(&entry)?) {
            found.push(entry);
        } else if looks_like_one(&entry) {
            skipped.push(entry.display().to_string());
        }
    }
    Ok(found)
}

/// Whether a file that is none under the rules is meant for an agreement: another ending, as editors add it, or no `schema`.
fn looks_like_one(file: &Path) -> bool {
    if !fs::metadata(file).is_ok_and(|about| about.len() <= TEXT_BYTES_MAX as u64) {
        return false;
    }
    let bytes = fs::read(file).unwrap_or_default();
    // As Notepad's `Unicode` writes it, every other byte is nothing.
    let plain: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&plain);
    let has = |line: &str| text.lines().any(|it| it.trim() == line);
    is_agreement(&text) || (has("[agreement]") && has("[disclosure]"))
}

fn unlisted(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::here(format!("`{}` cannot be listed: {error}", folder.display()), "make the folder readable")
}
