//! `liquid policy new`.

use std::fs;
use std::io::Write;

use liquid_policy::parse;
use liquid_policy::preset::{PUBLISHED, RESEARCH, Start, TRUSTED};

use crate::args::{New, PresetName};
use crate::failure::Failure;
use crate::terminal::note;

/// Writes a new agreement, which runs for a year from today.
///
/// # Errors
/// Where the file exists or cannot be written, or the id is none.
pub(crate) fn run(command: &New) -> Result<(), Failure> {
    let preset = match command.preset {
        PresetName::PublishedStatistics => PUBLISHED,
        PresetName::TrustedAnalysts => TRUSTED,
        PresetName::Research => RESEARCH,
    };
    let first = chrono::Utc::now().date_naive();
    let text = preset.agreement(&Start { id: &command.id, title: &command.title, first });
    let name = command.file.display().to_string();
    // There is no file yet for an error to point into.
    parse(&text, &name).map_err(|error| {
        let problem = error.problems().next().cloned().unwrap_or_default();
        Failure::here(problem.message(), problem.help())
    })?;
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create_new(true).open(&command.file);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        Failure::here(
            format!("`{name}` cannot be made: {error}"),
            "name a file that does not exist yet, in a folder that does",
        )
    })?;
    note(&format!("{name} begins with *{}*; `liquid policy lint {name}` says what to fill in", preset.name));
    Ok(())
}
