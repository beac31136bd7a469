//! `liquid policy register`.

use std::fs;
use std::path::{Path, PathBuf};

use liquid_policy::file::File;
use liquid_policy::parse::read;
use liquid_policy::render::{html, plain, register};

use super::{put, read_text, unusable};
use crate::args::{PageFormat, Register};
use crate::failure::Failure;

/// Prints a register of the agreements that are there. One that cannot be read ends it: a register from which one is
/// missing would say that it does not exist.
///
/// # Errors
/// Where something cannot be read, or there is no agreement.
pub(crate) fn run(command: &Register) -> Result<(), Failure> {
    let mut agreements: Vec<File> = Vec::new();
    let mut unreadable = Ok(());
    for place in &command.places {
        for file in files(place)? {
            match read(&read_text(&file)?, &file.display().to_string()) {
                // Sites of one folder hold the same agreement, each its own copy.
                Ok(agreement) if agreements.contains(&agreement) => {}
                Ok(agreement) => agreements.push(agreement),
                Err(error) => unreadable = Err(unusable(error)),
            }
        }
    }
    unreadable?;
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

/// A file as it is; of a folder its agreements, and `agreement.toml` of each folder in it.
fn files(place: &Path) -> Result<Vec<PathBuf>, Failure> {
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
        } else if entry.extension().is_some_and(|ending| ending == "toml")
            && is_agreement(&read_text(&entry)?)
        {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Whether a file says that it is an agreement. What else ends in `.toml` may lie beside one: signatures, settings.
fn is_agreement(text: &str) -> bool {
    text.lines().any(|line| {
        let value = line.trim_start().strip_prefix("schema").map(str::trim_start);
        value.and_then(|rest| rest.strip_prefix('=')).is_some_and(|value| value.contains("liquid/agreement/"))
    })
}

fn unlisted(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::here(format!("`{}` cannot be listed: {error}", folder.display()), "make the folder readable")
}
